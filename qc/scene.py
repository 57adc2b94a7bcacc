"""The one evaluator of the rule language: asks a condition of a turn of a call."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from rapidfuzz import fuzz

from qc.conditions import CallContext, Condition, Nearby, Silence
from qc.order import AnsweredBy, CallKind, EndedBy, Order
from qc.overtalk import find_cut_ins
from qc.text import is_unfinished, plain, syllables
from qc.transcript import Transcript, Turn

MIN_SOUND_ALIKE = 3  # characters of a cue from which on a homophone counts as heard
SYLLABLE_GAP = "'"


@dataclass(frozen=True)
class Scene:
    """A transcript with the facts about its call: what conditions are asked of."""

    transcript: Transcript
    order: Order
    kind: CallKind
    answered_by: AnsweredBy = "petitioner"
    ended_by: EndedBy = "both"
    upset_turns: frozenset[int] = frozenset()  # where the citizen shows anger, fear or reproach
    warned: bool = False
    doubtful: frozenset[int] = frozenset()  # turns that were hardly heard

    @property
    def upset(self) -> bool:
        return bool(self.upset_turns)

    @cached_property
    def cut_off_by(self) -> frozenset[int]:
        """Turns that cut the other speaker off, who does not finish the sentence."""
        return frozenset(c.turn for c in find_cut_ins(self.transcript) if not c.finished)

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


def _times(cues: Sequence[str], text: str, sound: str) -> int:
    """How often the cues are said, each by text or by sound, whichever finds more."""
    return sum(
        max(text.count(as_text), sound.count(as_sound) if as_sound else 0)
        for as_text, as_sound in map(_cue, cues)
    )


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
    for field, texts in context.order.items():
        filed = plain(str(getattr(order, field) or ""))
        if not any(plain(text) in filed for text in texts):
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
        (condition.fast, turn.fast and turn.rate is None),  # a rate that is known tells more
        (condition.cut_short, turn.cut_short),
    ):
        if wanted is not None and wanted != value:
            return False
    for over, measured in (
        (condition.faster_than, _rate(scene, turn) if condition.faster_than else None),
        (condition.faster_than_usual, turn.rate_ratio),
        (condition.louder_than, turn.loudness),
        (condition.higher_than, turn.pitch),
    ):
        if over is not None and (measured is None or measured <= over):
            return False
    if len(scene.texts[turn.index]) < condition.min_characters:
        return False
    if condition.overlap_over is not None and not _talks_over(scene, turn, condition.overlap_over):
        return False
    if condition.cuts_off is not None and condition.cuts_off != (turn.index in scene.cut_off_by):
        return False
    if condition.silence is not None and not _breaks(condition.silence, scene, turn):
        return False
    if condition.repeats is not None and condition.repeats != _repeats(scene, turn):
        return False
    return condition.unfinished is None or condition.unfinished == is_unfinished(turn.text)


def _rate(scene: Scene, turn: Turn) -> float | None:
    """Syllables a second; of a turn that is given with its times, from its length."""
    if turn.rate is not None or turn.confidence is not None:
        return turn.rate
    if turn.start is None or turn.end is None or turn.end <= turn.start:
        return None
    return len(scene.texts[turn.index]) / (turn.end - turn.start)


def _talks_over(scene: Scene, turn: Turn, seconds: float) -> bool:
    """Whether a turn starts over the other speaker's words and goes on so for that long."""
    other = [t for t in scene.transcript.turns[: turn.index] if t.role is not turn.role]
    if not other or other[-1].end is None or turn.start is None or turn.end is None:
        return False
    return min(other[-1].end, turn.end) - turn.start > seconds


def _breaks(silence: Silence, scene: Scene, turn: Turn) -> bool:
    """Whether a turn ends a silence that nothing excuses."""
    if silence.waits is turn.role or silence_before(scene, turn) <= silence.over:
        return False
    return not is_excused(silence, scene, turn)


def silence_before(scene: Scene, turn: Turn) -> float:
    """Seconds since anybody spoke; 0 before the first turn and where times are not known."""
    earlier = scene.transcript.turns[: turn.index]
    if turn.start is None or not earlier or earlier[-1].end is None:
        return 0.0
    return max(0.0, turn.start - max(t.end for t in earlier if t.end is not None))


def is_excused(silence: Silence, scene: Scene, turn: Turn) -> bool:
    """Whether something said shortly before a turn excuses the silence before it."""
    return silence.unless is not None and any(
        find(silence.unless, scene, earlier.index) is not None
        for earlier in scene.transcript.before(turn.index, within=silence.within)
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
        if len(heard) < condition.at_least or _times(heard, text, sound) < condition.times:
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
    last = len(scene.transcript.turns)
    for nearby, places in (
        (condition.after, range(index)),
        (condition.before, range(index + 1, last)),
        (condition.around, (*range(index), *range(index + 1, last))),
        (condition.same, (index,)),
    ):
        if nearby is not None and _count_nearby(nearby, scene, index, places) < nearby.hits:
            return False
    return True


def _count_nearby(nearby: Nearby, scene: Scene, index: int, places: Sequence[int]) -> int:
    turns = scene.transcript.turns
    reach = len(turns) if nearby.turns is None else nearby.turns
    near = [place for place in places if abs(place - index) <= reach]
    if nearby.nth is not None:
        nth = _nth(nearby.when, nearby.nth, scene)
        near = [place for place in near if place == nth]
    return sum(
        _within_seconds(nearby, turns[index], turns[place])
        and find(nearby.when, scene, place) is not None
        for place in near
    )


def _nth(condition: Condition, nth: int, scene: Scene) -> int | None:
    """Index of the nth turn of the call for which the condition holds; -1 is the last."""
    hits = [t.index for t in scene.transcript.turns if find(condition, scene, t.index) is not None]
    place = nth - 1 if nth > 0 else nth + len(hits)
    return hits[place] if 0 <= place < len(hits) else None


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
