"""An evaluation for people: tables on the terminal, and one page without scripts or addresses."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table as Grid

from qc.catalogue import Catalogue
from qc.inspection import SATISFACTION_TITLES, STATUS_TITLES
from qc.quality.assessment import COVERED, NONE, Assessment, Interval, Table, changes
from qc.quality.evaluation import FIGURES, LOWER_IS_BETTER, Counts, Mistake
from qc.report import page_templates

Family = Literal["element", "behaviour", "signal"]
FAMILY_TITLES: Mapping[Family, str] = {
    "element": "话术要素",
    "behaviour": "禁止行为",
    "signal": "市民信号",
}
STATUSES = {str(status): title for status, title in STATUS_TITLES.items()}
SATISFACTIONS = {str(value): title for value, title in SATISFACTION_TITLES.items()}
RULE_WIDTH = 34  # of the terminal's column
NOTABLE_FALL = 0.03  # of a figure under distortion, from which on it is marked


@dataclass(frozen=True)
class RuleQuality:
    """One rule's line. `counts` are of defects where the rule is an element."""

    family: Family
    id: str
    title: str
    counts: Counts
    interval: Interval | None  # of F1
    accuracy: float | None = None  # of an element's status


def rule_lines(assessment: Assessment, catalogue: Catalogue) -> list[RuleQuality]:
    """Elements, behaviours and signals that were met or labelled, in the catalogue's order."""
    quality, intervals = assessment.quality, assessment.intervals
    titles = rule_titles(catalogue)
    lines = [
        RuleQuality(
            "element", rule, titles.get(rule, rule), counts,
            intervals.get(f"{rule} defects"), quality.by_element[rule],
        )
        for rule, counts in quality.defects_by_element.items()
    ]  # fmt: skip
    families: tuple[tuple[Family, Mapping[str, Counts]], ...] = (
        ("behaviour", quality.by_behaviour),
        ("signal", quality.by_signal),
    )
    for family, table in families:
        lines += [
            RuleQuality(family, rule, titles.get(rule, rule), counts, intervals.get(rule))
            for rule, counts in table.items()
        ]
    return lines


def rule_titles(catalogue: Catalogue) -> dict[str, str]:
    """Chinese title of every rule that can be evaluated."""
    elements = {rule.id: rule.title for rules in catalogue.elements.values() for rule in rules}
    behaviours = {rule.id: rule.title for rule in catalogue.behaviours}
    signals = {rule.id: rule.title for rule in catalogue.signals}
    return elements | behaviours | signals | {"satisfaction": "满意度"}


def show_assessment(screen: Console, assessment: Assessment, catalogue: Catalogue) -> None:
    """Print every table."""
    _show_figures(screen, assessment)
    _show_rules(screen, rule_lines(assessment, catalogue))
    confusion, titles = assessment.confusion, rule_titles(catalogue)
    _show_table(screen, "要素状态：标注（行）判为（列）", confusion.statuses, STATUSES)
    _show_taken(screen, confusion.behaviours, titles | {NONE: "无"})
    _show_table(screen, "满意度：标注（行）判为（列）", confusion.satisfaction, SATISFACTIONS)
    if assessment.robustness:
        _show_robustness(screen, assessment)


def show_mistakes(screen: Console, mistakes: Sequence[Mistake], catalogue: Catalogue) -> None:
    """List every disagreement with the words."""
    titles, words = rule_titles(catalogue), STATUSES | SATISFACTIONS
    for m in mistakes:
        rule, found = titles.get(m.rule, m.rule), words.get(m.found, m.found)
        told = (
            f"{m.call_id}  {rule}（{m.rule}）判为{found}，标注{words.get(m.labelled, m.labelled)}"
        )
        screen.print(f"{told}：{m.quote}", highlight=False, markup=False, soft_wrap=True)


def _between(interval: Interval | None) -> str:
    return f"{interval.low:.3f}–{interval.high:.3f}" if interval else "—"


