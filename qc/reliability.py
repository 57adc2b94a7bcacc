"""Which turns can be relied on: nothing is held against a handler that was hardly heard.

A stretch of dialect, a poor line or an unsure recogniser gives no verdict: what may have been said
there is `undetermined` and goes to a person.
"""

from qc.catalogue import Element
from qc.text import plain
from qc.transcript import Transcript, Turn

UNSURE_ROLES = 0.15  # margin below which the roles are reported as uncertain
MIN_CHARACTERS = 4  # a shorter turn can hide no element
EDGE_TURNS = 3  # of the handler, that make the opening and the ending of a call


def doubtful_turns(transcript: Transcript, min_confidence: float) -> frozenset[int]:
    """Turns whose words, or whose speaker, the recogniser is not sure of."""
    unsure_roles = transcript.role_margin < UNSURE_ROLES
    return frozenset(
        turn.index
        for turn in transcript.turns
        if unsure_roles or (turn.confidence is not None and turn.confidence < min_confidence)
    )


def may_hide(element: Element, transcript: Transcript, doubtful: frozenset[int]) -> bool:
    """Whether a missing element may have been said in a turn that was hardly heard."""
    said = transcript.agent_turns
    places = {"opening": said[:EDGE_TURNS], "ending": said[-EDGE_TURNS:], "anywhere": said}
    return any(_is_hidden(turn, doubtful) for turn in places[element.place])


def _is_hidden(turn: Turn, doubtful: frozenset[int]) -> bool:
    return turn.index in doubtful and len(plain(turn.text)) >= MIN_CHARACTERS
