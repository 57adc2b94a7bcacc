"""Practice sheets: a dialogue with gaps where a trainee's habits are, and what to say there."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from qc.catalogue import Catalogue, Example, read_yaml
from qc.order import KIND_TITLES, CallKind
from qc.transcript import Role

DIALOGUES = Path(__file__).parents[1] / "templates" / "practice.yaml"
MIN_GAPS = 3  # a dialogue with fewer is no exercise; the heaviest elements are left out, too
SITUATIONS = 2  # citizen's words to answer, for each behaviour


@dataclass(frozen=True)
class PracticeLine:
    """A line of the dialogue. In a gap the text is the reference wording, to be hidden."""

    role: Role
    text: str
    element: str = ""  # title of the script element that it conveys
    gap: int = 0  # number of the gap, from 1; 0 for none


@dataclass(frozen=True)
class Situation:
    """What the citizen said, where others answered with a prohibited behaviour."""

    number: int
    before: tuple[str, ...]  # turns, each “市民：…” or “经办人：…”
    behaviour: str  # title of the behaviour to avoid
    wrong: str  # what was said
    reference: str  # what to say
    standard: str  # the standard phrase of the rule


@dataclass(frozen=True)
class PracticeSheet:
    kind: CallKind
    lines: tuple[PracticeLine, ...]
    situations: tuple[Situation, ...]

    @property
    def title(self) -> str:
        return f"{KIND_TITLES[self.kind]}话术练习"

    @property
    def gaps(self) -> tuple[PracticeLine, ...]:
        return tuple(line for line in self.lines if line.gap)


@lru_cache(maxsize=1)
def _dialogues() -> dict[str, dict[str, list[dict[str, str]]]]:
    return read_yaml(DIALOGUES)


def practice_sheet(
    kind: CallKind, elements: Collection[str], behaviours: Sequence[str], catalogue: Catalogue
) -> PracticeSheet:
    """A sheet on some script elements and behaviours (ids); at least `MIN_GAPS` gaps."""
    rules = {rule.id: rule for rule in catalogue.elements[kind]}
    rows = _dialogues()[kind.value]["lines"]
    there = [row["element"] for row in rows if row.get("element") in rules]
    wanted = [element for element in there if element in elements]
    heaviest = sorted(there, key=lambda element: -rules[element].weight)
    missed = {*wanted, *[e for e in heaviest if e not in wanted][: max(0, MIN_GAPS - len(wanted))]}
    lines: list[PracticeLine] = []
    gaps = 0
    for row in rows:
        element = row.get("element", "")
        gaps += element in missed
        title = rules[element].title if element in rules else ""
        gap = gaps if element in missed else 0
        lines.append(PracticeLine(Role(row["role"]), row["text"], title, gap))
    return PracticeSheet(kind, tuple(lines), _situations(behaviours, catalogue))


def _situations(behaviours: Sequence[str], catalogue: Catalogue) -> tuple[Situation, ...]:
    found: list[Situation] = []
    for rule in catalogue.behaviours:
        if rule.id not in behaviours:
            continue
        wrong = [e for e in rule.examples.yes if isinstance(e, Example) and e.prev]
        right = [e for e in rule.examples.no if isinstance(e, Example)]
        for example in wrong[:SITUATIONS]:
            same = [e.text for e in right if e.prev == example.prev]
            found.append(
                Situation(
                    number=len(found) + 1,
                    before=tuple(spoken(turn) for turn in example.prev),
                    behaviour=rule.title,
                    wrong=example.text,
                    reference=same[0] if same else rule.instead,
                    standard=rule.instead,
                )
            )
    return tuple(found)


def spoken(turn: str) -> str:
    """A turn of an example, “C: …”, for people."""
    role, _, text = turn.partition(": ")
    return f"{'市民' if role == 'C' else '经办人'}：{text}"
