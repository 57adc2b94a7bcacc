"""The verdict on an order on the terminal: findings with their quotes, then the ledger."""

from collections.abc import Iterator

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from qc.catalogue import SEVERITY_TITLES, Severity, load_catalogue
from qc.inspection import SATISFACTION_TITLES
from qc.order import KIND_TITLES, CallKind
from qc.orders.finding import OrderFinding, OrderQuote
from qc.orders.inspection import OrderInspection
from qc.orders.promises import PROMISE_STATUS_TITLES, Promise, PromiseStatus
from qc.privacy import mask

SEVERITY_STYLES: dict[Severity, str] = {"minor": "yellow", "major": "red", "fatal": "bold red"}
STATUS_STYLES: dict[PromiseStatus, str] = {
    "kept": "green",
    "broken": "red",
    "unmentioned": "yellow",
    "pending": "dim",
}


def show_order(console: Console, verdict: OrderInspection, title: str) -> None:
    """Print the verdict on one order; personal data is masked."""
    score = "—" if verdict.score is None else str(verdict.score)
    console.print(
        Panel(
            Group(*_parts(verdict)),
            title=f"[bold]{escape(title)}[/]  工单质检",
            subtitle=f"总分 [bold]{score}[/]　问题 {len(verdict.findings)} 项　"
            f"承诺 {len(verdict.ledger)} 条",
            box=box.ROUNDED,
            padding=(1, 2),
        )
    )


def _parts(verdict: OrderInspection) -> Iterator[RenderableType]:
    yield _calls(verdict)
    if not verdict.findings:
        yield Text("✓ 填写的内容与录音没有发现矛盾", style="green")
    for finding in verdict.findings:
        yield from _finding(finding, verdict)
    if verdict.ledger:
        yield Text("\n承诺台账", style="bold")
        yield _ledger(verdict)


def _calls(verdict: OrderInspection) -> Table:
    table = Table(box=box.SIMPLE_HEAD, expand=True)
    for column in ("录音", "类型", "得分", "态度", "市民", "需留意"):
        table.add_column(column, ratio=1 if column == "需留意" else None)
    for number, call in enumerate(verdict.inspections, 1):
        reply = call.kind is CallKind.REPLY
        table.add_row(
            f"第 {number} 通",
            KIND_TITLES[call.kind],
            str(call.score),
            f"{call.attitude.score} {call.attitude.title}",
            SATISFACTION_TITLES[call.satisfaction] if reply else "",
            Text("；".join(mask(w, call.order) for w in call.warnings)),
        )
    return table


def _finding(finding: OrderFinding, verdict: OrderInspection) -> Iterator[RenderableType]:
    style = SEVERITY_STYLES[finding.severity]
    yield Text.assemble(
        (f"\n✗ {finding.title}", f"bold {style}" if style != "bold red" else style),
        (f"（{SEVERITY_TITLES[finding.severity]}）  ", style),
        mask(finding.text, verdict.order),
    )
    for quote in finding.quotes:
        yield Text(f"    {_place(quote)}：“{mask(quote.text, verdict.order)}”")
    if finding.doubt:
        yield Text(f"    ⚠ {mask(finding.doubt, verdict.order)}", style="yellow")
    yield Text.assemble(("    → ", "green"), (finding.advice, "green"))
    document = load_catalogue().documents.get(finding.source.document, finding.source.document)
    yield Text(f"    依据：{document} {finding.source.clause}", style="dim")


def _place(quote: OrderQuote) -> str:
    if quote.start is None:
        return quote.where
    return f"{quote.where} {int(quote.start) // 60:02d}:{int(quote.start) % 60:02d}"


def _ledger(verdict: OrderInspection) -> Table:
    table = Table(box=box.SIMPLE_HEAD, expand=True)
    for column, ratio in (("承诺", 3), ("性质", None), ("约定", None), ("状态", None), ("说明", 3)):
        table.add_column(column, ratio=ratio, no_wrap=ratio is None, overflow="fold")
    for promise in verdict.ledger:
        table.add_row(
            f"{promise.quote.where}“{escape(mask(promise.text, verdict.order))}”",
            "" if promise.grounded else "随意许诺",
            _due(promise),
            Text(PROMISE_STATUS_TITLES[promise.status], style=STATUS_STYLES[promise.status]),
            Text(promise.reason),
        )
    return table


def _due(promise: Promise) -> str:
    if promise.due is None:
        return promise.due_said
    return f"{promise.due:%m-%d}（{promise.due_said}）" + ("?" if promise.provisional else "")
