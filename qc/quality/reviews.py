"""What reviewers say of findings, and the labelled turns that can be learned from it.

A review settles one rule for one turn and nothing else: the exported turn says so in `known`, and
training uses it for those labels only. Where two reviews of the same turn and rule differ, the
later one holds (an appeal that was upheld comes after the review it corrects).
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from models.judge.context import PREVIOUS_TURNS
from qc.catalogue import Catalogue
from qc.conduct import SATISFACTIONS
from qc.errors import OrderError, QcError, what_is_wrong
from qc.filed import Moment
from qc.order import Call, CallKind, Filed, OptionalText, Text, read_lines
from qc.privacy import MASK, mask
from qc.text import plain
from qc.transcript import Role, Turn

Decision = Literal["confirm", "overturn", "missed"]
DECISION_TITLES: dict[Decision, str] = {
    "confirm": "确认",
    "overturn": "推翻",
    "missed": "补报",  # the machine did not find what a person heard
}

FoundTurns = Mapping[str, Mapping[str, Sequence[int]]]  # call id -> rule id -> turns
Model = TypeVar("Model", bound=BaseModel)


class Review(Filed):
    """A person's word on a finding.

    `rule_id` is a behaviour, signal, facet, `sat.*`, `upset` or script element. The turn is told by
    its number, by a quote of it, or else it is every turn of the finding.
    """

    call_id: Text
    rule_id: Text
    decision: Decision
    turn: int | None = None
    quote: OptionalText = None
    comment: Text = ""
    reviewer: Text
    at: Moment


class ReviewedTurn(BaseModel):
    """A turn with what reviewers settled of it: a line of `utterances-*.jsonl` and more.

    `labels` are the rules that it carries, `known` those that it was asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: CallKind
    prev: tuple[str, ...]
    role: Role
    text: str
    overlap: bool = False
    fast: bool = False
    labels: tuple[str, ...]
    known: tuple[str, ...]
    call_id: str
    turn: int


@dataclass(frozen=True)
class Unused:
    """A review that nothing can be learned from, and why (Chinese)."""

    review: Review
    reason: str


@dataclass(frozen=True)
class Lesson:
    """What was made of the reviews."""

    turns: tuple[ReviewedTurn, ...]
    unused: tuple[Unused, ...]


def read_reviews(paths: Iterable[Path]) -> list[Review]:
    """Reviews, one JSON object a line.

    Raises:
        OrderError: a file cannot be read or a line is no review.
    """
    return _read(paths, Review, "请对照 samples/corpus/README.md 中的复核意见格式修改")


def read_reviewed_turns(paths: Iterable[Path]) -> list[ReviewedTurn]:
    """Turns as `hotline-qc teach export` wrote them.

    Raises:
        OrderError: a file cannot be read or a line is no such turn.
    """
    return _read(paths, ReviewedTurn, "这里要用 hotline-qc teach export 写出的文件")


def _read(paths: Iterable[Path], model: type[Model], hint: str) -> list[Model]:
    found = []
    for path in paths:
        for number, line in read_lines(path):
            where = f"{path.name} 第 {number} 行"
            try:
                found.append(model.model_validate(json.loads(line)))
            except ValidationError as error:
                place, reason = what_is_wrong(error)
                raise OrderError(f"{where}：“{place}”{reason}", hint) from error
            except (ValueError, RecursionError) as error:
                raise OrderError(f"{where} 不是有效的 JSON", hint) from error
    return found


def read_found_turns(path: Path) -> FoundTurns:
    """Turns of the findings that `hotline-qc inspect --calls … --json` wrote.

    Raises:
        OrderError: the file cannot be read or a line is no inspection.
    """
    found: dict[str, dict[str, Sequence[int]]] = {}
    for number, line in read_lines(path):
        try:
            row: Any = json.loads(line)
            findings = [*row["behaviours"], *row["citizen"]]
            found[str(row["call_id"])] = {str(f["id"]): [*map(int, f["turns"])] for f in findings}
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise OrderError(
                f"{path.name} 第 {number} 行不是质检结果",
                "请用 inspect --calls … --json 写出的文件",
            ) from error
    return found


