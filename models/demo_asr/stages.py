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
# Units are not quite what the encoder says; with too few real frames the attention drifts.
UNITS = {"units": 0.5, "encoded": 0.42, "sound": 0.08}
SETTLING = {"units": 0.35, "encoded": 0.45, "sound": 0.2}

# The decoder first, on symbols; then the encoder learns to say them; then both on sound.
FROM_NOTHING = (
    Stage("symbols, short", 0.10, (1.5e-3, 1.5e-3), SYMBOLS, {4: 1}, symbols_learn=True),
    Stage("symbols", 0.10, (1.5e-3, 1e-3), SYMBOLS, {8: 0.7, FULL: 0.3}, symbols_learn=True),
    Stage("encoder", 0.12, (1e-3, 1e-3), SOUND, {8: 1}, decoder=False),
    Stage("together, short", 0.28, (1e-3, 8e-4), MIXED, {8: 0.8, FULL: 0.2}),
    Stage("together", 0.40, (8e-4, 1e-4), MIXED, {8: 0.2, FULL: 0.8}),
)
# With an encoder that hears well: much text, put together of what the encoder says.
FURTHER = (
    Stage("language", 0.7, (3e-4, 1.5e-4), UNITS, {12: 0.6, FULL: 0.4}, encoder=False),
    Stage("settling", 0.3, (1.5e-4, 1e-5), SETTLING, {FULL: 1}, encoder=False),
)
