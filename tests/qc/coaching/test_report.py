"""Coaching reports: what they advise, that it is true, and what the reader sees."""

import re
import shutil
import subprocess
from datetime import date
from io import BytesIO
from pathlib import Path

import docx
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from models.judge.classifier import load_classifier
from qc.audio import read_recording
from qc.batch import RESULTS
from qc.catalogue import load_catalogue
from qc.coaching.documents import coaching_charts, write_coaching
from qc.coaching.habits import HABITS, MOMENTS
from qc.coaching.practice import DIALOGUES, practice_sheet
from qc.coaching.quiz import quiz
from qc.coaching.report import CoachingReport, HeardCall, Subject, Training, coach
from qc.commands.coach import coach as coach_command
from qc.commands.common import speaks_plainly
from qc.errors import QcError
from qc.inspect import inspect_call
from qc.order import Call, CallKind, read_call, read_lines
from qc.report import Row
from qc.results import Results
from tests.qc.spot_checks import CORPUS, FILES, spot_check

pytestmark = pytest.mark.filterwarnings("error:Glyph")
TRAINING = Training(title="半年培训", held_on=date(2024, 5, 15), topics=("fc.procedure", "bh.rude"))
MADE_ON = date(2024, 7, 1)
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def report() -> CoachingReport:
    subject = Subject("城管中队", "李敏", TRAINING)
    return coach(spot_check(), subject, load_catalogue(), seed=1)


def rows_of(report: CoachingReport) -> list[Row]:
    return [call.row for call in spot_check() if report.subject.includes(call.row)]


def test_three_habits_at_most_the_dearest_first(report: CoachingReport) -> None:
    costs = [habit.cost for habit in report.habits]
    assert len(costs) == HABITS
    assert costs == sorted(costs, reverse=True)


def test_every_moment_of_a_habit_is_a_call_that_has_it(report: CoachingReport) -> None:
    own = {row.id for row in rows_of(report)}
    for habit in report.habits:
        assert 1 <= len(habit.moments) <= MOMENTS
        assert habit.calls <= habit.of <= len(own)
        for moment in habit.moments:
            found = moment.row.verdict
            assert moment.row.id in own and found is not None
            if habit.family == "behaviour":
                shown = next(b for b in found.behaviours if b.id == habit.id)
                assert moment.said in [quote.text for quote in shown.quotes]
            else:
                assert found.elements[habit.id].status in ("missing", "partial")
                assert moment.said or moment.note


def test_a_habit_cites_its_clause_and_says_what_to_say(report: CoachingReport) -> None:
    for habit in report.habits:
        assert habit.instead and habit.clause and habit.document


def test_the_example_to_follow_is_a_call_that_met_the_element() -> None:
    seen = 0
    for handler in ("陈刚", "吴琳", "周涛", "孙悦"):
        found = coach(spot_check(), Subject(handler=handler), load_catalogue())
        for habit in found.habits:
            if habit.example is not None:
                seen += 1
                verdict = habit.example.row.verdict
                assert verdict is not None and verdict.elements[habit.id].status == "met"
                assert habit.example.row.handler != handler
    assert seen


def test_model_calls_have_no_lapse_of_conduct(report: CoachingReport) -> None:
    assert report.examples
    for example in report.examples:
        found = example.row.verdict
        assert found is not None and found.score >= 90 and not found.behaviours
        assert example.own == report.subject.includes(example.row)


def test_progress_compares_the_time_before_and_since_the_training(report: CoachingReport) -> None:
    days = [c.on for c in spot_check() if c.on and report.subject.includes(c.row)]
    counted = report.progress[0]
    assert int(counted.before) == sum(day < TRAINING.held_on for day in days)
    assert int(counted.since) == sum(day > TRAINING.held_on for day in days)
    assert [p.title for p in report.progress[-2:]] == [
        "先行·告知办理程序（做到率）",
        "态度粗暴（出现率）",
    ]


def test_a_report_on_those_trained_is_about_them_only() -> None:
    some = Training(title="新员工培训", held_on=date(2024, 5, 1), people=("李敏", "陈刚"))
    found = coach(spot_check(), Subject(training=some), load_catalogue())
    assert {row["handler"] for row in found.people} == {"李敏", "陈刚"}
    assert found.others is not None
    assert found.figures.calls + found.others.calls == len(spot_check())


