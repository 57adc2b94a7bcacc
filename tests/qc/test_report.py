"""Pages and workbook: what a reader finds in them, and what must not be in them."""

import re
from collections.abc import Iterator
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import openpyxl
import pytest

from models.judge.classifier import load_classifier
from qc.catalogue import load_catalogue
from qc.inspect import inspect_call, inspect_transcript
from qc.inspection import Inspection
from qc.order import CallKind, Order, read_call, read_lines
from qc.report import Row, call_page, clock, duration, verdict, write_summary
from qc.transcript import Role, Transcript, Turn
from qc.workbook import write_workbook

CALLS = Path(__file__).parents[2] / "samples" / "corpus" / "dev-a.jsonl"
VOID = {"meta", "br", "link", "img", "input", "hr"}
OUTSIDE = re.compile(r"https?://|//[a-z]+\.|<script|@import|url\(", re.IGNORECASE)
HOSTILE = '<script>alert(1)</script>&"\'=HYPERLINK("x")'


class Balanced(HTMLParser):
    """Checks that every element is closed, and collects ids and local links."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            assert values["id"] not in self.ids
            self.ids.add(str(values["id"]))
        if values.get("href"):
            self.links.append(str(values["href"]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open[-1] != "style":
            self.words += f"|{data.strip()}"


def read_page(html: str) -> Balanced:
    page = Balanced()
    page.feed(html)
    page.close()
    assert not page.open
    assert not OUTSIDE.search(html)
    return page


def inspections(*numbers: int) -> Iterator[Inspection]:
    for number, line in read_lines(CALLS):
        if number in numbers:
            yield inspect_call(read_call(line, ""), load_catalogue(), load_classifier())


@pytest.fixture(scope="module")
def rude() -> Inspection:
    """A first contact with several prohibited behaviours and missing elements."""
    return next(inspections(8))


def row(inspection: Inspection, name: str, **more: object) -> Row:
    values = {
        "id": name,
        "key": name,
        "recording": f"{name}.wav",
        "status": "ok",
        "page": f"calls/{name}.html",
        "kind": inspection.kind,
        "department": inspection.order.department or "",
        "seconds": 61.0,
        "verdict": verdict(inspection),
    }
    return Row.model_validate(values | more)


def test_a_call_page_shows_every_finding_with_its_words_and_the_phrase_to_use(
    rude: Inspection,
) -> None:
    page = read_page(call_page(rude, recording="a.wav", seconds=80))
    assert rude.behaviours
    for behaviour in rude.behaviours:
        assert behaviour.title in page.words
        assert behaviour.instead in page.words
    lapses = [e for e in rude.elements if e.status in ("partial", "missing")]
    assert lapses
    for element in lapses:
        assert element.title in page.words and element.advice in page.words
    for reason in rude.attitude.reasons:
        assert reason.text in page.words
    assert "1分20秒" in page.words


def test_links_of_a_call_page_lead_to_its_turns(rude: Inspection) -> None:
    page = read_page(call_page(rude))
    targets = [link.removeprefix("#") for link in page.links]
    assert targets and set(targets) <= page.ids


def test_findings_stand_at_their_turn(rude: Inspection) -> None:
    html = call_page(rude)
    said = rude.behaviours[0].quotes[0]
    turn = html.split(f'id="t{said.turn.index}"')[1].split('id="t')[0]
    assert rude.behaviours[0].title in turn


def test_a_page_tells_whether_the_order_agrees() -> None:
    order = Order(petitioner="顾海峰", reported_on=date(2024, 6, 11), address="南泉新苑12号501室")
    turns = (Turn(0, Role.AGENT, "您在6月18号反映了问题，地址是南泉新苑12号501室对吗？", 1.0, 5.0),)
    inspection = inspect_transcript(
        Transcript(turns), CallKind.FIRST_CONTACT, order, load_catalogue(), None
    )
    words = read_page(call_page(inspection)).words
    table = words.split("与工单核对")[1].split("话术要素一览")[0]
    cells = dict(re.findall(r"(诉求人|反映日期|地址)\|.*?([✓✗] \w+|没有说到)", table))
    assert cells == {"诉求人": "没有说到", "反映日期": "✗ 不一致", "地址": "✓ 一致"}
    assert "501" not in words and "海峰" not in words


def test_personal_data_shows_only_when_asked_for() -> None:
    order = Order(petitioner="顾海峰", address="南泉新苑12号501室", order_id="X1")
    turns = (
        Turn(0, Role.AGENT, "请问是顾海峰先生吗？"),
        Turn(1, Role.CITIZEN, "对，我住501，电话一三八一二三四五六七八。"),
    )
    inspection = inspect_transcript(
        Transcript(turns), CallKind.FIRST_CONTACT, order, load_catalogue(), None
    )
    secrets = ("海峰", "501", "一三八一二", "13912345678")
    shown = call_page(inspection, recording="X1_13912345678.wav")
    full = call_page(inspection, recording="X1_13912345678.wav", unmasked=True)
    assert not [s for s in secrets if s in shown + verdict(inspection).model_dump_json()]
    assert all(s in full for s in secrets)
    assert "个人信息已隐去" in shown and "请勿外传" in full


def test_what_was_said_cannot_become_markup_or_formula(tmp_path: Path) -> None:
    turns = (Turn(0, Role.AGENT, f"投诉去好了{HOSTILE}"), Turn(1, Role.CITIZEN, HOSTILE))
    inspection = inspect_transcript(
        Transcript(turns),
        CallKind.REPLY,
        Order(order_id=HOSTILE, department="=1+1", handler=HOSTILE),
        load_catalogue(),
        None,
        warnings=(HOSTILE,),
    )
    assert inspection.behaviours
    page = read_page(call_page(inspection, recording=HOSTILE))
    assert HOSTILE in page.words
    rows = [row(inspection, "a", recording="=1+1.wav", handler=HOSTILE, department="=1+1")]
    write_summary(rows, tmp_path / "s.html", made_on=date(2026, 1, 2))
    assert HOSTILE in read_page((tmp_path / "s.html").read_text()).words
    write_workbook(rows, tmp_path / "r.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "r.xlsx")["总表"]
    assert (sheet["A2"].value, sheet["A2"].data_type) == ("=1+1.wav", "s")


def test_a_silent_call_has_a_page() -> None:
    silent = inspect_transcript(
        Transcript(()), CallKind.FIRST_CONTACT, Order(), load_catalogue(), None
    )
    assert "没有听到说话" in read_page(call_page(silent)).words


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Ten calls of two handlers of two departments, one in vain and one with an error."""
    found = [
        row(inspection, f"{i:02}", handler=("李敏", "周建")[i % 2], department=f"{i % 2}科")
        for i, inspection in enumerate(inspections(1, 2, 8, 11, 12, 29, 31, 32, 36, 48))
    ]
    broken = Row(id="x", key="", recording="坏.wav", status="failed", reason="录音文件是空的")
    return [*found, broken, broken.model_copy(update={"recording": "错.wav", "status": "error"})]


