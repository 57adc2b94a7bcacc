"""`hotline-qc order`: what was filed on an order, held against its recordings."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from qc.catalogue import DEFAULT_PROFILE
from qc.commands.common import ProfileName, Recogniser, console, output, refuse_overwriting


def order(
    order_file: Annotated[
        Path,
        typer.Argument(metavar="ORDERFILE.json", help="工单文件：工单、填报内容和各通电话。"),
    ],
    profile: ProfileName = DEFAULT_PROFILE,
    asr: Recogniser = "demo",
    json_out: Annotated[
        Path | None, typer.Option("--json", help="完整结果写入该文件（不脱敏）。")
    ] = None,
) -> None:
    """检查一张工单：填报与录音是否一致、承诺是否兑现、报告是否规范。"""
    from qc.filed import LOCAL
    from qc.inspector import Inspector
    from qc.orders.reading import inspect_order_file
    from qc.orders.terminal import show_order
    from qc.privacy import mask_file_name

    refuse_overwriting(json_out, order_file)
    verdict = inspect_order_file(
        order_file, Inspector.from_environment(asr, profile), datetime.now(LOCAL)
    )
    show_order(console(), verdict, mask_file_name(order_file.name, verdict.order))
    if json_out is not None:
        with output(json_out) as out:
            json.dump(verdict.to_json(), out, ensure_ascii=False, indent=2)
            out.write("\n")