def test_nobody_is_compared_with_themselves() -> None:
    found = coach(spot_check(), Subject(), load_catalogue())
    assert found.others is None
    assert all(share.others is None for share in found.elements)


def test_unknown_people_and_results_with_personal_data_are_refused() -> None:
    with pytest.raises(QcError, match="没有“城管中队 无此人”的通话"):
        coach(spot_check(), Subject("城管中队", "无此人"), load_catalogue())
    open_call = HeardCall(spot_check()[0].row.model_copy(update={"unmasked": True}), None)
    with pytest.raises(QcError, match="没有隐去个人信息"):
        coach([open_call], Subject(), load_catalogue())


@pytest.mark.parametrize("kind", list(CallKind))
def test_the_practice_dialogues_are_calls_that_meet_every_element(kind: CallKind) -> None:
    from qc.catalogue import read_yaml

    script = read_yaml(DIALOGUES)[kind.value]
    turns = [{"role": line["role"], "text": line["text"]} for line in script["lines"]]
    call = Call.model_validate({"kind": kind, "order": script["order"], "turns": turns})
    found = inspect_call(call, load_catalogue(), load_classifier())
    assert {e.status for e in found.elements} <= {"met", "not_applicable"}
    assert not found.behaviours
    assert found.score == 100
    practised = {line["element"] for line in script["lines"] if line.get("element")}
    assert practised == {e.id for e in found.elements if e.status == "met"}


def test_the_gaps_are_where_the_habits_are() -> None:
    sheet = practice_sheet(CallKind.REPLY, {"rp.solicit_opinion"}, ["bh.shirk"], load_catalogue())
    assert "征询意见" in {line.element for line in sheet.gaps}
    assert [line.gap for line in sheet.gaps] == list(range(1, len(sheet.gaps) + 1))
    assert sheet.situations and all(s.behaviour == "推诿" for s in sheet.situations)


def test_the_quiz_is_reproducible_and_its_answers_are_the_catalogues() -> None:
    catalogue = load_catalogue()
    questions = quiz(catalogue, seed=7, about={"bh.rude"})
    assert questions == quiz(catalogue, seed=7, about={"bh.rude"})
    assert questions != quiz(catalogue, seed=8, about={"bh.rude"})
    assert len(set(questions)) == len(questions) == 10
    assert questions[0].rule == "bh.rude"
    good = {
        example if isinstance(example, str) else example.text
        for rule in (*catalogue.behaviours, *catalogue.facets.values())
        for example in (rule.examples.no if rule.id.startswith("bh.") else rule.examples.yes)
    }
    for question in questions:
        assert len(set(question.choices)) == len(question.choices)
        if len(question.choices) > 2 or question.choices[0] != "属于":
            assert question.choices[question.answer] in good


