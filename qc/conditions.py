"""The rule language: what a catalogue rule may ask of a turn; `qc.scene` answers.

A condition is a YAML mapping; all its keys must hold for a turn. `docs/rule-language.md` has an
example of every key.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from qc.order import AnsweredBy, CallKind, EndedBy
from qc.text import plain
from qc.transcript import Role

OrderField = Literal[
    "order_id", "category", "petitioner", "gender", "issue", "address", "department", "handler"
]


def _checked_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"正则表达式“{pattern}”有误：{error}") from error
    return pattern


Pattern = Annotated[str, AfterValidator(_checked_pattern)]


def _with_words(phrases: tuple[str, ...]) -> tuple[str, ...]:
    for phrase in phrases:
        if not plain(phrase):
            raise ValueError(f"“{phrase}”只有标点，会命中每一句话")
    return phrases


Phrases = Annotated[tuple[str, ...], AfterValidator(_with_words)]


class CallContext(BaseModel):
    """Facts about the whole call; every key that is given must hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: tuple[CallKind, ...] = ()
    category: tuple[str, ...] = ()
    answered_by: tuple[AnsweredBy, ...] = ()
    ended_by: tuple[EndedBy, ...] = ()
    order: dict[OrderField, tuple[str, ...]] = {}  # the field holds one of these texts
    has_site: bool | None = None
    resolved: bool | None = None
    asks_missing: bool | None = None  # the order lacks an element that the handler must ask
    upset: bool | None = None  # the citizen shows anger, fear, tears or reproach
    warned: bool | None = None  # a warning about abusive language was given and ignored


class Nearby(BaseModel):
    """Another condition that must hold for a turn near this one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: "Condition"
    turns: int | None = Field(default=1, ge=1)  # how many turns away at most; None: anywhere
    seconds: float | None = Field(default=None, gt=0)  # and how many seconds, where times are known
    hits: int = Field(default=1, ge=1)  # how many such turns
    nth: int | None = None  # only the nth such turn of the call counts: 1 the first, -1 the last


class Silence(BaseModel):
    """A silence before a turn. Who does not break it is the one who waits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    over: float = Field(gt=0)  # seconds
    waits: Role | None = None
    unless: "Condition | None" = None  # excuses it where it holds for one of the turns before
    within: int = Field(default=2, ge=1)  # so many turns before


class Condition(BaseModel):
    """What must hold for one turn. Keys of one mapping are joined by “and”."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    # words
    says: Phrases = ()  # any of these (or `at_least` of them)
    at_least: int = Field(default=1, ge=1)
    times: int = Field(default=1, ge=1)  # how often they are said in the turn, all together
    says_all: Phrases = ()
    says_none: Phrases = ()
    matches: Pattern | None = None  # regular expression on text without punctuation
    matches_none: Pattern | None = None
    similar_to: tuple[str, ...] = ()  # sentences
    score: float = Field(default=85, ge=0, le=100)  # similarity from which on they count
    mentions: Literal["petitioner", "issue", "address", "department"] | None = None
    # speaker, place, sound
    role: Role | None = None
    position: Literal["first", "last"] | None = None  # of its speaker's turns
    min_characters: int = Field(default=0, ge=0)
    overlap: bool | None = None
    overlap_over: float | None = Field(default=None, gt=0)  # seconds of talking over the other
    cuts_off: bool | None = None  # takes the floor from the other, who does not finish
    fast: bool | None = None  # marked so where the turns are given
    faster_than: float | None = Field(default=None, gt=0)  # syllables a second
    faster_than_usual: float | None = Field(default=None, gt=0)  # times the speaker's own median
    louder_than: float | None = None  # dB above the speaker's own median
    higher_than: float | None = None  # semitones above the speaker's own median
    silence: Silence | None = None  # before this turn
    repeats: bool | None = None  # the same speaker said nearly the same before
    unfinished: bool | None = None  # breaks off in mid-sentence
    cut_short: bool | None = None  # the recording ends with it, in mid-sentence
    # neighbours
    after: Nearby | None = None
    before: Nearby | None = None
    around: Nearby | None = None
    same: Nearby | None = None  # this very turn, as the nth of its kind
    call: CallContext | None = None
    # logic
    all: tuple["Condition", ...] = ()
    any: tuple["Condition", ...] = ()
    none: tuple["Condition", ...] = ()
