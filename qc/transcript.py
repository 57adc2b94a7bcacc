"""What was said, by whom and when: the value every check reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property


class Role(StrEnum):
    AGENT = "agent"
    CITIZEN = "citizen"


ROLE_TITLES = {Role.AGENT: "经办人", Role.CITIZEN: "市民"}


@dataclass(frozen=True)
class Turn:
    """One speaker's words until the other speaks. Times are seconds from the recording's start."""

    index: int
    role: Role
    text: str
    # sound; None or False where only text is known
    start: float | None = None
    end: float | None = None
    overlap: bool = False  # starts before the other speaker has finished
    fast: bool = False  # spoken hurriedly
    confidence: float | None = None  # recogniser's, 0..1
    rate: float | None = None  # syllables a second of voice
    rate_ratio: float | None = None  # that rate over the speaker's own median
    pitch: float | None = None  # semitones against the speaker's own median
    loudness: float | None = None  # dB against the speaker's own median
    cut_short: bool = False  # the recording ends with it, in mid-sentence

    @property
    def is_agent(self) -> bool:
        return self.role is Role.AGENT


@dataclass(frozen=True)
class Stretch:
    """How well the recogniser heard a stretch of the recording; see `models.recogniser.Segment`."""

    start: float  # seconds from the recording's start
    end: float
    confidence: float  # 0..1
    no_speech: float  # 0..1, that nobody spoke
    compression_ratio: float  # of the text; high where it repeats itself
    mandarin: float | None = None  # 0..1, that the language is Mandarin, if known


@dataclass(frozen=True)
class Transcript:
    """Turns in order of their beginning; `role_margin` is how sure the roles are, 0..1."""

    turns: tuple[Turn, ...]
    role_margin: float = 1.0
    reliability: tuple[Stretch, ...] = ()  # empty where only text is known

    def before(self, index: int, role: Role | None = None, within: int = 1) -> Sequence[Turn]:
        """Up to `within` turns just before turn `index`, of `role` or of both, oldest first."""
        earlier = [t for t in self.turns[:index] if role is None or t.role is role]
        return earlier[-within:]

    @cached_property
    def agent_turns(self) -> tuple[Turn, ...]:
        return tuple(t for t in self.turns if t.is_agent)

    @cached_property
    def citizen_turns(self) -> tuple[Turn, ...]:
        return tuple(t for t in self.turns if not t.is_agent)
