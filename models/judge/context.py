"""An utterance with what the classifier may know about it."""

from dataclasses import dataclass

from qc.transcript import Role

PREVIOUS_TURNS = 4  # turns of context kept, both speakers


@dataclass(frozen=True)
class Utterance:
    """One turn in its context; `previous` holds (role, text), oldest first."""

    kind: str  # first_contact | reply
    role: Role
    text: str
    previous: tuple[tuple[Role, str], ...] = ()
    overlap: bool = False
    fast: bool = False
    # what the layers before found: cue hits (`cue:bh.rude`), slots (`slot:date`), circumstances
    hints: frozenset[str] = frozenset()

    def last_said_by(self, role: Role) -> str:
        """Text of the last earlier turn of `role`, "" where there is none."""
        return next((text for who, text in reversed(self.previous) if who is role), "")
