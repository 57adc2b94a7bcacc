"""The command line `hotline-qc`."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console

from qc.catalogue import DEFAULT_PROFILE, Catalogue, load_catalogue
from qc.errors import OrderError, QcError
from qc.order import CallKind, Order, read_call, read_lines, read_order

if TYPE_CHECKING:
    from qc.batch import BatchOutcome
    from qc.inspection import Inspection
    from qc.inspector import Inspector

app = typer.Typer(
    help="12345 热线录音质检：转写、对照规范用语与禁止行为、评分、出报告。"
    "（Inspects the telephone recordings of the 12345 citizen hotline.）",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
catalog = typer.Typer(help="规则目录（scripts_catalog/）。", no_args_is_help=True)
app.add_typer(catalog, name="catalog")

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
Result = TypeVar("Result")

Kind = Annotated[
    CallKind | None,
    typer.Option(help="录音类型：first_contact 先行联系，reply 热线回复；不给则自动判断。"),
]
ProfileName = Annotated[str, typer.Option("--profile", help="街镇配置，如 weifang、yichuan。")]
Recogniser = Annotated[
    str, typer.Option("--asr", help="识别引擎：demo、turbo 等 Whisper 名称，或权重文件路径。")
]


def _console() -> Console:
    """Messages and tables; wide enough to read when the output is no terminal."""
    return Console() if sys.stdout.isatty() else Console(width=110)


def speaks_plainly(command: Callable[..., Result]) -> Callable[..., Result]:
    """Turn an expected failure into one sentence and exit code 2: no traceback reaches a user."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Result:
        try:
            return command(*args, **kwargs)
        except QcError as error:
            Console(stderr=True).print(f"✗ {error}", style="red", highlight=False, markup=False)
            raise typer.Exit(2) from error
        except KeyboardInterrupt as stop:
            Console(stderr=True).print("已中断；已完成的结果都保留着。")
            raise typer.Exit(130) from stop

    return wrapped


@app.command()
@speaks_plainly
def demo(
    out: Annotated[Path, typer.Option(help="结果放在哪个文件夹。")] = Path("out/demo"),
    asr: Recogniser = "demo",
) -> None:
    """试一试：把自带的样例录音从头到尾检查一遍，并生成报告。"""
    from qc.batch import BatchItem, run_batch
    from qc.inspector import Inspector
    from qc.terminal import show_inspection

    console, inspector = _console(), Inspector(asr)
    inspector.load()

    def inspect_and_show(item: BatchItem) -> Inspection:
        inspection = inspector.inspect_item(item)
        show_inspection(console, inspection, item.recording.stem)
        return inspection

    outcome = run_batch(SAMPLES / "manifest.csv", out, inspect_and_show, fresh=True)
    _say_where(console, outcome)


@app.command()
@speaks_plainly
def inspect(
    recordings: Annotated[list[Path] | None, typer.Argument(help="一个或多个录音文件。")] = None,
    calls: Annotated[
        Path | None, typer.Option(help="已有文字的通话（JSON Lines），不做语音识别。")
    ] = None,
    kind: Kind = None,
    order: Annotated[Path | None, typer.Option(help="工单 JSON 文件。")] = None,
    profile: ProfileName = DEFAULT_PROFILE,
    asr: Recogniser = "demo",
    json_out: Annotated[
        Path | None, typer.Option("--json", help="结果写入该文件，每通一行 JSON。")
    ] = None,
) -> None:
    """检查录音（或已有文字的通话）。"""
    from qc.inspector import Inspector

    _refuse_overwriting(json_out, calls, order, *(recordings or ()))
    if calls is not None and (recordings or order or kind):
        raise QcError("--calls 里已有工单和类型", "请不要再给录音、--order 或 --kind")
    if calls is not None:
        _inspect_calls(calls, load_catalogue(profile=profile), json_out)
    elif recordings:
        filed = read_order(order) if order else Order()
        _inspect_recordings(recordings, kind, filed, Inspector(asr, profile), json_out)
    else:
        raise QcError("没有给出要检查的录音", "请写录音文件名，或用 --calls 指定通话文件")


def _refuse_overwriting(out: Path | None, *inputs: Path | None) -> None:
    for path in inputs:
        if out and path and out.exists() and path.exists() and path.samefile(out):
            raise QcError(f"结果文件 {out.name} 就是输入文件", "请换一个文件名")


def _inspect_calls(path: Path, rules: Catalogue, json_out: Path | None) -> None:
    """One output line a call, in order; a bad line becomes a line with its reason."""
    from models.judge.classifier import load_classifier
    from qc.inspect import inspect_call

    classifier = load_classifier()
    bad = count = 0
    lines = read_lines(path)
    first = list(itertools.islice(lines, 1))  # what cannot be read must not empty an older result
    with _output(json_out) as out:
        for number, line in itertools.chain(first, lines):
            count += 1
            row: dict[str, Any] = {"call_id": f"line-{number}"}
            try:
                call = read_call(line, f"{path.name} 第 {number} 行")
                row["call_id"] = call.call_id or row["call_id"]
                row = inspect_call(call, rules, classifier).to_json()
            except OrderError as error:
                row["error"] = str(error)
            except Exception as error:  # one call must not end the run
                row["error"] = f"内部错误（{type(error).__name__}），请把这一行发给开发者"
            bad += "error" in row
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    tail = f"，其中 {bad} 行有误（见结果中的 error）" if bad else ""
    Console(stderr=True).print(f"已检查 {count} 通{tail}。")
    if bad:
        raise typer.Exit(1)


