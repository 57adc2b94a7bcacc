"""Spot check of many: every recording one row, whatever is wrong with it; nothing done twice."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from rich.console import Console

from models.demo_asr.dialogue import Turn as Line
from models.demo_asr.dialogue import render
from qc.audio import read_recording
from qc.batch import BatchItem, BatchOutcome, find_items, read_results, run_batch
from qc.catalogue import load_catalogue
from qc.errors import QcError
from qc.inspect import inspect_transcript
from qc.inspection import Inspection
from qc.order import CallKind, Order
from qc.report import Row
from qc.transcript import Role, Transcript, Turn
from tests.qc.sounds import encode, tones, wav

ROOT = Path(__file__).parents[2]
PHONE = "一三八一二三四五六七八"
SAID = (
    (Role.AGENT, "您好，请问是顾海峰先生吗？"),
    (Role.CITIZEN, f"是我，你什么态度。我电话{PHONE}，住501。"),
    (Role.AGENT, "您反映南泉新苑12号501室噪音？投诉去好了，随便你。"),
)
FILED = {
    "order_id": "20240611-000417",
    "petitioner": "顾海峰",
    "address": "南泉新苑12号501室",
    "department": "城管中队",
    "handler": "李敏",
    "reported_on": "2024-06-11",
}


def inspect_tone(item: BatchItem) -> Inspection:
    """Reads the recording as the real chain does; the words are given."""
    read_recording(item.recording)
    turns = tuple(Turn(i, r, text, i * 4.0, i * 4.0 + 3) for i, (r, text) in enumerate(SAID))
    kind = item.kind or CallKind.FIRST_CONTACT
    return inspect_transcript(
        Transcript(turns), kind, item.order, load_catalogue(), None, call_id=item.name
    )


def inspect_or_die(item: BatchItem) -> Inspection:
    """As a decoder that crashes on one file."""
    if "crash" in item.name:
        os._exit(3)
    return inspect_tone(item)


class Counting:
    """Counts how often each recording is inspected."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def __call__(self, item: BatchItem) -> Inspection:
        self.seen[item.name] += 1
        if "bug" in item.name:
            raise ZeroDivisionError(f"电话{PHONE}")
        return inspect_tone(item)