def learn_from(
    reviews: Sequence[Review],
    calls: Sequence[Call],
    catalogue: Catalogue,
    found: FoundTurns | None = None,
    *,
    unmasked: bool = False,
) -> Lesson:
    """Turn reviews into labelled turns.

    Args:
        calls: the reviewed calls with their turns.
        found: turns of the stored findings, for reviews that name neither turn nor quote.
        unmasked: keep personal data in the texts.
    """
    by_id = {call.call_id: call for call in calls}
    settled: dict[tuple[str, int], dict[str, bool]] = {}
    unused = []
    for review in sorted(reviews, key=lambda r: r.at):
        try:
            label = _learned_label(review, catalogue)
            call = _call_of(review, by_id)
            for turn in _turns_of(review, call, label, (found or {}).get(call.call_id, {})):
                settled.setdefault((call.call_id, turn), {})[label] = review.decision != "overturn"
        except QcError as reason:
            unused.append(Unused(review, str(reason)))
    turns = [
        _reviewed_turn(by_id[call_id], turn, settled[call_id, turn], unmasked)
        for call_id, turn in sorted(settled)
    ]
    return Lesson(tuple(turns), tuple(unused))


def _learned_label(review: Review, catalogue: Catalogue) -> str:
    """The label of the learned layer that a review settles."""
    rule = review.rule_id
    own = {*catalogue.facets, "upset", *(f"sat.{value}" for value in SATISFACTIONS)}
    own |= {b.id for b in catalogue.behaviours} | {s.id for s in catalogue.signals}
    if rule in own:
        return rule
    elements = {e.id: e for kind in catalogue.elements.values() for e in kind}
    if rule not in elements:
        raise QcError(f"没有编号为 {rule} 的规则", "请检查拼写")
    if review.decision != "missed":
        raise QcError(
            "对要素的确认或推翻没有说明是哪句话、哪一项内容",
            "请用 missed 指出说到的那句，或直接复核其中的一项（facets.yaml）",
        )
    needed = elements[rule].met
    facets = {f for part in needed for f in (*part.all, *part.any)}
    if len(facets) != 1 or any(part.every_missing for part in needed):
        raise QcError(
            f"要素“{elements[rule].title}”由几项内容组成",
            f"请写明是哪一项：{'、'.join(sorted(facets)) or 'collect.*'}",
        )
    return facets.pop()


def _call_of(review: Review, calls: Mapping[str, Call]) -> Call:
    if review.call_id not in calls:
        raise QcError(f"没有给出通话 {review.call_id} 的文字", "请用 --calls 提供")
    return calls[review.call_id]


def _turns_of(
    review: Review, call: Call, label: str, found: Mapping[str, Sequence[int]]
) -> Sequence[int]:
    """The turns that a review speaks of, all of the right speaker."""
    turns = call.transcript().turns
    role = Role.CITIZEN if label.startswith(("ct.", "sat.", "upset")) else Role.AGENT
    if review.turn is not None:
        named: Sequence[int] = [review.turn]
    elif review.quote:
        named = _quoted(review.quote, turns, role)
    else:
        named = found.get(review.rule_id, ())
    if not named:
        raise QcError("找不到所指的那句话", "请写明 turn（从 0 数起）或 quote")
    for index in named:
        if not 0 <= index < len(turns):
            raise QcError(f"通话 {call.call_id} 没有第 {index} 句", "句子从 0 数起")
        if turns[index].role is not role:
            who = "经办人" if role is Role.AGENT else "市民"
            raise QcError(f"第 {index} 句不是{who}说的", "请核对 turn")
    return named


def _quoted(quote: str, turns: Sequence[Turn], role: Role) -> Sequence[int]:
    """The first turn that holds the quote, whose personal data may be hidden."""
    pieces = [re.escape(plain(piece)) for piece in re.split(rf"{re.escape(MASK)}+", quote)]
    pattern = re.compile(".*".join(pieces))
    if not "".join(pieces):
        return ()
    return [t.index for t in turns if t.role is role and pattern.search(plain(t.text))][:1]


def _reviewed_turn(
    call: Call, index: int, settled: Mapping[str, bool], unmasked: bool
) -> ReviewedTurn:
    spoken = [
        text if unmasked else mask(text, call.order) for text in (turn.text for turn in call.turns)
    ]
    before = range(max(0, index - PREVIOUS_TURNS), index)
    letters = {Role.AGENT: "A", Role.CITIZEN: "C"}
    turn = call.turns[index]
    return ReviewedTurn(
        kind=call.kind,
        prev=tuple(f"{letters[call.turns[i].role]}: {spoken[i]}" for i in before),
        role=turn.role,
        text=spoken[index],
        overlap=turn.overlap,
        fast=turn.fast,
        labels=tuple(sorted(label for label, carried in settled.items() if carried)),
        known=tuple(sorted(settled)),
        call_id=call.call_id,
        turn=index,
    )
