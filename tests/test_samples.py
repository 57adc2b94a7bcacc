"""The samples, whole: what is found in the sound is what is found in the words."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from models.judge.classifier import load_classifier
from qc.catalogue import load_catalogue
from qc.inspect import inspect_call
from qc.inspection import Inspection
from qc.order import Call
from samples.make import read_dialogues, turns_of

SAMPLES = Path(__file__).parents[1] / "samples"
DIALOGUES = {dialogue["name"]: dialogue for dialogue in read_dialogues()}
# Where the sound gives another finding than the words, and why.
KNOWN_DIFFERENCES: dict[str, set[str]] = {
    # the recogniser loses the 我 of 我是城管中队的
    "03-先行联系-态度粗暴挂断": {"fc.self_intro"},
}


def from_text(dialogue: dict) -> Inspection:
    turns = [
        {"role": t.role, "text": t.text, "overlap": t.overlap, "fast": t.fast}
        for t in turns_of(dialogue)
    ]
    facts = {key: dialogue[key] for key in ("kind", "order", "answered_by", "ended_by")}
    call = Call.model_validate({**facts, "turns": turns})
    return inspect_call(call, load_catalogue(), load_classifier())


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """One run of the main job over all samples."""
    out = tmp_path_factory.mktemp("demo")
    run = subprocess.run(
        [sys.executable, "-m", "qc.cli", "demo", "--out", str(out)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert (out / "summary.html").stat().st_size > 1000
    rows = [json.loads(line) for line in (out / "results.jsonl").read_text("utf-8").splitlines()]
    return {Path(row["recording"]).stem: row["verdict"] for row in rows}


def test_every_sample_has_recording_and_order() -> None:
    with (SAMPLES / "manifest.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [Path(row["recording"]).stem for row in rows] == list(DIALOGUES)
    assert {Path(row["recording"]).suffix for row in rows} >= {".wav", ".mp3", ".amr"}
    for row in rows:
        assert (SAMPLES / row["recording"]).is_file()
        assert (SAMPLES / row["order"]).is_file()


@pytest.mark.parametrize("name", DIALOGUES)
def test_the_sound_gives_the_findings_of_the_words(name: str, heard: dict[str, dict]) -> None:
    expected, found = from_text(DIALOGUES[name]), heard[name]
    wrong = {e.id for e in expected.elements if found["elements"][e.id]["status"] != e.status}
    wrong |= {b.id for b in expected.behaviours} ^ {b["id"] for b in found["behaviours"]}
    wrong |= {s.id for s in expected.citizen} ^ {s["id"] for s in found["citizen"]}
    if expected.satisfaction != found["satisfaction"]:
        wrong.add("satisfaction")
    assert wrong == KNOWN_DIFFERENCES.get(name, set())


@pytest.mark.parametrize("name", DIALOGUES)
def test_the_words_of_a_sample_show_what_it_is_about(name: str) -> None:
    inspection = from_text(DIALOGUES[name])
    found = {b.id for b in inspection.behaviours}
    assert found >= set(DIALOGUES[name].get("behaviours", ()))
    assert bool(found) == bool(DIALOGUES[name].get("behaviours"))