def test_the_summary_counts_what_the_rows_say(rows: list[Row], tmp_path: Path) -> None:
    write_summary(rows, tmp_path / "summary.html", made_on=date(2026, 1, 2), source="抽检")
    page = read_page((tmp_path / "summary.html").read_text(encoding="utf-8"))
    found = [r.verdict for r in rows if r.verdict]
    words = re.sub(r"\s+", " ", page.words)
    assert f"已检查|{len(found)}|通" in words and "另有 2 段未能检查" in words
    mean = sum(v.score for v in found) / len(found)
    assert f"平均总分|{mean:.1f}" in words
    assert f"有禁止行为|{sum(bool(v.behaviours) for v in found)}|通" in words
    greetings = [v.elements["fc.greeting"].status for v in found if "fc.greeting" in v.elements]
    applicable = [s for s in greetings if s != "not_applicable"]
    assert f"{greetings.count('met')}/{len(applicable)}" in words
    assert "录音文件是空的" in words and "2026年1月2日" in words
    for r in rows:
        assert r.recording in words
        assert not r.page or r.page in page.links
    for who in ("0科 · 李敏", "1科 · 周建"):
        assert who in words


def test_the_worst_calls_come_first_and_are_ten_at_most(rows: list[Row], tmp_path: Path) -> None:
    many = [r.model_copy(update={"id": f"{r.id}{n}"}) for r in rows for n in range(3)]
    write_summary(many, tmp_path / "summary.html", made_on=date(2026, 1, 2))
    html = (tmp_path / "summary.html").read_text(encoding="utf-8")
    table = html.split("得分最低的 10 通")[1].split("</table>")[0]
    scores = [int(s) for s in re.findall(r'<b class="chip \w+">(\d+)</b>', table)]
    assert len(scores) == 10
    assert scores == sorted(r.verdict.score for r in many if r.verdict)[:10]


def test_a_summary_of_nothing_is_a_page(tmp_path: Path) -> None:
    write_summary([], tmp_path / "summary.html", made_on=date(2026, 1, 2))
    assert "没有检查成功的录音" in read_page((tmp_path / "summary.html").read_text()).words


def test_the_workbook_has_four_sheets_with_header_filter_and_all_rows(
    rows: list[Row], tmp_path: Path
) -> None:
    write_workbook(rows, tmp_path / "results.xlsx")
    book = openpyxl.load_workbook(tmp_path / "results.xlsx")
    assert book.sheetnames == ["总表", "要素", "违规", "市民信号"]
    for sheet in book:
        assert sheet.freeze_panes == "B2"
        assert sheet.auto_filter.ref.startswith("A1:")
        assert sheet.column_dimensions["A"].width > 20
    tables = {
        sheet.title: [
            dict(zip([c.value for c in sheet[1]], [c.value for c in line], strict=True))
            for line in sheet.iter_rows(min_row=2)
        ]
        for sheet in book
    }
    overview = {line["录音"]: line for line in tables["总表"]}
    assert len(overview) == len(rows)
    for r in rows:
        line = overview[r.recording]
        if r.verdict is None:
            assert line["未能检查的原因"] == r.reason and line["总分"] is None
            continue
        assert line["总分"] == r.verdict.score
        assert (line["禁止行为"] or "") == "、".join(b.title for b in r.verdict.behaviours)
        assert line["逐通报告"] == "打开"
    found = [r.verdict for r in rows if r.verdict]
    assert len(tables["要素"]) == sum(len(v.elements) for v in found)
    assert len(tables["违规"]) == sum(len(b.quotes) for v in found for b in v.behaviours)
    assert len(tables["市民信号"]) == sum(len(s.quotes) for v in found for s in v.citizen)
    assert all(line["原话"] and line["应改说"] for line in tables["违规"])


@pytest.mark.parametrize(
    ("seconds", "position", "length"),
    [
        (None, "", "时长不明"),
        (0.0, "0:00", "0秒"),
        (65.4, "1:05", "1分5秒"),
        (7322, "122:02", "2小时2分"),
    ],
)
def test_times_are_written_for_people(seconds: float | None, position: str, length: str) -> None:
    assert (clock(seconds), duration(seconds)) == (position, length)