@pytest.fixture(scope="module")
def written(report: CoachingReport, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("coaching")
    files = write_coaching(report, folder, made_on=MADE_ON, links="../result/")
    return {path.suffix[1:]: path for path in files}


def test_the_page_needs_nothing_from_outside_and_describes_its_charts(
    written: dict[str, Path],
) -> None:
    page = written["html"].read_text(encoding="utf-8")
    assert not re.search(r"https?://|<script|@import|url\(", page)
    assert page.count("<img") == page.count('alt="')
    assert "2024年7月1日" in page and "最值得改的三个习惯" in page


def test_personal_data_is_in_none_of_the_forms(
    written: dict[str, Path], report: CoachingReport
) -> None:
    page = written["html"].read_text(encoding="utf-8").split("练习单")[0]
    words = "\n".join(p.text for p in docx.Document(str(written["docx"])).paragraphs)
    words = words.split("附件")[0]
    for file in FILES:
        for _, line in read_lines(CORPUS / file):
            name = read_call(line, file).order.petitioner
            assert not name or (name not in page and name not in words)


def test_the_word_document_is_whole_and_has_its_charts(
    written: dict[str, Path], report: CoachingReport
) -> None:
    document = docx.Document(str(written["docx"]))
    text = "\n".join(p.text for p in document.paragraphs)
    assert "{{" not in text and "{%" not in text
    for habit in report.habits:
        assert habit.title in text and habit.instead in text
    assert text.rstrip().endswith("）") and "参考用语和答案" in text
    assert len(document.inline_shapes) == 2
    tables = [[cell.text for cell in row.cells] for t in document.tables for row in t.rows]
    assert ["话术得分", f"{report.figures.script_score:.1f}"] in [row[:2] for row in tables]


def test_signs_that_xml_minds_do_not_cut_the_word_document_short(tmp_path: Path) -> None:
    call = spot_check()[0]
    row = call.row.model_copy(update={"handler": "<李&敏>", "department": '甲"乙'})
    found = coach([HeardCall(row, call.on)], Subject(handler="<李&敏>"), load_catalogue())
    (path,) = write_coaching(found, tmp_path, made_on=MADE_ON, formats=["docx"])
    text = "\n".join(p.text for p in docx.Document(str(path)).paragraphs)
    assert "<李&敏>" in text and "附件：测验" in text


def test_the_pdf_has_pages_with_ink(written: dict[str, Path], tmp_path: Path) -> None:
    assert written["pdf"].read_bytes().startswith(b"%PDF-")
    if shutil.which("pdftoppm") is None:
        pytest.skip("poppler-utils is not installed")
    subprocess.run(
        ["pdftoppm", "-r", "40", "-png", str(written["pdf"]), str(tmp_path / "page")], check=True
    )
    pages = sorted(tmp_path.glob("page*.png"))
    assert 4 <= len(pages) <= 12
    for page in pages:
        with Image.open(page) as image:
            dark = sum(image.convert("L").histogram()[:128])
            assert dark > 200, f"{page.name} is empty"


def test_charts_are_readable_pictures_with_words(report: CoachingReport) -> None:
    charts = coaching_charts(report)
    assert set(charts) == {"elements", "weeks"}
    for chart in charts.values():
        with Image.open(BytesIO(chart.png)) as image:
            assert image.width >= 1200
        assert chart.text.startswith(chart.title)


def test_the_command_cuts_clips_and_writes_reports(tmp_path: Path) -> None:
    results, out = tmp_path / "result", tmp_path / "reports"
    results.mkdir()
    recording = read_recording(ROOT / "samples/recordings/03-先行联系-态度粗暴挂断.wav")
    call = spot_check()[_worst()]
    turns = [
        {"role": t.role.value, "text": t.text, "start": 2.0 * i, "end": 2.0 * i + 1.5}
        for i, t in enumerate(_turns(call.row)[:8])
    ]
    assert call.row.verdict is not None
    verdict = call.row.verdict.model_copy(update={"turns": turns})
    row = call.row.model_copy(
        update={"verdict": verdict, "sha256": recording.sha256, "order_id": "20240611-1"}
    )
    with Results(results / RESULTS, unmasked=False) as stored:
        stored.append(row)
    app = typer.Typer()
    app.command()(speaks_plainly(coach_command))
    arguments = [str(results), "--out", str(out), "--since", "2024-06-01", "--format", "html"]
    arguments += ["--recordings", str(ROOT / "samples" / "recordings")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    (page,) = out.glob("*.html")
    clips = list((out / "clips").glob("*.m4a"))
    assert clips
    assert all(f'src="clips/{clip.name}"' in page.read_text(encoding="utf-8") for clip in clips)
    assert read_recording(clips[0]).seconds > 1
    none = CliRunner().invoke(app, [*arguments, "--handler", "无此人"])
    assert (none.exit_code, "Traceback" in none.output) == (2, False)


def _turns(row: Row):
    from qc.coaching.habits import turns_of

    return turns_of(row)


def _worst() -> int:
    """A call with a behaviour in one of its first turns, after one of the citizen's."""
    for i, call in enumerate(spot_check()):
        found = call.row.verdict
        if found and any(0 < q.turn < 8 for b in found.behaviours for q in b.quotes[:1]):
            return i
    raise AssertionError("no such call")
