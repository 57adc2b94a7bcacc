"""The command line as a clerk uses it: real processes, real files."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.qc.sounds import wav

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "samples" / "corpus"


def hotline_qc(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "qc.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    out = tmp_path_factory.mktemp("calls") / "out.jsonl"
    run = hotline_qc("inspect", "--calls", CORPUS / "dev-a.jsonl", "--json", out)
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


def test_one_line_a_call_in_order(judged: list[dict]) -> None:
    lines = (CORPUS / "dev-a.jsonl").read_text("utf-8").splitlines()
    assert [row["call_id"] for row in judged] == [json.loads(line)["call_id"] for line in lines]


def test_labels_are_never_read(judged: list[dict], tmp_path: Path) -> None:
    bare = tmp_path / "bare.jsonl"
    rows = [json.loads(line) for line in (CORPUS / "dev-a.jsonl").read_text("utf-8").splitlines()]
    kept = ("call_id", "kind", "order", "turns", "answered_by", "ended_by")
    bare.write_text("\n".join(json.dumps({k: r[k] for k in kept}) for r in rows), "utf-8")
    run = hotline_qc("inspect", "--calls", bare)
    assert [json.loads(line) for line in run.stdout.splitlines()] == judged


def test_a_bad_line_is_a_line_with_its_reason(tmp_path: Path) -> None:
    good = (CORPUS / "dev-e.jsonl").read_text("utf-8").splitlines()[0]
    calls = tmp_path / "calls.jsonl"
    calls.write_text(f'{good}\n{{"kind": "reply"\n{{"kind": "x", "turns": []}}\n{good}\n', "utf-8")
    run = hotline_qc("inspect", "--calls", calls)
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    assert ["error" in row for row in rows] == [False, True, True, False]
    assert "第 2 行" in rows[1]["error"]
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("inspect",), "没有给出"),
        (("inspect", "--calls", "没有.jsonl"), "没有.jsonl"),
        (("inspect", "没有.wav"), "没有.wav"),
        (("inspect", "pyproject.toml"), "pyproject.toml"),
        (("inspect", "pyproject.toml", "--asr", "没有.pt"), "没有.pt"),
        (("inspect", "x.wav", "--order", "pyproject.toml"), "JSON"),
        (("inspect", "x.wav", "--profile", "nowhere"), "weifang"),
        (("batch", "没有", "--out", "/dev/null/x"), "没有"),
        (("evaluate", "pyproject.toml"), "第 1 行"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: tuple[str, ...], told: str) -> None:
    run = hotline_qc(*arguments)
    assert run.returncode != 0
    assert told in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr


def test_evaluate_prints_the_table_and_writes_json(tmp_path: Path) -> None:
    out = tmp_path / "quality.json"
    run = hotline_qc("evaluate", CORPUS / "dev-e.jsonl", "--mistakes", "--json", out)
    assert run.returncode == 0, run.stderr
    assert "违规行为 micro-F1" in run.stdout
    assert json.loads(out.read_text("utf-8"))["calls"] == 30


def test_catalog_check_passes() -> None:
    run = hotline_qc("catalog", "check")
    assert run.returncode == 0, run.stdout
    assert "0 条不符" in run.stdout


def test_catalog_schema_is_json_schema_of_every_file() -> None:
    schemas = json.loads(hotline_qc("catalog", "schema").stdout)
    assert {p.name for p in (ROOT / "scripts_catalog").glob("*.yaml")} < set(schemas)
    assert "when" in schemas["conduct.yaml"]["$defs"]["Behaviour"]["properties"]


def test_an_order_may_be_wrapped_with_the_kind_of_the_call(tmp_path: Path) -> None:
    recording = next((ROOT / "samples" / "recordings").glob("07*"))
    order = json.loads(next((ROOT / "samples" / "orders").glob("07*")).read_text("utf-8"))
    wrapped = tmp_path / "order.json"
    wrapped.write_text(json.dumps({"kind": "reply", "order": order}), "utf-8")
    out = tmp_path / "out.jsonl"
    run = hotline_qc("inspect", recording, "--order", wrapped, "--json", out)
    assert run.returncode == 0, run.stderr
    row = json.loads(out.read_text("utf-8"))
    assert row["kind"] == "reply"
    assert row["elements"]["rp.verify_demand"]["slots"]["issue"]["filed"] == order["issue"]


def test_a_recording_without_a_call_gets_no_score(tmp_path: Path) -> None:
    time = np.arange(16_000) / 16_000
    ring = np.concatenate([0.1 * np.sin(2 * np.pi * 450 * time), np.zeros(64_000)])
    wav(tmp_path / "回铃.wav", np.tile(ring, 2)[None], 16_000)
    run = hotline_qc("inspect", tmp_path / "回铃.wav", "--json", tmp_path / "out.jsonl")
    assert run.returncode == 1 and "录音无效：只有回铃音，没有接通" in run.stdout
    row = json.loads((tmp_path / "out.jsonl").read_text("utf-8"))
    assert row["score"] is None
    assert row["recording"] == {"quality": "unusable", "reasons": ["只有回铃音，没有接通"]}


def test_a_model_is_converted_once_and_then_heard_with(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    made = hotline_qc("convert", "demo", "--out", folder)
    assert made.returncode == 0 and f"fast:{folder}" in made.stdout, made.stderr
    speech = ROOT / "tests" / "files" / "speech.amr"
    heard = hotline_qc("inspect", speech, "--asr", f"fast:{folder}", "--json", tmp_path / "o.json")
    assert heard.returncode == 0 and "城管" in heard.stdout, heard.stderr


def test_jobs_and_together_exclude_each_other(tmp_path: Path) -> None:
    run = hotline_qc("batch", "samples", "--out", tmp_path, "--jobs", 2, "--together", 2)
    assert run.returncode == 2
    assert "不能同时用" in run.stderr
