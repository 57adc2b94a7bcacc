"""Says a call: two voices that take turns, pause and interrupt, mono or one voice a channel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.demo_asr.speech import SAMPLE_RATE, VOICES, speak
from models.demo_asr.spoken import spoken, utterances

LEVEL = 0.6  # of espeak-ng's full level, so that two voices at once do not clip
LEAD_IN = 0.3  # seconds of silence before the first turn and after the last
SENTENCE_PAUSE = (0.1, 0.3)  # seconds between sentences of a turn
TURN_PAUSE = (0.2, 0.7)  # seconds between turns
OVERLAP = (0.4, 1.0)  # seconds an interrupting turn starts before the other one ends
FAST = 1.45  # times the speaker's usual rate


@dataclass(frozen=True)
class Turn:
    """What one side says next."""

    role: Literal["agent", "citizen"]
    text: str
    overlap: bool = False  # starts before the other one has finished
    fast: bool = False
    pause: float | None = None  # seconds before it; None: drawn at random


@dataclass(frozen=True)
class Voice:
    """How a speaker sounds, see `speech.speak`."""

    name: str = "f2"
    rate: int = 180
    pitch: int = 50
    pitch_range: int = 50
    level: float = LEVEL


@dataclass(frozen=True)
class SpokenTurn:
    """A turn with its time, in seconds of the rendered call."""

    turn: Turn
    start: float
    end: float
    characters: tuple[tuple[float, float], ...]  # seconds, one span for each character said


@dataclass(frozen=True)
class SpokenCall:
    """A rendered call. Channel 0 is the agent's, channel 1 the citizen's, where there are two."""

    samples: NDArray[np.float32]  # (1 or 2, n) at 16 kHz
    turns: tuple[SpokenTurn, ...]

    @property
    def seconds(self) -> float:
        return self.samples.shape[1] / SAMPLE_RATE

    @property
    def mono(self) -> NDArray[np.float32]:
        """(n,) both speakers together."""
        return self.samples.sum(0)


def draw_voices(seed: int) -> tuple[Voice, Voice]:
    """Two different voices for (agent, citizen)."""
    random = np.random.default_rng(seed)
    names = random.permutation(VOICES)[:2]
    agent, citizen = (
        Voice(str(name), int(random.integers(165, 216)), int(random.integers(30, 71)))
        for name in names
    )
    return agent, citizen


def say_turn(
    turn: Turn, voice: Voice, random: np.random.Generator
) -> tuple[NDArray[np.float32], tuple[tuple[float, float], ...]]:
    """Samples (n,) of one turn and the span of each character."""
    rate = int(voice.rate * (FAST if turn.fast else 1))
    pieces: list[NDArray[np.float32]] = []
    spans: list[tuple[float, float]] = []
    count = 0
    for text in utterances(spoken(turn.text)):
        if pieces:
            pause = np.zeros(int(random.uniform(*SENTENCE_PAUSE) * SAMPLE_RATE), np.float32)
            pieces.append(pause)
            count += len(pause)
        said = speak(text, voice.name, rate, voice.pitch, voice.pitch_range)
        start = count / SAMPLE_RATE
        spans += [(start + a, start + b) for a, b in said.characters]
        pieces.append(said.samples * np.float32(voice.level))
        count += len(said.samples)
    return (np.concatenate(pieces) if pieces else np.zeros(0, np.float32)), tuple(spans)


def render(
    turns: Sequence[Turn],
    voices: tuple[Voice, Voice] | None = None,
    *,
    seed: int = 0,
    stereo: bool = False,
    longest: float | None = None,
) -> SpokenCall:
    """Say a call.

    Args:
        turns: in order; those with nothing to say are left out.
        voices: of agent and citizen; drawn by `seed` when None.
        seed: of voices and pauses; the same seed gives the same sound.
        stereo: one speaker a channel (agent first) rather than both in one.
        longest: seconds after which no further turn begins.
    """
    agent, citizen = voices or draw_voices(seed)
    random = np.random.default_rng(seed + 1)
    placed: list[tuple[int, NDArray[np.float32], SpokenTurn]] = []
    now = LEAD_IN
    for turn in turns:
        samples, spans = say_turn(turn, agent if turn.role == "agent" else citizen, random)
        pause = random.uniform(*TURN_PAUSE) if turn.pause is None else turn.pause
        if not len(samples):
            continue
        if placed:
            now += -random.uniform(*OVERLAP) if turn.overlap else pause
        start = max(0.0, now)
        end = start + len(samples) / SAMPLE_RATE
        if longest is not None and end > longest and placed:
            break
        times = tuple((start + a, start + b) for a, b in spans)
        placed.append((int(start * SAMPLE_RATE), samples, SpokenTurn(turn, start, end, times)))
        now = end
    last = max((spoken_turn.end for _, _, spoken_turn in placed), default=0.0)
    mix = np.zeros((2 if stereo else 1, int((last + LEAD_IN) * SAMPLE_RATE) + 1), np.float32)
    for first, samples, spoken_turn in placed:
        channel = 1 if stereo and spoken_turn.turn.role == "citizen" else 0
        mix[channel, first : first + len(samples)] += samples
    return SpokenCall(mix, tuple(spoken_turn for _, _, spoken_turn in placed))
