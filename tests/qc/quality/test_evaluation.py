"""The quality table: right figures for known disagreements."""

import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.judge.classifier import load_classifier
from qc.catalogue import load_catalogue
from qc.cli import app
from qc.errors import OrderError
from qc.inspect import inspect_call
from qc.quality.assessment import assess, bootstrap, changes, confuse
from qc.quality.distortion import distort
from qc.quality.evaluation import (
    FIGURES,
    Counts,
    Labels,
    attitude_behaviours,
    measure,
    read_labelled,
)
from qc.quality.report import quality_page

CORPUS = Path(__file__).parents[3] / "samples" / "corpus"


@pytest.fixture(scope="module")
def pairs():
    labelled = read_labelled([CORPUS / "dev-e.jsonl"])
    return [(inspect_call(c, load_catalogue(), load_classifier()), la) for c, la in labelled]


def with_behaviour(labels: Labels, rule: str, turn: int) -> Labels:
    row = labels.model_dump() | {"behaviours": [{"id": rule, "turns": [turn]}]}
    return Labels.model_validate(row)


def test_perfect_labels_give_perfect_figures(pairs) -> None:
    own = [
        (
            inspection,
            Labels(
                elements={e.id: e.status for e in inspection.elements},
                behaviours=[{"id": b.id, "turns": b.turns} for b in inspection.behaviours],
                citizen=[{"id": s.id, "turns": s.turns} for s in inspection.citizen],
                satisfaction=inspection.satisfaction,
            ),
        )
        for inspection, _ in pairs
    ]
    quality = measure(own, load_catalogue())
    assert quality.element_accuracy == quality.turn_hit == quality.satisfaction_accuracy == 1
    assert quality.element_defects.f1 == quality.behaviours.f1 == quality.signals.f1 == 1
    assert quality.false_alarms == 0
    assert not quality.mistakes


def test_a_missed_and_an_invented_behaviour_are_counted(pairs) -> None:
    inspection, labels = next((i, la) for i, la in pairs if not i.behaviours and not la.behaviours)
    wrong = with_behaviour(labels, "bh.rude", 0)
    quality = measure([(inspection, wrong)], load_catalogue())
    assert quality.by_behaviour["bh.rude"] == Counts(missed=1)
    assert quality.behaviours.recall == 0
    assert [m.rule for m in quality.mistakes if m.rule.startswith("bh.")] == ["bh.rude"]


def test_counts_follow_their_definitions() -> None:
    counts = Counts(hit=6, false=2, missed=4)
    assert (counts.precision, counts.recall) == (0.75, 0.6)
    assert counts.f1 == pytest.approx(2 * 0.75 * 0.6 / 1.35)


def test_the_bundled_weights_fit_the_calls_they_learned_from(pairs) -> None:
    """A floor that a broken feature or weights file falls through; no figure of quality."""
    quality = measure(pairs, load_catalogue())
    assert quality.element_accuracy > 0.9
    assert quality.behaviours.f1 > 0.9


def test_unlabelled_and_broken_lines_are_told(tmp_path: Path) -> None:
    call = {"kind": "reply", "turns": [{"role": "agent", "text": "您好"}]}
    (tmp_path / "a.jsonl").write_text(json.dumps(call), "utf-8")
    with pytest.raises(OrderError, match="没有 labels"):
        read_labelled([tmp_path / "a.jsonl"])
    (tmp_path / "b.jsonl").write_text("{", "utf-8")
    with pytest.raises(OrderError, match="第 1 行"):
        read_labelled([tmp_path / "b.jsonl"])


def test_the_behaviours_of_attitude_are_those_of_the_catalogue() -> None:
    catalogue = load_catalogue()
    rough = attitude_behaviours(catalogue)
    assert "bh.rude" in rough
    assert "bh.leak" not in rough
    mild = [
        rule.model_copy(update={"attitude_share": 0.5}) if rule.id == "bh.rude" else rule
        for rule in catalogue.behaviours
    ]
    changed = catalogue.model_copy(update={"behaviours": tuple(mild)})
    assert attitude_behaviours(changed) == rough - {"bh.rude"}


def test_every_figure_lies_in_its_interval(pairs) -> None:
    catalogue = load_catalogue()
    figures, intervals = measure(pairs, catalogue).figures, bootstrap(pairs, catalogue)
    for name in FIGURES:
        assert intervals[name].low <= figures[name] <= intervals[name].high
    assert intervals["element_accuracy"].low < intervals["element_accuracy"].high


def test_intervals_are_reproducible_and_narrow_with_more_calls(pairs) -> None:
    catalogue = load_catalogue()
    once = bootstrap(pairs, catalogue)
    assert once == bootstrap(pairs, catalogue)

    def width(intervals) -> float:
        return intervals["element_accuracy"].high - intervals["element_accuracy"].low

    assert width(bootstrap(pairs * 9, catalogue)) < width(once) / 2


