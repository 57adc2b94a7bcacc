"""A spot check finds recordings that hold no call, and one call that serves two orders."""

import csv
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from models.demo_asr.dialogue import Turn, render
from qc.audio import SAMPLE_RATE
from qc.batch import BatchOutcome, read_results, run_batch
from qc.fingerprint import available
from qc.inspector import Inspector
from qc.report import Row
from tests.qc.sounds import encode, wav

pytestmark = pytest.mark.skipif(not available(), reason="libchromaprint is not installed")

ANSWER = "好的，那我知道了，谢谢你，再见。"
NAMES = ("张三-一.wav", "张三-二.mp3", "另一通.wav", "回铃.wav", "坏.wav")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> BatchOutcome:
    """Two orders with one call in two formats, one with its own, ringing, and a broken file."""
    folder = tmp_path_factory.mktemp("in")
    calls = [
        render([Turn("agent", said), Turn("citizen", ANSWER)], seed=1).mono[None]
        for said in (
            "您好，我是城管中队的，请问是张三先生吗？您反映的噪音，我们明天上午来看。",
            "您好，我是路灯所的。路灯昨天晚上已经修好了，您看看还有什么要求吗？",
        )
    ]
    later = np.concatenate([np.zeros((1, SAMPLE_RATE), np.float32), 0.3 * calls[0]], axis=1)
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    ring = np.concatenate([0.1 * np.sin(2 * np.pi * 450 * time), np.zeros(4 * SAMPLE_RATE)])
    wav(folder / NAMES[0], calls[0], SAMPLE_RATE)
    encode(folder / NAMES[1], "libmp3lame", SAMPLE_RATE, later)
    wav(folder / NAMES[2], calls[1], SAMPLE_RATE)
    wav(folder / NAMES[3], np.tile(ring, 3)[None], SAMPLE_RATE)
    (folder / NAMES[4]).write_bytes(b"RIFF")
    with (folder / "manifest.csv").open("w", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["录音", "工单编号", "诉求人", "部门"])
        lines.writerows([name, f"T-{i}", "张三", "城管中队"] for i, name in enumerate(NAMES))
    return _run(folder, tmp_path_factory.mktemp("out"))


def _run(folder: Path, out: Path) -> BatchOutcome:
    return run_batch(folder / "manifest.csv", out, Inspector().inspect_item)


def by_order(outcome: BatchOutcome) -> dict[str, Row]:
    return {row.order_id: row for row in read_results(outcome.results.parent)}


def test_both_rows_name_the_other_masked(outcome: BatchOutcome) -> None:
    rows = by_order(outcome)
    one, other = rows["T-0"], rows["T-1"]
    assert (one.same_sound, other.same_sound) == ((other.recording,), (one.recording,))
    assert "张三" not in one.recording
    assert rows["T-2"].same_sound == rows["T-3"].same_sound == ()
    summary = outcome.summary.read_text("utf-8")
    assert "同一段声音出现多次（2 段录音）" in summary and "张三" not in summary


def test_a_recording_without_a_call_is_invalid_and_not_broken(outcome: BatchOutcome) -> None:
    rows = by_order(outcome)
    assert {key: row.status for key, row in rows.items()} == {
        **dict.fromkeys(("T-0", "T-1", "T-2"), "ok"),
        "T-3": "invalid",
        "T-4": "failed",
    }
    assert (outcome.invalid, outcome.failed) == (1, 1)
    assert rows["T-3"].verdict is None and "回铃音" in rows["T-3"].reason
    summary = outcome.summary.read_text("utf-8")
    assert "另有 1 段录音无效；另有 1 段未能检查" in summary
    assert "无效的录音（1）" in summary


def test_the_workbook_shows_quality_and_reuse(outcome: BatchOutcome) -> None:
    sheet = openpyxl.load_workbook(outcome.workbook)["总表"]
    head, *lines = ([cell.value for cell in row] for row in sheet.iter_rows())
    shown = {line[head.index("工单编号")]: dict(zip(head, line, strict=True)) for line in lines}
    assert [shown[f"T-{i}"]["录音质量"] for i in range(5)] == ["良好", "良好", "良好", "无效", None]
    assert shown["T-3"]["状态"] == "录音无效" and shown["T-3"]["总分"] is None
    assert "回铃音" in shown["T-3"]["未能检查的原因"]
    assert "是同一段声音" in shown["T-0"]["提示"] and "是同一段声音" not in str(
        shown["T-2"]["提示"]
    )


def test_running_again_adds_no_lines(outcome: BatchOutcome) -> None:
    """Rows that carry a note are as finished as others."""
    before = outcome.results.read_bytes()
    source = next(outcome.results.parents[1].glob("in*"))
    again = _run(source, outcome.results.parent)
    assert again.reused == 3
    assert outcome.results.read_bytes() == before
