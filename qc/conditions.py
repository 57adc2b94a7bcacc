"""The rule language: what a catalogue rule may ask of a turn, and the one evaluator that answers.

A condition is a YAML mapping; all its keys must hold for a turn. `docs/rule-language.md` has an
example of every key.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from rapidfuzz import fuzz

from qc.order import AnsweredBy, CallKind, EndedBy, Order
from qc.text import plain, syllables
from qc.transcript import Role, Transcript, Turn

MIN_SOUND_ALIKE = 3  # characters of a cue from which on a homophone counts as heard
SYLLABLE_GAP = "'"


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
    has_site: bool | None = None
    resolved: bool | None = None
    asks_missing: bool | None = None  # the order lacks an element that the handler must ask
    upset: bool | None = None  # the citizen shows anger, fear, tears or reproach
    warned: bool | None = None  # a warning about abusive language was given and ignored


class Nearby(BaseModel):
    """Another condition that must hold for a turn near this one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: "Condition"
    turns: int = Field(default=1, ge=1)  # how many turns away at most
    seconds: float | None = Field(default=None, gt=0)  # and how many seconds, where times are known
    hits: int = Field(default=1, ge=1)  # how many such turns


class Condition(BaseModel):
    """What must hold for one turn. Keys of one mapping are joined by “and”."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    # words
    says: Phrases = ()  # any of these (or `at_least` of them)
    at_least: int = Field(default=1, ge=1)
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
    fast: bool | None = None
    faster_than: float | None = Field(default=None, gt=0)  # characters a second
    silence_over: float | None = Field(default=None, gt=0)  # seconds before this turn
    repeats: bool | None = None  # the same speaker said nearly the same before
    unfinished: bool | None = None  # breaks off in mid-sentence
    # neighbours
    after: Nearby | None = None
    before: Nearby | None = None
    around: Nearby | None = None
    call: CallContext | None = None
    # logic
    all: tuple["Condition", ...] = ()
    any: tuple["Condition", ...] = ()
    none: tuple["Condition", ...] = ()


@dataclass(frozen=True)
class Scene:
    """A transcript with the facts about its call: what conditions are asked of."""

    transcript: Transcript
    order: Order
    kind: CallKind
    answered_by: AnsweredBy = "petitioner"
    ended_by: EndedBy = "both"
    upset: bool = False
    warned: bool = False

    @cached_property
    def texts(self) -> tuple[str, ...]:
        return tuple(plain(turn.text) for turn in self.transcript.turns)

    @cached_property
    def sounds(self) -> tuple[str, ...]:
        return tuple(_sound(text) for text in self.texts)


@lru_cache(maxsize=65536)
def _sound(text: str) -> str:
    return SYLLABLE_GAP + SYLLABLE_GAP.join(syllables(text)) + SYLLABLE_GAP


@lru_cache(maxsize=16384)
def _cue(words: str) -> tuple[str, str]:
    """A cue as searched: its plain text, and its pinyin or "" where too short for that."""
    text = plain(words)
    return text, _sound(text) if len(text) >= MIN_SOUND_ALIKE else ""


def _heard(cues: Sequence[str], text: str, sound: str) -> list[str]:
    found = []
    for words in cues:
        as_text, as_sound = _cue(words)
        if as_text in text or (as_sound and as_sound in sound):
            found.append(words)
    return found


def holds_for_call(context: CallContext, scene: Scene) -> bool:
    """Whether every given fact is true of the call."""
    order = scene.order
    wanted_values = (
        (context.kind, scene.kind),
        (context.category, order.category),
        (context.answered_by, scene.answered_by),
        (context.ended_by, scene.ended_by),
    )
    if any(wanted and value not in wanted for wanted, value in wanted_values):
        return False
    wanted_facts = (
        (context.has_site, order.has_site),
        (context.resolved, order.resolved),
        (context.asks_missing, bool(order.missing_elements)),
        (context.upset, scene.upset),
        (context.warned, scene.warned),
    )
    return all(wanted is None or wanted == value for wanted, value in wanted_facts)


def find(condition: Condition, scene: Scene, index: int) -> tuple[str, ...] | None:
    """Ask a condition of one turn.

    Returns:
        The words that were heard (empty where the condition asks for none), or None where the
        condition does not hold.
    """
    turn = scene.transcript.turns[index]
    if not (
        _speaker_fits(condition, scene, turn)
        and _sound_fits(condition, scene, turn)
        and (condition.call is None or holds_for_call(condition.call, scene))
    ):
        return None
    heard = _words_fit(condition, scene, index)
    if heard is None or not _neighbours_fit(condition, scene, index):
        return None
    return _logic_fits(condition, scene, index, heard)


def _speaker_fits(condition: Condition, scene: Scene, turn: Turn) -> bool:
    if condition.role is not None and turn.role is not condition.role:
        return False
    if condition.position is None:
        return True
    own = scene.transcript.agent_turns if turn.is_agent else scene.transcript.citizen_turns
    return turn.index == own[0 if condition.position == "first" else -1].index


def _sound_fits(condition: Condition, scene: Scene, turn: Turn) -> bool:
    for wanted, value in (
        (condition.overlap, turn.overlap),
        (condition.fast, turn.fast),
    ):
        if wanted is not None and wanted != value:
            return False
    length = len(scene.texts[turn.index])
    if length < condition.min_characters:
        return False
    if condition.faster_than is not None:
        if turn.start is None or turn.end is None or turn.end <= turn.start:
            return False
        if length / (turn.end - turn.start) <= condition.faster_than:
            return False
    if condition.silence_over is not None:
        before = scene.transcript.before(turn.index)
        if not before or before[0].end is None or turn.start is None:
            return False
        if turn.start - before[0].end <= condition.silence_over:
            return False
    if condition.repeats is not None and condition.repeats != _repeats(scene, turn):
        return False
    return condition.unfinished is None or condition.unfinished == is_unfinished(turn.text)


def is_unfinished(text: str) -> bool:
    """Whether a sentence breaks off: a trailing comma, or no closing mark in a text with marks."""
    stripped = text.rstrip()
    if stripped.endswith(("，", ",", "—", "、", "-")):
        return True
    has_marks = bool(re.search(r"[，。？！,?!]", stripped))
    return has_marks and not stripped.endswith(
        ("。", "？", "！", "?", "!", "…", "”", ".", "~", "～")
    )


def _repeats(scene: Scene, turn: Turn) -> bool:
    text = scene.texts[turn.index]
    return len(text) >= MIN_SOUND_ALIKE and any(
        fuzz.ratio(text, scene.texts[earlier.index]) >= 85
        for earlier in scene.transcript.before(turn.index, turn.role, within=turn.index)
    )


def _words_fit(condition: Condition, scene: Scene, index: int) -> tuple[str, ...] | None:
    text, sound = scene.texts[index], scene.sounds[index]
    heard: list[str] = []
    if condition.says:
        heard = _heard(condition.says, text, sound)
        if len(heard) < condition.at_least:
            return None
    if condition.says_all:
        every = _heard(condition.says_all, text, sound)
        if len(every) < len(condition.says_all):
            return None
        heard += every
    if condition.says_none and _heard(condition.says_none, text, sound):
        return None
    if condition.matches:
        match = re.search(condition.matches, text)
        if not match:
            return None
        heard.append(match.group())
    if condition.matches_none and re.search(condition.matches_none, text):
        return None
    if condition.similar_to:
        close = [s for s in condition.similar_to if _alike(s, sound) >= condition.score]
        if not close:
            return None
        heard += close[:1]
    if condition.mentions:
        filed = getattr(scene.order, condition.mentions)
        if not filed or fuzz.partial_ratio(_sound(plain(filed)), sound) < condition.score:
            return None
        heard.append(filed)
    return tuple(heard)


def _alike(sentence: str, sound: str) -> float:
    return fuzz.ratio(_sound(plain(sentence)), sound)


def _neighbours_fit(condition: Condition, scene: Scene, index: int) -> bool:
    for nearby, reach in (
        (condition.after, (-1,)),
        (condition.before, (1,)),
        (condition.around, (-1, 1)),
    ):
        if nearby is not None and _count_nearby(nearby, scene, index, reach) < nearby.hits:
            return False
    return True


def _count_nearby(nearby: Nearby, scene: Scene, index: int, reach: Sequence[int]) -> int:
    turns = scene.transcript.turns
    places = [index + step * n for step in reach for n in range(1, nearby.turns + 1)]
    return sum(
        _within_seconds(nearby, turns[index], turns[place])
        and find(nearby.when, scene, place) is not None
        for place in places
        if 0 <= place < len(turns)
    )


def _within_seconds(nearby: Nearby, turn: Turn, other: Turn) -> bool:
    if nearby.seconds is None or turn.start is None or other.start is None:
        return True
    return abs(turn.start - other.start) <= nearby.seconds


def _logic_fits(
    condition: Condition, scene: Scene, index: int, heard: tuple[str, ...]
) -> tuple[str, ...] | None:
    for part in condition.all:
        found = find(part, scene, index)
        if found is None:
            return None
        heard += found
    if condition.any:
        options = [o for part in condition.any if (o := find(part, scene, index)) is not None]
        if not options:
            return None
        heard += tuple(words for option in options for words in option)
    if any(find(part, scene, index) is not None for part in condition.none):
        return None
    return heard