def test_an_interval_covers_what_it_should() -> None:
    """Half of the calls right: the standard error of a share tells how wide it must be."""
    labelled = read_labelled([CORPUS / "dev-e.jsonl"])
    inspection = inspect_call(labelled[0][0], load_catalogue(), None)
    right = Labels(elements={"fc.greeting": inspection.elements[0].status})
    wrong = Labels(elements={"fc.greeting": "no such status"})
    pairs = [(inspection, right), (inspection, wrong)] * 50
    found = bootstrap(pairs, load_catalogue())["fc.greeting"]
    assert (found.low, found.high) == pytest.approx((0.5 - 0.098, 0.5 + 0.098), abs=0.02)


def test_one_behaviour_taken_for_another_is_told(pairs) -> None:
    inspection = next(i for i, _ in pairs if len(i.behaviours) == 1)
    found = inspection.behaviours[0].id
    other = "bh.leak" if found == "bh.rude" else "bh.rude"
    turns = inspection.behaviours[0].turns
    near = with_behaviour(Labels(), other, turns[0])
    assert confuse([(inspection, near)]).behaviours == {(other, found): 1}
    far = with_behaviour(Labels(), other, max(turns) + 9)
    table = confuse([(inspection, far)]).behaviours
    assert table == {(other, "none"): 1, ("none", found): 1}


def test_confusion_tables_count_every_call(pairs) -> None:
    confusion = confuse(pairs)
    assert sum(confusion.statuses.values()) == sum(len(la.elements) for _, la in pairs)
    assert sum(confusion.satisfaction.values()) == sum(i.kind == "reply" for i, _ in pairs)


def test_homophones_cost_something_and_simplified_text_nothing(pairs) -> None:
    catalogue, classifier = load_catalogue(), load_classifier()
    labelled = read_labelled([CORPUS / "dev-e.jsonl"])
    quality = measure(pairs, catalogue)

    def element_accuracy(title: str) -> tuple[float, float]:
        found = [
            (inspect_call(distort(call, title), catalogue, classifier), labels)
            for call, labels in labelled
        ]
        return changes(quality, measure(found, catalogue))["element_accuracy"]

    assert element_accuracy("繁体字")[1] == pytest.approx(0, abs=0.01)
    value, difference = element_accuracy("同音字 20%")
    assert difference == pytest.approx(value - quality.element_accuracy)
    assert difference != 0


def test_quotes_of_mistakes_hide_personal_data(pairs) -> None:
    inspection, labels = pairs[0]
    name = inspection.order.petitioner
    turn = next(t.index for t in inspection.transcript.turns if name in t.text)
    page = measure([(inspection, with_behaviour(labels, "bh.rude", turn))], load_catalogue())
    quote = next(m.quote for m in page.mistakes if m.rule == "bh.rude")
    assert quote
    assert name not in quote


def test_the_page_is_one_file_that_names_every_rule(pairs) -> None:
    catalogue = load_catalogue()
    assessment = assess(pairs, catalogue, {"同音字 10%": pairs})
    page = quality_page(assessment, catalogue, made_on=date(2024, 6, 11), source="<a>.jsonl")
    assert "<script" not in page
    assert "http" not in page
    assert "&lt;a&gt;.jsonl" in page
    for title in ("打断", "核对诉求", "扬言", "同音字 10%", "混淆表", "2024年6月11日"):
        assert title in page


def test_evaluate_prints_and_writes_what_it_found(tmp_path: Path) -> None:
    lines = (CORPUS / "dev-e.jsonl").read_text("utf-8").splitlines()[:6]
    (tmp_path / "calls.jsonl").write_text("\n".join(lines), "utf-8")
    arguments = [str(tmp_path / "calls.jsonl"), "--mistakes", "--robustness"]
    files = ["--json", str(tmp_path / "q.json"), "--html", str(tmp_path / "q.html")]
    result = CliRunner().invoke(app, ["evaluate", *arguments, *files])
    assert result.exit_code == 0, result.output
    for words in ("要素状态准确率", "95% 区间", "换一种写法"):
        assert words in result.output
    figures = json.loads((tmp_path / "q.json").read_text("utf-8"))
    assert figures["calls"] == 6
    low, high = figures["intervals"]["element_accuracy"]
    assert low <= figures["element_accuracy"] <= high
    assert set(figures["robustness"]) >= {"同音字 5%", "同音字 20%", "无标点", "繁体字", "数字换写"}
    assert "判定质量评测" in (tmp_path / "q.html").read_text("utf-8")


def test_evaluate_does_not_write_over_the_labelled_calls(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_text((CORPUS / "dev-e.jsonl").read_text("utf-8").splitlines()[0], "utf-8")
    result = CliRunner().invoke(app, ["evaluate", str(path), "--json", str(path)])
    assert result.exit_code == 2
    assert json.loads(path.read_text("utf-8"))["labels"]
