"""The course of training: what is learned when, from what, how fast."""

from dataclasses import dataclass

from models.demo_asr.windows import FULL


@dataclass(frozen=True)
class Stage:
    """A part of the training."""

    name: str
    share: float  # of the minutes
    rate: tuple[float, float]  # learning rate at beginning and end
    kinds: dict[str, float]  # how often a batch is of which `Batch.kind`
    windows: dict[int, float]  # seconds of a window: how often
    encoder: bool = True  # learns
    decoder: bool = True  # learns, and is run on sound
    symbols_learn: bool = False
    sound_seconds: int = 120  # of a batch


SYMBOLS, SOUND, MIXED = {"symbols": 1.0}, {"sound": 1.0}, {"sound": 0.7, "symbols": 0.3}
# The decoder first, on symbols; then the encoder learns to say them; then both on sound.
FROM_NOTHING = (
    Stage("symbols, short", 0.10, (1.5e-3, 1.5e-3), SYMBOLS, {4: 1}, symbols_learn=True),
    Stage("symbols", 0.10, (1.5e-3, 1e-3), SYMBOLS, {8: 0.7, FULL: 0.3}, symbols_learn=True),
    Stage("encoder", 0.12, (1e-3, 1e-3), SOUND, {8: 1}, decoder=False),
    Stage("together, short", 0.28, (1e-3, 8e-4), MIXED, {8: 0.8, FULL: 0.2}),
    Stage("together", 0.40, (8e-4, 1e-4), MIXED, {8: 0.2, FULL: 0.8}),
)
# Slowly on, mostly on sound. More text put together of units alone, at a higher rate, was tried:
# the attention drifted from real frames, 2.7 % of syllables wrong became 8.4 %.
HEARING = {"sound": 0.65, "units": 0.35}
FURTHER = (Stage("hearing", 1.0, (1.5e-4, 5e-6), HEARING, {12: 0.4, FULL: 0.6}),)
