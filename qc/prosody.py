"""How each turn is spoken, against the speaker's own habit: rate, pitch, loudness.

Nothing here judges: what is too fast or too loud stands in `scripts_catalog/`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from models.recogniser import Word
from qc.audio import SAMPLE_RATE
from qc.text import plain
from qc.transcript import Role, Transcript, Turn

MIN_SYLLABLES = 6  # of a shorter turn the error of the word times is too large a share
MIN_CONFIDENCE = 0.75  # below, the recogniser may have written more than was said
MIN_TURNS = 3  # measured turns of a speaker from which on a median is a habit
VOICED_PAUSE = 0.1  # seconds without a word from which on nobody speaks
LONGEST_SYLLABLE = 0.3  # seconds of voice; recognisers stretch the last one into the pause

# Praat's autocorrelation finds the period of a voice even where the telephone has cut its
# fundamental off. Limits in Hz cover adults; coarse steps are enough for the median of a turn.
PITCH_FLOOR, PITCH_CEILING = 75.0, 500.0
PITCH_STEP = 0.05  # seconds
MIN_PITCH_FRAMES = 5  # voiced steps of a turn, a quarter of a second
SEMITONES = 12  # an octave


def speaking_rate(words: Sequence[Word]) -> float | None:
    """Syllables a second of voice, the pauses left out.

    A Chinese character is a syllable. None where too little was said, or too little of it is sure.
    """
    count = sum(map(_syllables, words))
    confidence = sum(word.confidence for word in words) / max(1, len(words))
    if count < MIN_SYLLABLES or confidence < MIN_CONFIDENCE:
        return None
    voiced = sum(_voiced(words))
    return count / voiced if voiced > 0 else None


def _syllables(word: Word) -> int:
    return len(plain(word.text))


def _voiced(words: Sequence[Word]) -> Iterator[float]:
    """Seconds of voice from each word to the next, without the pauses."""
    nexts = [following.start for following in words[1:]] + [words[-1].end]
    for word, following in zip(words, nexts, strict=True):
        end = following if following - word.end < VOICED_PAUSE else word.end
        yield min(end - word.start, LONGEST_SYLLABLE * max(1, _syllables(word)))


def with_prosody(transcript: Transcript, samples: NDArray[np.float32]) -> Transcript:
    """Each turn's rate, pitch and loudness against the median of its speaker's turns.

    Args:
        transcript: turns with times, and their `rate`.
        samples: (channels, n) at `SAMPLE_RATE`; each speaker is measured in the channel in which
            their turns are louder.
    """
    turns = transcript.turns
    powers = {turn.index: _powers(turn, samples) for turn in turns}
    channels = {role: _channel(role, transcript, powers) for role in Role}
    levels = {t.index: 10 * np.log10(powers[t.index][channels[t.role]] + 1e-10) for t in turns}
    pitches = {turn.index: _pitch(turn, samples[channels[turn.role]]) for turn in turns}
    usual_level = _medians(turns, levels, least=1)
    usual_pitch = _medians(turns, pitches, MIN_TURNS)
    usual_rate = _medians(turns, {turn.index: turn.rate for turn in turns}, MIN_TURNS)
    return replace(
        transcript,
        turns=tuple(
            replace(
                turn,
                rate_ratio=_rounded(turn.rate, usual_rate[turn.role], ratio=True),
                pitch=_rounded(pitches[turn.index], usual_pitch[turn.role]),
                loudness=_rounded(levels[turn.index], usual_level[turn.role]),
            )
            for turn in turns
        ),
    )


def _powers(turn: Turn, samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean power of a turn in each channel, (channels,)."""
    cut = _cut(turn, samples).astype(np.float64)
    return np.square(cut).mean(axis=1) if cut.size else np.zeros(len(samples))


def _cut(turn: Turn, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    start, end = (int((at or 0.0) * SAMPLE_RATE) for at in (turn.start, turn.end))
    return samples[..., start : max(end, start + 1)]


def _channel(role: Role, transcript: Transcript, powers: dict[int, NDArray[np.float64]]) -> int:
    own = [powers[turn.index] for turn in transcript.turns if turn.role is role]
    return int(np.median(own, axis=0).argmax()) if own else 0


def _pitch(turn: Turn, channel: NDArray[np.float32]) -> float | None:
    """Median fundamental frequency, semitones above 1 Hz; None without parselmouth or voice."""
    praat = _praat()
    sound = _cut(turn, channel).astype(np.float64)
    if praat is None or len(sound) < MIN_PITCH_FRAMES * PITCH_STEP * SAMPLE_RATE:
        return None
    found = praat.Sound(sound, SAMPLE_RATE).to_pitch_ac(
        time_step=PITCH_STEP, pitch_floor=PITCH_FLOOR, pitch_ceiling=PITCH_CEILING
    )
    frequencies = found.selected_array["frequency"]
    voiced = frequencies[frequencies > 0]
    if len(voiced) < MIN_PITCH_FRAMES:
        return None
    return SEMITONES * float(np.log2(np.median(voiced)))


@cache
def _praat() -> ModuleType | None:
    """Praat as a library: GPL, hence the optional extra `pitch`."""
    try:
        import parselmouth
    except ImportError:
        return None
    return parselmouth


def _medians(
    turns: Sequence[Turn], values: dict[int, float | None], least: int
) -> dict[Role, float | None]:
    """Median of each speaker's measured turns; None where fewer than `least` were."""
    medians: dict[Role, float | None] = {}
    for role in Role:
        own = [v for t in turns if t.role is role and (v := values[t.index]) is not None]
        medians[role] = float(np.median(own)) if len(own) >= least else None
    return medians


def _rounded(value: float | None, usual: float | None, *, ratio: bool = False) -> float | None:
    if value is None or usual is None:
        return None
    return round(value / usual, 2) if ratio else round(value - usual, 1)