def tone(path: Path, seconds: float = 1.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return wav(path, tones(8_000, 1, seconds))


def rows_of(outcome: BatchOutcome) -> dict[str, Row]:
    rows = list(read_results(outcome.results.parent))
    assert len({row.recording for row in rows}) == len(rows)
    return {row.recording: row for row in rows}


def lines_of(outcome: BatchOutcome) -> list[dict]:
    return [json.loads(line) for line in outcome.results.read_text("utf-8").splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three recordings, one in a subfolder, each of its own length."""
    for i, name in enumerate(("a.wav", "b.wav", "六月/c.wav")):
        tone(tmp_path / "in" / name, 1.0 + i / 10)
    return tmp_path / "in"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def damaged(folder: Path) -> dict[str, str]:
    """Files as they come from real systems, with the status each must get."""
    whole = tone(folder / "whole.wav").read_bytes()
    encode(folder / "really-an-mp3.wav", "libmp3lame", 16_000, tones(16_000, 1))
    (folder / "half.wav").write_bytes(whole[: len(whole) // 2])
    (folder / "head-only.wav").write_bytes(whole[:30])
    (folder / "empty.wav").touch()
    (folder / "text.mp3").write_text("这不是录音\n" * 50, "utf-8")
    (folder / "renamed.dat").write_bytes(tone(folder / "x.wav", 1.3).read_bytes())
    flac = encode(folder / "flipped.flac", "flac", 16_000, tones(16_000, 1)).read_bytes()
    noise = np.random.default_rng(0).integers(0, 256, len(flac), np.uint8).tobytes()
    middle = len(flac) // 3
    flipped = flac[:middle] + noise[middle : middle + 400] + flac[middle + 400 :]
    (folder / "flipped.flac").write_bytes(flipped)
    (folder / "noise.amr").write_bytes(noise)
    (folder / "x.wav").unlink()
    bad = ("head-only.wav", "empty.wav", "text.mp3", "noise.amr")
    good = ("whole.wav", "really-an-mp3.wav", "half.wav", "renamed.dat", "flipped.flac")
    return dict.fromkeys(bad, "failed") | dict.fromkeys(good, "ok")


@pytest.mark.parametrize("workers", [{"jobs": 1}, {"jobs": 2}, {"together": 3}], ids=str)
def test_a_damaged_recording_is_a_row_with_its_reason(
    tmp_path: Path, out: Path, workers: dict[str, int]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    expected = damaged(folder)
    (folder / "readme.txt").write_text("说明", "utf-8")
    outcome = run_batch(folder, out, inspect_tone, **workers)
    rows = rows_of(outcome)
    assert {name: row.status for name, row in rows.items()} == expected
    assert (outcome.total, outcome.done, outcome.failed) == (len(expected), len(expected), 4)
    for row in rows.values():
        assert bool(row.reason) == (row.status == "failed")
        assert bool(row.page) == (row.status == "ok") == (out / row.page).is_file()
    assert "0 字节" in rows["empty.wav"].reason
    summary = outcome.summary.read_text("utf-8")
    assert all(row.reason in summary for row in rows.values())


def test_an_unexpected_exception_is_a_row_and_its_details_are_in_the_log(
    folder: Path, out: Path
) -> None:
    tone(folder / "bug.wav", 2)
    outcome = run_batch(folder, out, Counting())
    row = rows_of(outcome)["bug.wav"]
    assert row.status == "error"
    assert "内部错误" in row.reason and "ZeroDivisionError" in row.reason
    log = (out / "batch.log").read_text("utf-8")
    assert "Traceback" in log and "bug.wav" in log
    assert PHONE not in log
    assert outcome.total - outcome.failed == 3


def test_a_recording_that_kills_its_process_is_a_row_too(folder: Path, out: Path) -> None:
    tone(folder / "crash.wav", 2)
    outcome = run_batch(folder, out, inspect_or_die, jobs=2)
    rows = rows_of(outcome)
    assert {name for name, row in rows.items() if row.status == "ok"} == {
        *("a.wav", "b.wav", "六月/c.wav")
    }
    assert rows["crash.wav"].status == "error" and "意外退出" in rows["crash.wav"].reason


def test_a_second_run_does_nothing_again(folder: Path, out: Path) -> None:
    counting = Counting()
    first = run_batch(folder, out, counting)
    before = first.results.read_bytes()
    tone(folder / "new.wav", 2)
    second = run_batch(folder, out, counting)
    assert (second.done, second.reused, second.total) == (1, 3, 4)
    assert set(counting.seen.values()) == {1}
    assert second.results.read_bytes().startswith(before)
    assert len(lines_of(second)) == 4
    assert "new.wav" in second.summary.read_text("utf-8")


def test_another_order_kind_or_setup_is_inspected_again_and_counts_once(
    folder: Path, out: Path
) -> None:
    counting = Counting()
    run_batch(folder, out, counting, setup="demo weifang")
    (folder / "a.order.json").write_text(json.dumps(FILED), "utf-8")
    run_batch(folder, out, counting, setup="demo weifang")
    (folder / "a.order.json").write_text(json.dumps(FILED | {"issue": "噪音"}), "utf-8")
    outcome = run_batch(folder, out, counting, setup="demo weifang")
    assert counting.seen == {"a.wav": 3, "b.wav": 1, "六月/c.wav": 1}
    run_batch(folder, out, counting, setup="turbo weifang")
    assert counting.seen == {"a.wav": 4, "b.wav": 2, "六月/c.wav": 2}
    orders = [row for row in read_results(out) if row.order_id == FILED["order_id"]]
    assert len(orders) == 1 and outcome.failed == 0


def test_fresh_forgets_earlier_results(folder: Path, out: Path) -> None:
    counting = Counting()
    run_batch(folder, out, counting)
    (folder / "b.wav").unlink()
    outcome = run_batch(folder, out, counting, fresh=True)
    assert set(rows_of(outcome)) == {"a.wav", "六月/c.wav"}
    assert counting.seen["a.wav"] == 2
    assert len(list((out / "calls").iterdir())) == 2


def test_a_mended_recording_replaces_its_failure(folder: Path, out: Path) -> None:
    (folder / "a.wav").write_bytes(b"")
    first = run_batch(folder, out, inspect_tone)
    again = run_batch(folder, out, inspect_tone)
    assert (first.failed, again.failed, again.done) == (1, 1, 1)
    assert len(lines_of(again)) == 3  # the same failure is not noted twice
    tone(folder / "a.wav", 2)
    assert run_batch(folder, out, inspect_tone).failed == 0


def test_a_copy_takes_over_the_verdict(folder: Path, out: Path) -> None:
    (folder / "copy.wav").write_bytes((folder / "a.wav").read_bytes())
    counting = Counting()
    rows = rows_of(run_batch(folder, out, counting))
    assert "copy.wav" not in counting.seen
    copied, first = rows["copy.wav"].verdict, rows["a.wav"].verdict
    assert copied and first and copied.score == first.score
    assert "a.wav" in copied.warnings[0]


def test_half_a_last_line_is_dropped(folder: Path, out: Path) -> None:
    first = run_batch(folder, out, Counting())
    whole = first.results.read_bytes()
    cut = whole.rstrip(b"\n").rfind(b"\n") + 50
    first.results.write_bytes(whole[:cut])
    counting = Counting()
    second = run_batch(folder, out, counting)
    assert sum(counting.seen.values()) == 1
    assert len(rows_of(second)) == len(lines_of(second)) == 3


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.qc.test_batch import inspect_tone
from qc.batch import run_batch

def slow(item):
    with open({seen!r}, "a") as seen:
        seen.write(item.name + "\\n")
    time.sleep(0.1)
    return inspect_tone(item)

outcome = run_batch(Path({folder!r}), Path({out!r}), slow)
print(outcome.done, outcome.reused)
"""


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, out: Path) -> None:
    names = [f"{i:02}.wav" for i in range(14)]
    for i, name in enumerate(names):
        tone(tmp_path / "in" / name, 0.5 + i / 50)
    seen = tmp_path / "seen.txt"
    script = tmp_path / "run.py"
    values = {"root": str(ROOT), "seen": str(seen)}
    script.write_text(KILLED.format(folder=str(tmp_path / "in"), out=str(out), **values))
    command = [sys.executable, str(script)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    results = out / "results.jsonl"
    deadline = time.monotonic() + 60
    while not (results.is_file() and results.read_bytes().count(b"\n") >= 4):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = {json.loads(line)["recording"] for line in results.read_bytes().splitlines(True)[:4]}
    assert not (out / "summary.html").exists()
    with results.open("ab") as file:  # as if the kill had hit in the middle of a line
        file.write(b'{"id":"0123456789ab","key":"')

    again = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    done, reused = map(int, again.stdout.split())
    assert done + reused == len(names) and reused >= 4
    rows = [json.loads(line) for line in results.read_text("utf-8").splitlines()]
    assert sorted(row["recording"] for row in rows) == names
    times = Counter(seen.read_text().split())
    assert sum(times.values()) <= len(names) + 1  # only what was under way is done twice
    assert all(times[name] == 1 for name in finished)
    assert len(list((out / "calls").glob("*.html"))) == len(names)


def everything_written(out: Path) -> str:
    texts = [
        p.read_text("utf-8") for p in out.rglob("*") if p.suffix in (".jsonl", ".html", ".log")
    ]
    with zipfile.ZipFile(out / "results.xlsx") as book:
        texts += [book.read(name).decode("utf-8", "ignore") for name in book.namelist()]
    return "\n".join([*texts, *(str(path) for path in out.rglob("*"))])


@pytest.mark.parametrize("unmasked", [False, True])
def test_personal_data_is_nowhere_unless_asked_for(
    tmp_path: Path, out: Path, unmasked: bool
) -> None:
    name = "20240611_13912345678_顾海峰"
    for part in (name, f"{name}-bug"):
        tone(tmp_path / "in" / f"{part}.wav", 1 + len(part) / 50)
        beside = tmp_path / "in" / f"{part}.order.json"
        beside.write_text(json.dumps(FILED, ensure_ascii=False), "utf-8")
    run_batch(tmp_path / "in", out, Counting(), unmasked=unmasked)
    written = everything_written(out)
    secrets = (PHONE, "13912345678", "海峰", "501", "12号")
    assert [s for s in secrets if s in written] == (list(secrets) if unmasked else [])
    assert all(known in written for known in ("城管中队", "李敏", "20240611-000417"))


def test_masked_and_unmasked_results_do_not_meet_in_one_folder(folder: Path, out: Path) -> None:
    run_batch(folder, out, inspect_tone, unmasked=True)
    with pytest.raises(QcError, match="换一个结果文件夹"):
        run_batch(folder, out, inspect_tone)


def test_recordings_whose_masked_names_are_equal_stay_two(tmp_path: Path, out: Path) -> None:
    for i in (1, 2):
        tone(tmp_path / "in" / f"1381234567{i}.wav", i)
    assert (
        len(list(read_results(run_batch(tmp_path / "in", out, inspect_tone).results.parent))) == 2
    )


def test_the_results_inside_the_source_are_no_recordings(folder: Path) -> None:
    for _ in range(2):
        outcome = run_batch(folder, folder / "结果", inspect_tone)
        tone(folder / "结果" / "stray.wav")
        assert outcome.total == 3


def test_two_runs_cannot_write_one_folder(folder: Path, out: Path) -> None:
    def again(item: BatchItem) -> Inspection:
        with pytest.raises(QcError, match="另一个批量检查"):
            run_batch(folder, out, inspect_tone)
        return inspect_tone(item)

    assert run_batch(folder, out, again).failed == 0


def test_progress_is_shown_on_the_console_only_when_given(
    folder: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_batch(folder, out, inspect_tone)
    assert capsys.readouterr() == ("", "")
    with (out.parent / "shown.txt").open("w") as file:
        console = Console(file=file, width=100, force_terminal=True)
        run_batch(folder, out, inspect_tone, fresh=True, console=console)
    shown = (out.parent / "shown.txt").read_text()
    assert "3/3" in shown and "已听 3秒" in shown


# ---- What to inspect ----


def items_of(source: Path) -> dict[str, BatchItem]:
    return {item.name: item for item in find_items(source)}


def test_a_folder_gives_recordings_with_the_orders_beside_them(folder: Path) -> None:
    (folder / "a.order.json").write_text(json.dumps(FILED), "utf-8")
    call = {"kind": "reply", "order": FILED, "labels": {}}
    (folder / "b.wav.order.json").write_text(json.dumps(call), "utf-8-sig")
    tone(folder / "热线回复" / "d.wav")
    tone(folder / ".hidden" / "e.wav")
    items = items_of(folder)
    assert list(items) == ["a.wav", "b.wav", "六月/c.wav", "热线回复/d.wav"]
    assert items["a.wav"].kind is None and items["a.wav"].order.reported_on == date(2024, 6, 11)
    assert items["b.wav"].kind is CallKind.REPLY and items["b.wav"].order.petitioner == "顾海峰"
    assert items["六月/c.wav"].order == Order()
    assert items["热线回复/d.wav"].kind is CallKind.REPLY


def test_a_wrong_order_is_the_fault_of_its_recording_only(folder: Path, out: Path) -> None:
    (folder / "a.order.json").write_text("{", "utf-8")
    (folder / "b.order.json").write_text(json.dumps({"kind": "拜访"}), "utf-8")
    rows = rows_of(run_batch(folder, out, inspect_tone))
    assert rows["a.wav"].status == rows["b.wav"].status == "failed"
    assert "JSON" in rows["a.wav"].reason and "先行联系" in rows["b.wav"].reason
    assert rows["六月/c.wav"].status == "ok"


HEADER = (
    *("录音", "类型", "工单编号", "诉求人", "诉求", "地址", "部门", "反映日期", "经办人"),
    *("诉求类型", "有无现场", "是否解决", "缺失要素", "备注"),
)
LINE = (
    *("a.wav", "热线回复", "0012", "顾海峰", "噪音, 扰民", "南泉新苑12号", "城管中队", "2024/6/3"),
    *("李敏", "投诉", "无", "未解决", "时间、联系方式", "随便什么"),
)
FULL = Order(
    order_id="0012",
    petitioner="顾海峰",
    issue="噪音, 扰民",
    address="南泉新苑12号",
    department="城管中队",
    reported_on=date(2024, 6, 3),
    handler="李敏",
    category="complaint",
    has_site=False,
    resolved=False,
    missing_elements=("time", "contact"),
)


def table(rows: Iterable[Sequence[str]], separator: str = ",") -> str:
    return "\r\n".join(separator.join(f'"{cell}"' for cell in row) for row in rows)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_manifest_is_read_in_the_encodings_that_offices_write(
    folder: Path, encoding: str
) -> None:
    separator = "\t" if encoding == "utf-16" else ","  # what Excel calls Unicode text
    manifest = folder / "list.csv"
    manifest.write_bytes(table([HEADER, LINE, [""] * 14], separator).encode(encoding))
    (item,) = find_items(manifest)
    assert (item.kind, item.order) == (CallKind.REPLY, FULL)
    assert item.recording == folder / "a.wav"


def test_a_workbook_is_a_manifest_too(folder: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["recording", "kind", "order", "reported_on", "order_id"])
    book.active.append(["六月\\c.wav", "first_contact", "", date(2024, 6, 3), 12.0])
    book.active.append(["a.wav", None, "orders/1.json", None, None])
    book.save(folder / "list.xlsx")
    (folder / "orders").mkdir()
    (folder / "orders" / "1.json").write_text(json.dumps(FILED | {"kind": "reply"}), "utf-8")
    first, second = find_items(folder / "list.xlsx")
    assert first.recording.is_file() and first.kind is CallKind.FIRST_CONTACT
    assert (first.order.order_id, first.order.reported_on) == ("12", date(2024, 6, 3))
    assert second.kind is CallKind.REPLY and second.order.petitioner == "顾海峰"


def test_a_wrong_line_of_a_manifest_is_a_row(folder: Path, out: Path) -> None:
    lines = [
        ("录音", "类型", "工单", "反映日期"),
        ("a.wav", "先行", "", "2024年6月3日"),
        ("gone.wav", "回复", "", ""),
        ("b.wav", "电话", "", ""),
        ("六月/c.wav", "", "none.json", ""),
        ("", "回复", "", ""),
        ("a.wav", "回复", "", "明天"),
    ]
    (folder / "list.csv").write_text(table(lines), "utf-8")
    outcome = run_batch(folder / "list.csv", out, inspect_tone)
    rows = list(read_results(out))
    assert Counter(row.status for row in rows) == {"ok": 1, "failed": 5}
    assert outcome.total == 6 and outcome.failed == 5
    reasons = " ".join(row.reason for row in rows)
    for reason in ("找不到录音文件", "“电话”", "none.json", "没有写录音文件", "reported_on"):
        assert reason in reasons


def test_a_manifest_in_a_folder_tells_of_its_recordings(folder: Path) -> None:
    (folder / "清单.csv").write_text(table([HEADER, LINE]), "gb18030")
    items = items_of(folder)
    assert set(items) == {"a.wav", "b.wav", "六月/c.wav"}
    assert items["a.wav"].order == FULL and items["b.wav"].order == Order()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("list.csv", "文件夹,类型\r\n1,2".encode(), "没有“录音”"),
        ("list.csv", b"\xff\xff\x81", "编码"),
        ("list.csv", b"", "没有“录音”"),
        ("list.csv", "录音\r\n".encode(), "没有找到录音"),
        ("list.xlsx", b"PK\x03\x04broken", "打不开"),
        ("list.doc", b"x", "不是文件夹"),
        ("list.csv", None, "找不到"),
    ],
)
def test_an_unusable_source_is_one_sentence(
    tmp_path: Path, out: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(QcError, match=message):
        run_batch(tmp_path / name, out, inspect_tone)


def test_an_unusable_output_is_one_sentence(folder: Path, out: Path) -> None:
    out.write_text("a file")
    with pytest.raises(QcError, match="写不进结果文件夹"):
        run_batch(folder, out, inspect_tone)


def test_the_real_chain_on_a_short_recording(tmp_path: Path, out: Path) -> None:
    from qc.inspector import Inspector

    lines = [
        Line("agent", "您好，请问是王先生吗？"),
        Line("citizen", "对，哪位？"),
        Line("agent", "我是城管中队的工作人员。"),
    ]
    call = render(lines, seed=3, stereo=True)
    (tmp_path / "in").mkdir()
    wav(tmp_path / "in" / "call.wav", call.samples, 16_000)
    outcome = run_batch(tmp_path / "in", out, Inspector().inspect_item)
    row = rows_of(outcome)["call.wav"]
    assert row.status == "ok" and row.verdict
    assert row.verdict.elements["fc.greeting"].status == "met"
    assert row.seconds == pytest.approx(call.seconds, abs=0.1)
    said = row.verdict.elements["fc.greeting"].evidence[0]
    assert said.start is not None and said.quote in (out / row.page).read_text("utf-8")
