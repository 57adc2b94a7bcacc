"""`hotline-qc coach`: coaching reports from the results of a spot check."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qc.catalogue import DEFAULT_PROFILE
from qc.commands.common import ProfileName, console
from qc.errors import QcError

if TYPE_CHECKING:
    from qc.coaching.habits import Moment
    from qc.coaching.report import CoachingReport, HeardCall
    from qc.documents import Format

Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="日期，如 2024-06-01。")]


def coach(
    results: Annotated[Path, typer.Argument(help="batch 的结果文件夹。")],
    handler: Annotated[str, typer.Option(help="只看这位经办人。")] = "",
    department: Annotated[str, typer.Option(help="只看这个部门。")] = "",
    training: Annotated[Path | None, typer.Option(help="培训文件（YAML）：对比培训前后。")] = None,
    since: Day = None,
    until: Day = None,
    out: Annotated[Path, typer.Option(help="报告写到哪个文件夹。")] = Path("coaching"),
    format: Annotated[str, typer.Option(help="格式：html、docx、pdf，用逗号隔开。")] = "html,docx",
    recordings: Annotated[
        Path | None, typer.Option(help="录音所在文件夹；给出则剪出可听的片段。")
    ] = None,
    profile: ProfileName = DEFAULT_PROFILE,
    seed: Annotated[int, typer.Option(help="测验选题的随机种子。")] = 0,
    unmasked: Annotated[
        bool, typer.Option("--unmasked", help="接受没有隐去个人信息的结果（慎用）。")
    ] = False,
) -> None:
    """辅导报告：长处、最值得改的三个习惯、优秀案例、练习单和测验。"""
    from qc.catalogue import load_catalogue
    from qc.coaching.documents import write_coaching
    from qc.coaching.report import Subject, coach, read_training

    subject = Subject(department, handler, read_training(training) if training else None)
    formats = _formats(format)
    first, last = (day.date() if day else None for day in (since, until))
    calls = list(_calls(results, first, last))
    report = coach(calls, subject, load_catalogue(profile=profile), seed=seed, unmasked=unmasked)
    clips = _cut(report, recordings, out) if recordings and "html" in formats else {}
    written = write_coaching(
        report,
        out,
        made_on=date.today(),
        formats=formats,
        links=_links(results, out),
        clips=clips,
    )
    screen = console()
    habits = "、".join(habit.title for habit in report.habits) or "没有"
    screen.print(
        f"{subject.title}：{report.figures.calls} 通；最值得改的：{habits}。", highlight=False
    )
    if recordings and "html" in formats:
        moments = len({moment.key for moment in _moments(report) if moment.turn is not None})
        screen.print(f"{moments} 处可听的地方，剪出 {len(clips)} 段录音。", highlight=False)
    for path in written:
        screen.print(str(path), highlight=False, markup=False, soft_wrap=True)


def _formats(text: str) -> list[Format]:
    from qc.coaching.documents import FORMATS

    asked = [word.strip().lower() for word in text.replace("，", ",").split(",") if word.strip()]
    known = [wanted for wanted in FORMATS if wanted in asked]
    if not asked or len(known) < len(set(asked)):
        raise QcError(f"不认识格式“{text}”", f"可用的有：{'、'.join(FORMATS)}")
    return known


def _calls(results: Path, since: date | None, until: date | None) -> Iterator[HeardCall]:
    """Inspected calls of the period; without a bound, those without a day, too."""
    from qc.batch import read_results
    from qc.coaching.report import HeardCall

    for row in read_results(results):
        call = HeardCall.of_row(row)
        early = since is not None and (call.on is None or call.on < since)
        late = until is not None and (call.on is None or call.on > until)
        if not early and not late:
            yield call


def _links(results: Path, out: Path) -> str:
    """How the folder of results is reached from the reports."""
    import os

    return Path(os.path.relpath(results.resolve(), out.resolve())).as_posix() + "/"


def _moments(report: CoachingReport) -> list[Moment]:
    found = [moment for habit in report.habits for moment in habit.moments]
    found += [habit.example for habit in report.habits if habit.example]
    return found + [strength.moment for strength in report.strengths if strength.moment]


def _cut(report: CoachingReport, recordings: Path, out: Path) -> dict[str, str]:
    """Cut a clip of each moment whose recording is there; paths as seen from `out`."""
    from qc.audio import read_recording
    from qc.coaching.clips import cut_clip
    from qc.coaching.habits import turns_of

    clips: dict[str, str] = {}
    wanted = [m for m in _moments(report) if m.start is not None and m.turn is not None]
    files = _by_content(recordings, {m.row.sha256 for m in wanted})
    for moment in wanted:
        turns, path = turns_of(moment.row), files.get(moment.row.sha256)
        if path is None or not turns or moment.turn is None:
            continue
        name = f"clips/{moment.key}.m4a"
        first = max(0, moment.turn - 1)  # with what was said just before
        try:
            cut_clip(read_recording(path), turns, first, moment.turn, out / name)
        except QcError:  # this one cannot be cut: the report has the words all the same
            continue
        clips[moment.key] = name
    return clips


def _by_content(folder: Path, wanted: Sequence[str] | set[str]) -> Mapping[str, Path]:
    """Recordings by the hash of their content: names may be masked in the results."""
    from qc.manifest import find_items, is_file

    found: dict[str, Path] = {}
    for item in find_items(folder):
        if is_file(item.recording):
            with item.recording.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest in wanted:
                found[digest] = item.recording
    return found
