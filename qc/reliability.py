"""Which turns can be relied on: nothing is held against a handler that was hardly heard.

A stretch of dialect, a poor line or an unsure recogniser gives no verdict: what may have been said
there is `undetermined` and goes to a person.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from qc.catalogue import Element, Reliability
from qc.text import plain
from qc.transcript import Stretch, Transcript, Turn

UNSURE_ROLES = 0.15  # margin below which the roles are reported as uncertain
MIN_CHARACTERS = 4  # a shorter turn can hide no element
EDGE_TURNS = 3  # of the handler, that make the opening and the ending of a call
MOST_OF_IT = 0.5  # share of a turn's time in doubtful stretches that makes it doubtful


@dataclass(frozen=True)
class Doubt:
    """A stretch that was hardly heard, in seconds, and why (Chinese)."""

    start: float
    end: float
    reasons: tuple[str, ...]


def find_doubts(transcript: Transcript, limits: Reliability) -> tuple[Doubt, ...]:
    """Stretches of the recording whose words are not to be relied on, in time order."""
    found = ((s, tuple(_reasons(s, limits))) for s in transcript.reliability)
    doubts = (Doubt(s.start, s.end, reasons) for s, reasons in found if reasons)
    return tuple(sorted(doubts, key=lambda doubt: doubt.start))


def _reasons(stretch: Stretch, limits: Reliability) -> Iterator[str]:
    if stretch.confidence < limits.min_confidence:
        yield "识别把握低"
    if stretch.mandarin is not None and stretch.mandarin < limits.min_mandarin:
        yield "可能不是普通话（方言或外语）"
    if stretch.no_speech > limits.max_no_speech:
        yield "可能无人说话"
    if stretch.compression_ratio > limits.max_compression:
        yield "识别文字前后重复"


def doubtful_turns(transcript: Transcript, limits: Reliability) -> frozenset[int]:
    """Turns whose words, or whose speaker, the recogniser is not sure of."""
    if transcript.role_margin < UNSURE_ROLES:
        return frozenset(turn.index for turn in transcript.turns)
    doubts = find_doubts(transcript, limits)
    return frozenset(
        turn.index
        for turn in transcript.turns
        if (turn.confidence is not None and turn.confidence < limits.min_confidence)
        or _lies_in(turn, doubts)
    )


def _lies_in(turn: Turn, doubts: tuple[Doubt, ...]) -> bool:
    if turn.start is None or turn.end is None:
        return False
    shared = (min(turn.end, d.end) - max(turn.start, d.start) for d in doubts)
    return sum(s for s in shared if s > 0) > MOST_OF_IT * (turn.end - turn.start)


def may_hide(element: Element, transcript: Transcript, doubtful: frozenset[int]) -> bool:
    """Whether a missing element may have been said in a turn that was hardly heard."""
    said = transcript.agent_turns
    places = {"opening": said[:EDGE_TURNS], "ending": said[-EDGE_TURNS:], "anywhere": said}
    return any(_is_hidden(turn, doubtful) for turn in places[element.place])


def _is_hidden(turn: Turn, doubtful: frozenset[int]) -> bool:
    return turn.index in doubtful and len(plain(turn.text)) >= MIN_CHARACTERS