def _grid(title: str, first: str, *others: str) -> Grid:
    grid = Grid(title=title, box=box.SIMPLE_HEAD)
    grid.add_column(first, no_wrap=True, max_width=RULE_WIDTH)
    for other in others:
        grid.add_column(other, justify="right", no_wrap=True)
    return grid


def _show_figures(screen: Console, assessment: Assessment) -> None:
    quality = assessment.quality
    title = f"质量评测（{quality.calls} 通，其中无违规 {quality.clean_calls} 通）"
    grid = _grid(title, "项目", "数值", f"{COVERED:.0%} 区间")
    for name, value in quality.figures.items():
        grid.add_row(FIGURES[name], f"{value:.3f}", _between(assessment.intervals.get(name)))
    screen.print(grid)


def _show_rules(screen: Console, lines: Sequence[RuleQuality]) -> None:
    columns = ("状态准确", "F1", "区间", "精确率", "召回率", "对/误/漏")
    grid = _grid("逐项（要素计缺陷）", "规则", *columns)
    for place, line in enumerate(lines):
        counts = line.counts
        last = place + 1 == len(lines) or lines[place + 1].family != line.family
        grid.add_row(
            f"{line.id} {line.title}",
            "" if line.accuracy is None else f"{line.accuracy:.3f}",
            f"{counts.f1:.3f}",
            _between(line.interval),
            f"{counts.precision:.3f}",
            f"{counts.recall:.3f}",
            f"{counts.hit}/{counts.false}/{counts.missed}",
            end_section=last,
        )
    screen.print(grid)


def _show_table(screen: Console, title: str, table: Table, titles: Mapping[str, str]) -> None:
    if not table:
        return
    grid = _grid(title, "", *titles.values())
    for labelled, name in titles.items():
        grid.add_row(name, *(str(table.get((labelled, found), 0)) for found in titles))
    screen.print(grid)


def _show_taken(screen: Console, table: Table, titles: Mapping[str, str]) -> None:
    grid = _grid("禁止行为：判错的", "标注", "判为", "次数")
    wrong = [(pair, count) for pair, count in table.items() if pair[0] != pair[1]]
    for (labelled, found), count in sorted(wrong, key=lambda row: (-row[1], row[0])):
        grid.add_row(titles.get(labelled, labelled), titles.get(found, found), str(count))
    if wrong:
        screen.print(grid)


def _show_robustness(screen: Console, assessment: Assessment) -> None:
    grid = _grid("换一种写法：与原文相比的变化", "项目", "原文", *assessment.robustness)
    found = [changes(assessment.quality, quality) for quality in assessment.robustness.values()]
    for name, value in assessment.quality.figures.items():
        differences = [f"{change[name][1]:+.3f}" for change in found]
        grid.add_row(FIGURES[name], f"{value:.3f}", *differences)
    screen.print(grid)


def quality_page(
    assessment: Assessment, catalogue: Catalogue, *, made_on: date, source: str = ""
) -> str:
    """The evaluation as one page of HTML; `source` names the labelled files."""
    titles = rule_titles(catalogue)
    mistakes: dict[str, list[Mistake]] = defaultdict(list)
    for mistake in assessment.quality.mistakes:
        mistakes[mistake.rule].append(mistake)
    behaviours = {rule.id: rule.title for rule in catalogue.behaviours} | {NONE: "无"}
    return (
        page_templates()
        .get_template("quality.html.jinja")
        .render(
            assessment=assessment,
            quality=assessment.quality,
            figures=FIGURES,
            lower_is_better=LOWER_IS_BETTER,
            covered=COVERED,
            notable=NOTABLE_FALL,
            lines=rule_lines(assessment, catalogue),
            families=FAMILY_TITLES,
            confusion=assessment.confusion,
            behaviours=behaviours,
            robustness={
                title: changes(assessment.quality, quality)
                for title, quality in assessment.robustness.items()
            },
            mistakes=mistakes,
            titles=titles,
            words=STATUSES | SATISFACTIONS,
            made_on=made_on,
            source=source,
        )
    )
