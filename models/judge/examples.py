"""Labelled utterances to learn from, read from `samples/corpus/`."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.judge.context import Utterance
from qc.catalogue import Catalogue
from qc.catalogue_check import rule_examples
from qc.conduct import SATISFACTIONS
from qc.evidence import as_utterance, hear_cues
from qc.order import Call, CallKind, Order
from qc.scene import Scene
from qc.slots import find_slots
from qc.transcript import Role, Transcript, Turn

CORPUS = Path(__file__).resolve().parents[2] / "samples" / "corpus"
RULE_WEIGHT = 5.0  # a rule's own example against a turn of the corpus
OWN_WEIGHT = 0.5  # of what was written for this project and labelled by its author only
REVIEW_WEIGHT = 3.0  # a turn that a reviewer has decided on
# Signals that only an upset citizen gives.
UPSET_SIGNALS = frozenset({"ct.abuse", "ct.threat", "ct.attitude_complaint"})


@dataclass(frozen=True)
class Example:
    """An utterance, its labels, and for which groups of labels these are complete.

    Groups are the parts of a label before the dot (`bh`, `ct`, `sat`), `facet` and `upset`, or
    a single label.
    """

    utterance: Utterance
    labels: frozenset[str]
    groups: frozenset[str]
    call_id: str = ""  # "" for a single utterance
    turn: int = -1
    weight: float = 1.0


def group_of(label: str) -> str:
    """The group of labels to which a label belongs (see `Example.groups`)."""
    head = label.partition(".")[0]
    return head if head in ("bh", "ct", "sat", "upset") else "facet"


def read_examples(catalogue: Catalogue, corpus: Path = CORPUS) -> list[Example]:
    """All labelled turns: the rules' own examples, single turns, and those of whole calls."""
    found = list(_examples_of_rules(catalogue))
    for path in sorted(corpus.glob("utterances-*.jsonl")):
        weight = OWN_WEIGHT if "-own-" in path.name else 1.0
        found += [_weighted(example_of_turn(row, catalogue), weight) for row in _rows(path)]
    for row in labelled_calls(corpus):
        weight = OWN_WEIGHT if str(row["call_id"]).startswith("own-") else 1.0
        found += [_weighted(e, weight) for e in examples_of_call(row, catalogue)]
    return found


def _weighted(example: Example, weight: float) -> Example:
    return replace(example, weight=example.weight * weight)


def labelled_calls(corpus: Path = CORPUS) -> Iterator[dict[str, Any]]:
    """Every labelled call as its file has it."""
    for path in sorted((*corpus.glob("dev-*.jsonl"), *corpus.glob("calls-*.jsonl"))):
        yield from _rows(path)


def _examples_of_rules(catalogue: Catalogue) -> Iterator[Example]:
    """The catalogue's examples; each settles its own rule only, and counts for several turns."""
    for label, expected, scene in rule_examples(catalogue):
        turn = scene.transcript.turns[-1]
        utterance = as_utterance(scene, turn, hear_cues(scene, catalogue, [turn]), {})
        hints = frozenset(h for h in utterance.hints if h.startswith("cue:"))
        yield Example(
            replace(utterance, hints=hints),
            frozenset({label} if expected else ()),
            frozenset({label}),
            weight=RULE_WEIGHT,
        )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def example_of_turn(row: Mapping[str, Any], catalogue: Catalogue) -> Example:
    """One turn with its context. Whether the call ended with it is unknown: cues assume so.

    A turn that was reviewed says for which labels only (`known`).
    """
    previous = [_spoken(line) for line in row.get("prev") or ()]
    spoken = [*previous, (Role(row["role"]), row["text"])]
    turns = tuple(Turn(i, role, text) for i, (role, text) in enumerate(spoken))
    last = Turn(
        len(turns) - 1,
        turns[-1].role,
        turns[-1].text,
        overlap=bool(row.get("overlap")),
        fast=bool(row.get("fast")),
    )
    scene = Scene(Transcript((*turns[:-1], last)), Order(), CallKind(row["kind"]), ended_by="agent")
    cues = hear_cues(scene, catalogue, [last])
    utterance = as_utterance(scene, last, cues, {})
    hints = frozenset(h for h in utterance.hints if h.startswith("cue:"))
    labels = {*row["labels"], *row.get("facets", ())}
    if row.get("satisfaction") in SATISFACTIONS:
        labels.add(f"sat.{row['satisfaction']}")
    return Example(
        replace(utterance, hints=hints),
        frozenset(labels),
        frozenset(row["known"] if "known" in row else _groups_of_single(row)),
        weight=REVIEW_WEIGHT if "known" in row else 1.0,
    )


def _spoken(line: str) -> tuple[Role, str]:
    return (Role.AGENT if line.startswith("A") else Role.CITIZEN), line[3:]


def _groups_of_single(row: Mapping[str, Any]) -> Iterable[str]:
    if row["role"] == "agent":
        yield "bh"
        if "facets" in row:
            yield "facet"
        return
    yield "ct"
    if row["kind"] == "reply":
        yield "sat"
    if row.get("upset_known"):
        yield "upset"


def examples_of_call(row: Mapping[str, Any], catalogue: Catalogue) -> Iterator[Example]:
    """Each turn of a labelled call."""
    call = Call.model_validate(row)
    scene = Scene(
        call.transcript(),
        call.order,
        call.kind,
        answered_by=call.answered_by or "petitioner",
        ended_by=call.ended_by or "both",
    )
    cues = hear_cues(scene, catalogue)
    marked = _labels_by_turn(row)
    facets = row.get("facets")
    for turn in scene.transcript.turns:
        slots = {turn.index: tuple(find_slots(turn.text, call.order))}
        labels = set(marked.get(turn.index, ()))
        groups = {"bh" if turn.is_agent else "ct"}
        if turn.is_agent and facets is not None:
            groups.add("facet")
            labels |= set(facets.get(str(turn.index), ()))
        if not turn.is_agent:
            labels |= set(row.get("moods", {}).get(str(turn.index), ()))
            groups |= _groups_of_citizen(row, labels)
            if labels & UPSET_SIGNALS:
                labels.add("upset")
        yield Example(
            as_utterance(scene, turn, cues, slots),
            frozenset(labels),
            frozenset(groups),
            call.call_id,
            turn.index,
        )


def _labels_by_turn(row: Mapping[str, Any]) -> dict[int, set[str]]:
    marked: dict[int, set[str]] = {}
    for label in (*row["labels"]["behaviours"], *row["labels"]["citizen"]):
        for index in label["turns"]:
            marked.setdefault(index, set()).add(label["id"])
    return marked


def _groups_of_citizen(row: Mapping[str, Any], labels: set[str]) -> set[str]:
    """What the call's labels settle for each of its citizen turns.

    Where `moods` were marked turn by turn, everything. Else satisfaction and upset are labelled
    for the call only: “none” and “nothing to soothe” hold for every turn, anything else for some
    turn that is not named.
    """
    if "moods" in row:
        named = any(m.startswith("sat.") for marks in row["moods"].values() for m in marks)
        settled = named or row["labels"]["satisfaction"] == "none"
        return {"upset", "sat"} if row["kind"] == "reply" and settled else {"upset"}
    groups = set()
    if row["kind"] == "reply" and row["labels"]["satisfaction"] == "none":
        groups.add("sat")
    calm = row["labels"]["elements"].get("fc.soothe") == "not_applicable"
    if (calm and row["answered_by"] != "wrong_number") or labels & UPSET_SIGNALS:
        groups.add("upset")
    return groups
