"""An inspection on the terminal: the dialogue with its findings in place, then the checklist."""

from collections.abc import Iterator

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from qc.catalogue import SEVERITY_TITLES
from qc.inspection import (
    SATISFACTION_TITLES,
    STATUS_TITLES,
    ElementFinding,
    Inspection,
    Status,
)
from qc.order import KIND_TITLES
from qc.privacy import mask
from qc.quality.evaluation import Counts
from qc.transcript import ROLE_TITLES, Turn

STATUS_STYLES: dict[Status, str] = {
    "met": "green",
    "partial": "yellow",
    "missing": "red",
    "not_applicable": "dim",
}
STATUS_SIGNS: dict[Status, str] = {
    "met": "✓",
    "partial": "◐",
    "missing": "✗",
    "not_applicable": "–",
}
LEVEL_STYLES = {"good": "green", "minor": "yellow", "serious": "red"}


def show_inspection(console: Console, inspection: Inspection, title: str) -> None:
    """Print one inspection; personal data is masked."""
    console.print(
        Panel(
            Group(*_parts(inspection)),
            title=f"[bold]{escape(title)}[/]  {KIND_TITLES[inspection.kind]}",
            subtitle=_verdict(inspection),
            box=box.ROUNDED,
            padding=(1, 2),
        )
    )


def _verdict(inspection: Inspection) -> str:
    attitude = inspection.attitude
    satisfaction = ""
    if inspection.kind.value == "reply":
        satisfaction = f"　市民：{SATISFACTION_TITLES[inspection.satisfaction]}"
    return (
        f"总分 [bold]{inspection.score}[/]　态度 [bold {LEVEL_STYLES[attitude.level]}]"
        f"{attitude.score} {attitude.title}[/]{satisfaction}"
    )


def _parts(inspection: Inspection) -> Iterator[RenderableType]:
    if inspection.recording and inspection.recording.reasons:
        yield Text(f"⚠ 录音质量{inspection.recording.title}", style="yellow")
    for warning in inspection.warnings:
        yield Text(f"⚠ {mask(warning, inspection.order)}", style="yellow")
    yield _dialogue(inspection)
    yield Text()
    yield _checklist(inspection)
    for finding in inspection.behaviours:
        yield Text.assemble(
            ("✗ 违规 ", "bold red"),
            (f"{finding.title}（{SEVERITY_TITLES[finding.severity]}）", "red"),
            f" 把握 {finding.confidence:.0%}　建议改说：",
            (finding.instead, "green"),
        )
    for signal in inspection.citizen:
        yield Text.assemble(("! 市民信号 ", "bold magenta"), f"{signal.title}　{signal.advice}")
    if inspection.praise:
        titles = "、".join(dict.fromkeys(p.title for p in inspection.praise))
        yield Text.assemble(("★ 做得好 ", "bold green"), titles)
    sound = [
        f"{title} {figure.text}"
        for title, figure in (("抢话", inspection.overtalk), ("静默", inspection.dead_air))
        if figure is not None
    ]
    if sound:
        yield Text("　".join(sound), style="dim")
    if inspection.attitude.reasons:
        reasons = "；".join(f"{r.text} {r.points:+g}" for r in inspection.attitude.reasons)
        yield Text(f"态度分 = 100 {'；' if reasons else ''}{reasons}", style="dim")


def _dialogue(inspection: Inspection) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1), expand=True)
    table.add_column(style="dim", no_wrap=True, width=6)
    table.add_column(no_wrap=True, width=6)
    table.add_column(ratio=1)
    marks = _marks(inspection)
    for turn in inspection.transcript.turns:
        role = Text(ROLE_TITLES[turn.role], style="cyan" if turn.is_agent else "magenta")
        said = Text(("（抢话）" if turn.overlap else "") + mask(turn.text, inspection.order))
        for text, style in marks.get(turn.index, ()):
            said.append(f"  ◀ {text}", style=style)
        table.add_row(_clock(turn), role, said)
    return table


def _clock(turn: Turn) -> str:
    if turn.start is None:
        return str(turn.index)
    return f"{int(turn.start) // 60:02d}:{int(turn.start) % 60:02d}"


def _marks(inspection: Inspection) -> dict[int, list[tuple[str, str]]]:
    marks: dict[int, list[tuple[str, str]]] = {}
    for element in inspection.elements:
        if element.status in ("met", "partial"):
            style = STATUS_STYLES[element.status]
            for index in sorted({q.turn.index for q in element.evidence}):
                marks.setdefault(index, []).append((element.title, style))
    for behaviour in inspection.behaviours:
        for index in behaviour.turns:
            marks.setdefault(index, []).append((behaviour.title, "bold red"))
    for signal in inspection.citizen:
        for index in signal.turns:
            marks.setdefault(index, []).append((signal.title, "bold magenta"))
    return marks


def _checklist(inspection: Inspection) -> Table:
    table = Table(box=box.SIMPLE_HEAD, expand=True)
    table.add_column("话术要素", no_wrap=True)
    table.add_column("结果", no_wrap=True)
    table.add_column("缺什么 → 规范用语", ratio=1)
    for element in inspection.elements:
        status = Text(
            f"{STATUS_SIGNS[element.status]} {STATUS_TITLES[element.status]}",
            style=STATUS_STYLES[element.status],
        )
        table.add_row(element.title, status, _advice(element))
    return table


def _advice(element: ElementFinding) -> Text:
    if element.status not in ("partial", "missing"):
        return Text()
    lacking = "、".join(element.lacking)
    return Text.assemble((f"{lacking}　→ " if lacking else "→ ", "yellow"), element.advice)


def _count_row(table: Table, title: str, counts: Counts) -> None:
    table.add_row(
        title,
        f"{counts.f1:.3f}",
        f"{counts.precision:.3f}",
        f"{counts.recall:.3f}",
        f"{counts.hit} / {counts.false} / {counts.missed}",
    )
