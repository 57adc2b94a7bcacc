"""Reviews become labelled turns, and a model taught by them is kept only if it is no worse."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.judge.examples import example_of_turn
from models.judge.retrain import WorseModelError, compare, gather_material, retrain
from qc.catalogue import load_catalogue
from qc.cli import app
from qc.errors import OrderError, QcError
from qc.order import Call
from qc.quality.reviews import Review, learn_from, read_reviewed_turns, read_reviews

CORPUS = Path(__file__).parents[3] / "samples" / "corpus"

CALL = {
    "call_id": "c-1",
    "kind": "reply",
    "order": {"petitioner": "王建国", "address": "潍坊四村105号602室"},
    "turns": [
        {"role": "agent", "text": "王建国先生您好，您反映的事处理好了。"},
        {"role": "citizen", "text": "处理好什么了，根本没人来。"},
        {"role": "agent", "text": "你自己不在家怪谁，105号602室我们去了三趟。"},
        {"role": "citizen", "text": "你这什么态度。"},
        {"role": "agent", "text": "电话我留一下，13812345678，打给我。", "fast": True},
    ],
}


def call(call_id: str = "c-1") -> Call:
    return Call.model_validate(CALL | {"call_id": call_id})


def review(rule: str, decision: str, *, hour: int = 9, **named: object) -> Review:
    return Review.model_validate(
        {"call_id": "c-1", "rule_id": rule, "decision": decision, "reviewer": "审核员甲"}
        | {"at": f"2024-06-11 {hour:02}:00"}
        | named
    )


def learned(*reviews: Review, **options: object):
    return learn_from(reviews, [call()], load_catalogue(), **options)


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def test_a_confirmed_finding_is_an_example_of_its_rule_only() -> None:
    (turn,) = learned(review("bh.criticize", "confirm", turn=2)).turns
    assert (turn.labels, turn.known) == (("bh.criticize",), ("bh.criticize",))
    example = example_of_turn(turn.model_dump(mode="json"), load_catalogue())
    assert example.groups == {"bh.criticize"}  # nothing is said of the other behaviours
    assert example.labels == {"bh.criticize"}


def test_an_overturned_finding_is_a_counterexample() -> None:
    (turn,) = learned(review("bh.rush", "overturn", turn=4)).turns
    assert (turn.labels, turn.known, turn.fast) == ((), ("bh.rush",), True)


def test_personal_data_is_hidden_unless_asked_for() -> None:
    reviews = [review("bh.rush", "overturn", turn=4)]
    (turn,) = learned(*reviews).turns
    told = turn.text + "".join(turn.prev)
    for personal in ("建国", "602", "13812345678"):
        assert personal not in told
    (open_turn,) = learned(*reviews, unmasked=True).turns
    assert "13812345678" in open_turn.text


def test_the_turns_before_come_with_their_speakers() -> None:
    (turn,) = learned(review("ct.attitude_complaint", "confirm", turn=3)).turns
    assert [line[:3] for line in turn.prev] == ["A: ", "C: ", "A: "]
    assert turn.role == "citizen"


def test_a_masked_quote_finds_its_turn() -> None:
    found = learned(review("bh.criticize", "missed", quote="你自己不在家怪谁，***号***室"))
    assert [turn.turn for turn in found.turns] == [2]


def test_a_finding_named_by_its_rule_alone_is_looked_up() -> None:
    found = {"c-1": {"bh.criticize": [2]}}
    assert [t.turn for t in learned(review("bh.criticize", "confirm"), found=found).turns] == [2]
    assert "找不到" in learned(review("bh.criticize", "confirm")).unused[0].reason


def test_the_later_of_two_reviews_holds() -> None:
    first = review("bh.criticize", "confirm", turn=2, hour=9)
    appeal = review("bh.criticize", "overturn", turn=2, hour=15)
    for order in ([first, appeal], [appeal, first]):
        (turn,) = learned(*order).turns
        assert turn.labels == ()


def test_several_rules_of_one_turn_are_one_line() -> None:
    (turn,) = learned(
        review("bh.criticize", "confirm", turn=2), review("bh.rude", "overturn", turn=2)
    ).turns
    assert (turn.labels, turn.known) == (("bh.criticize",), ("bh.criticize", "bh.rude"))


def test_an_element_of_one_facet_is_learned_as_that_facet() -> None:
    catalogue = load_catalogue()
    found = learned(review("fc.keep_phone", "missed", turn=4))
    assert found.turns[0].labels[0] in catalogue.facets
    for unusable in (review("fc.keep_phone", "overturn", turn=4), review("fc.greeting", "missed")):
        assert not learned(unusable).turns


@pytest.mark.parametrize(
    ("unusable", "reason"),
    [
        (review("bh.rude", "confirm", turn=9), "没有第 9 句"),
        (review("bh.rude", "confirm", turn=1), "不是经办人说的"),
        (review("ct.abuse", "confirm", turn=0), "不是市民说的"),
        (review("bh.nothing", "confirm", turn=0), "没有编号为"),
        (review("bh.rude", "confirm", call_id="c-2"), "没有给出通话"),
    ],
)
def test_a_review_that_cannot_be_used_says_why(unusable: Review, reason: str) -> None:
    found = learned(unusable)
    assert not found.turns
    assert reason in found.unused[0].reason


def test_a_broken_file_of_reviews_is_told(tmp_path: Path) -> None:
    row = {"call_id": "c-1", "rule_id": "bh.rude", "reviewer": "甲", "at": "2024-06-11 09:00"}
    with pytest.raises(OrderError, match=r"第 1 行.*decision"):
        read_reviews([write(tmp_path / "a.jsonl", row | {"decision": "maybe"})])
    with pytest.raises(OrderError, match="at"):
        read_reviews([write(tmp_path / "b.jsonl", row | {"decision": "confirm", "at": "昨天"})])
    with pytest.raises(OrderError, match="teach export"):
        read_reviewed_turns([write(tmp_path / "c.jsonl", row)])


def test_export_writes_what_training_reads(tmp_path: Path) -> None:
    reviews = write(
        tmp_path / "reviews.jsonl",
        *(
            json.loads(r.model_dump_json())
            for r in (
                review("bh.criticize", "confirm", turn=2),
                review("bh.rude", "confirm", turn=1),
            )
        ),
    )
    calls, out = write(tmp_path / "calls.jsonl", CALL), tmp_path / "out.jsonl"
    arguments = ["teach", "export", str(reviews), "--calls", str(calls), "--out", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "不是经办人说的" in result.output
    (turn,) = read_reviewed_turns([out])
    assert turn.labels == ("bh.criticize",)
    assert "审核员" not in out.read_text("utf-8")


def test_export_never_writes_over_its_inputs(tmp_path: Path) -> None:
    calls = write(tmp_path / "calls.jsonl", CALL)
    arguments = ["teach", "export", str(calls), "--calls", str(calls), "--out", str(calls)]
    assert CliRunner().invoke(app, arguments).exit_code == 2
    assert json.loads(calls.read_text("utf-8")) == CALL


@pytest.fixture(scope="module")
def small_corpus(tmp_path_factory) -> Path:
    """Labelled calls and turns enough for every label to be learned, and few enough for a test."""
    folder = tmp_path_factory.mktemp("corpus")
    for name in ("dev-a", "dev-b"):
        lines = (CORPUS / f"{name}.jsonl").read_text("utf-8").splitlines()
        (folder / f"{name}.jsonl").write_text("\n".join(lines[::3]), "utf-8")
    turns = [
        line
        for path in sorted(CORPUS.glob("utterances-[a-np-z]*.jsonl"))
        for line in path.read_text("utf-8").splitlines()[::14]
    ]
    (folder / "utterances-some.jsonl").write_text("\n".join(turns), "utf-8")
    return folder


def reviewed_turn(text: str, labels: list[str], number: int) -> dict:
    return {
        "kind": "reply", "prev": ["C: 你们什么时候来处理？"], "role": "agent", "text": text,
        "labels": labels, "known": ["bh.rude"], "call_id": f"reviewed-{number}", "turn": 1,
    }  # fmt: skip


def test_sound_reviews_are_no_worse_and_change_only_their_rule(
    small_corpus: Path, tmp_path: Path
) -> None:
    words = "这种小事也值得天天打电话，你闲得慌吧"
    rows = [reviewed_turn(words, ["bh.rude"], n) for n in range(4)]
    material = gather_material([write(tmp_path / "a.jsonl", *rows)], load_catalogue(), small_corpus)
    found = compare(material, load_catalogue(), small_corpus)
    assert found.learned == 4
    assert not found.worse
    assert found.before.by_signal == found.after.by_signal
    assert found.before.by_element == found.after.by_element


def test_reviews_that_make_it_worse_are_refused(small_corpus: Path, tmp_path: Path) -> None:
    """A reviewer who calls every polite sentence rude, and every rude one polite."""
    lines = (small_corpus / "utterances-some.jsonl").read_text("utf-8").splitlines()
    agents = [row for row in map(json.loads, lines) if row["role"] == "agent"]
    turned = [
        reviewed_turn(row["text"], [] if "bh.rude" in row["labels"] else ["bh.rude"], n)
        for n, row in enumerate(agents)
    ]
    reviews, out = write(tmp_path / "bad.jsonl", *turned), tmp_path / "new.npz"
    with pytest.raises(WorseModelError, match="更差") as refused:
        retrain([reviews], out, load_catalogue(), corpus=small_corpus)
    assert "→" in str(refused.value)
    assert "--accept-worse" in str(refused.value)
    assert not out.exists()


def test_reviewed_turns_of_the_calls_compared_by_are_left_out(
    small_corpus: Path, tmp_path: Path
) -> None:
    known = json.loads((small_corpus / "dev-a.jsonl").open(encoding="utf-8").readline())["call_id"]
    row = reviewed_turn("您好", [], 0) | {"call_id": known}
    with pytest.raises(QcError, match="没有可以学习的句子"):
        retrain(
            [write(tmp_path / "own.jsonl", row)], tmp_path / "new.npz", load_catalogue(),
            corpus=small_corpus,
        )  # fmt: skip


def test_train_fails_before_training_where_it_cannot_write(tmp_path: Path) -> None:
    reviews = write(tmp_path / "r.jsonl", reviewed_turn("您好", [], 0))
    for out in ("weights.txt", "r.jsonl/weights.npz"):
        arguments = ["teach", "train", "--reviews", str(reviews), "--out", str(tmp_path / out)]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2
        assert "Traceback" not in result.output
