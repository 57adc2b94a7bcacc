"""`hotline-qc serve` and `hotline-qc worker`: the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from qc.errors import QcError

if TYPE_CHECKING:
    from api.settings import Settings


def serve(
    host: Annotated[str | None, typer.Option(help="监听地址；默认只有本机能访问。")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="监听端口。")] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="工作进程数；0 表示只在别处运行 worker。")
    ] = None,
) -> None:
    """启动服务：网页、接口和检查录音的工作进程，一条命令全有。其余设置用环境变量。"""
    from api.serve import run_server

    settings = _settings(host=host, port=port, workers=workers)
    Console(stderr=True).print(
        f"网址 {settings.site} ，按 Ctrl-C 停止。", highlight=False, markup=False
    )
    run_server(settings)


def worker() -> None:
    """在别的机器上再开一个工作进程：与服务共用 PostgreSQL 数据库和录音存放处。"""
    from api.logs import configure_logs
    from api.worker import run_worker

    configure_logs()
    run_worker(_settings())


def _settings(**given: object) -> Settings:
    from pydantic import ValidationError

    from api.settings import Settings
    from qc.errors import what_is_wrong

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        place, reason = what_is_wrong(error)
        raise QcError(
            f"设置 HOTLINE_QC_{place.upper()} 不对：{reason}", "请对照 README 的设置表修改"
        ) from error