def _output(path: Path | None) -> Any:
    if path is None:
        return open(sys.stdout.fileno(), "w", encoding="utf-8", closefd=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise QcError(f"写不了 {path}", "请换一个有写权限的位置") from error


def _inspect_recordings(
    recordings: list[Path],
    kind: CallKind | None,
    order: Order,
    inspector: Inspector,
    json_out: Path | None,
) -> None:
    from qc.privacy import mask_file_name
    from qc.terminal import show_inspection

    console = _console()
    inspector.load()
    failed = 0
    with _output(json_out) if json_out else nullcontext() as out:
        for path in recordings:
            shown = mask_file_name(path.name, order)
            try:
                inspection = inspector.inspect_file(path, kind, order)
                show_inspection(console, inspection, shown)
                row = inspection.to_json()
            except QcError as error:
                failed += 1
                console.print(f"✗ {shown}：{error}", style="red", highlight=False, markup=False)
                row = {"call_id": path.name, "error": str(error)}
            if out is not None:
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
                out.flush()
    if failed:
        raise typer.Exit(1)


@app.command()
@speaks_plainly
def batch(
    source: Annotated[Path, typer.Argument(help="录音文件夹，或清单（CSV／XLSX）。")],
    out: Annotated[Path, typer.Option(help="结果文件夹：表格、逐通结果、汇总页。")],
    profile: ProfileName = DEFAULT_PROFILE,
    asr: Recogniser = "demo",
    jobs: Annotated[int, typer.Option(min=1, help="同时检查几通（进程数）。")] = 1,
    fresh: Annotated[bool, typer.Option("--fresh", help="不沿用以前的结果，全部重查。")] = False,
    unmasked: Annotated[
        bool, typer.Option("--unmasked", help="结果里不隐去姓名、电话、门牌（慎用）。")
    ] = False,
) -> None:
    """批量抽检：可中断后继续；坏录音记为一行并写明原因。"""
    from qc.batch import run_batch
    from qc.inspector import Inspector

    inspector = Inspector(asr, profile)
    inspector.load()
    outcome = run_batch(
        source,
        out,
        inspector.inspect_item,
        jobs=jobs,
        unmasked=unmasked,
        fresh=fresh,
        setup=inspector.setup,
        console=Console(stderr=True),
    )
    _say_where(_console(), outcome)


def _say_where(console: Console, outcome: BatchOutcome) -> None:
    reused = f"，其中 {outcome.reused} 通沿用已有结果（查过或内容相同）" if outcome.reused else ""
    failed = f"，{outcome.failed} 通没有结果（原因见表）" if outcome.failed else ""
    console.print(f"共 {outcome.total} 通录音{reused}{failed}。", highlight=False)
    where = f"汇总页：{outcome.summary}\n明细表：{outcome.workbook}"
    console.print(where, highlight=False, markup=False, soft_wrap=True)


@app.command()
@speaks_plainly
def evaluate(
    labelled: Annotated[list[Path], typer.Argument(help="带标注的通话（JSON Lines）。")],
    mistakes: Annotated[bool, typer.Option(help="列出每一处不一致及原话。")] = False,
    profile: ProfileName = DEFAULT_PROFILE,
    json_out: Annotated[Path | None, typer.Option("--json", help="把指标写成 JSON。")] = None,
) -> None:
    """用带标注的通话评测判定质量。"""
    from models.judge.classifier import load_classifier
    from qc.evaluation import measure, read_labelled
    from qc.inspect import inspect_call
    from qc.terminal import show_quality

    rules, classifier = load_catalogue(profile=profile), load_classifier()
    pairs = [
        (inspect_call(call, rules, classifier), labels) for call, labels in read_labelled(labelled)
    ]
    if not pairs:
        raise QcError("没有可评测的通话", "请检查文件内容")
    quality = measure(pairs)
    console = _console()
    show_quality(console, quality)
    if mistakes:
        for m in quality.mistakes:
            told = f"{m.call_id}  {m.rule}  判为 {m.found}，标注 {m.labelled}：{m.quote}"
            console.print(told, highlight=False, markup=False)
    if json_out is not None:
        with _output(json_out) as out:
            out.write(json.dumps(quality.to_json(), ensure_ascii=False, indent=2) + "\n")


@catalog.command("check")
@speaks_plainly
def catalog_check(profile: ProfileName = DEFAULT_PROFILE) -> None:
    """检查每条规则，并用它自带的正反例运行一遍。"""
    from models.judge.classifier import load_classifier
    from qc.catalogue_check import check_examples

    rules = load_catalogue(profile=profile)
    console, failures, count = _console(), 0, 0
    for outcome in check_examples(rules, load_classifier()):
        count += 1
        if not outcome.passed:
            failures += 1
            expected = "应命中" if outcome.expected else "不应命中"
            told = f"✗ {outcome.rule} {expected}：{outcome.text}"
            console.print(told, style="red", highlight=False, markup=False)
    console.print(f"共 {count} 条例句，{count - failures} 条通过，{failures} 条不符。")
    if failures:
        raise typer.Exit(1)


@catalog.command("schema")
@speaks_plainly
def catalog_schema() -> None:
    """打印规则文件的 JSON Schema（供编辑器校验和提示）。"""
    from qc.catalogue import rule_schemas

    print(json.dumps(rule_schemas(), ensure_ascii=False, indent=2))


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    main()
