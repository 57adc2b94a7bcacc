"""Ordinary polite service of other trades does not alarm."""

import json

from models.judge.classifier import load_classifier
from models.judge.examples import read_examples
from models.judge.polite_turns import TURNS, judge_polite_turns
from qc.catalogue import load_catalogue

MOST_ALARMS = 0.01


def rows() -> list[dict]:
    return [json.loads(line) for line in TURNS.read_text("utf-8").splitlines()]


def test_hardly_any_polite_turn_alarms() -> None:
    found = judge_polite_turns(load_catalogue(), load_classifier())
    assert found.turns == 200
    alarms = [(alarm.text, [b.id for b in alarm.behaviours]) for alarm in found.alarms]
    assert found.share <= MOST_ALARMS, alarms


def test_a_rude_turn_among_them_would_alarm(tmp_path) -> None:
    row = rows()[0] | {"text": "你有病吧，听不懂人话啊，闭嘴！"}
    (tmp_path / "rude.jsonl").write_text(json.dumps(row, ensure_ascii=False), "utf-8")
    found = judge_polite_turns(load_catalogue(), load_classifier(), tmp_path / "rude.jsonl")
    assert found.share == 1


def test_the_polite_turns_are_never_trained_on() -> None:
    learned = {example.utterance.text for example in read_examples(load_catalogue())}
    assert not [row["text"] for row in rows() if row["text"] in learned and len(row["text"]) > 8]


def test_the_polite_turns_are_many_and_varied() -> None:
    assert len({row["text"] for row in rows()}) == 200
    assert len({row["trade"] for row in rows()}) >= 20
    assert {row["role"] for row in rows()} == {"agent"}
    assert all(not row["labels"] for row in rows())
