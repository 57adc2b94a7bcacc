"""Moments of a recording to listen to, with a tone over personal data.

A transcript knows when a turn begins and ends, not when each word is spoken. Words are taken to lie
evenly over their turn, and the tone is put over them with a margin that grows with the turn.
Pauses inside a turn shift words, so more is covered than needs be.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from numpy.typing import NDArray

from qc.audio import SAMPLE_RATE, Recording
from qc.errors import QcError
from qc.order import Order
from qc.privacy import MASK, find_personal
from qc.transcript import Turn

Cover = Literal["tone", "silence"]

MARGIN = 0.4  # seconds around personal data
MARGIN_SHARE = 0.12  # of the turn's length, added to it: words are not spread evenly
PAD = 0.25  # seconds before the first and after the last turn of a clip
TONE_HZ = 1000.0
TONE_LEVEL = 0.1  # of full scale: as loud as speech
BIT_RATE = 48_000  # bits a second
FRAME = 1024  # samples, of AAC


@dataclass(frozen=True)
class Stretch:
    """Seconds of a recording."""

    start: float
    end: float


def personal_stretches(turns: Sequence[Turn], order: Order | None = None) -> list[Stretch]:
    """Where personal data is spoken, as seconds; one stretch may cover several pieces.

    Args:
        turns: of the whole call, as spoken or already masked (an asterisk marks a hidden word).
        order: tells the petitioner's name and house number.
    """
    found = sorted(
        (s for turn in turns for s in _of_turn(turn, order)), key=lambda s: (s.start, s.end)
    )
    joined: list[Stretch] = []
    for stretch in found:
        if joined and stretch.start <= joined[-1].end:
            joined[-1] = Stretch(joined[-1].start, max(stretch.end, joined[-1].end))
        else:
            joined.append(stretch)
    return joined


def _of_turn(turn: Turn, order: Order | None) -> Iterator[Stretch]:
    if turn.start is None or turn.end is None or not turn.text:
        return
    hidden = [(s.start, s.end) for s in find_personal(turn.text, order)]
    hidden += [(i, i + 1) for i, sign in enumerate(turn.text) if sign == MASK]
    length = turn.end - turn.start
    margin = MARGIN + MARGIN_SHARE * length
    for first, last in hidden:
        start = turn.start + length * first / len(turn.text) - margin
        yield Stretch(max(0.0, start), turn.start + length * last / len(turn.text) + margin)


def cut_clip(
    recording: Recording,
    turns: Sequence[Turn],
    first: int,
    last: int,
    path: Path,
    *,
    order: Order | None = None,
    cover: Cover = "tone",
) -> Stretch:
    """Write turns `first` to `last` of a call as a clip (AAC in M4A); return where it lies.

    Args:
        turns: of the whole call, with times: what another says meanwhile may be personal, too.

    Raises:
        QcError: the turns have no times or lie outside the recording, or the file cannot be
            written.
    """
    spoken = [t for t in turns if first <= t.index <= last]
    times = [(t.start, t.end) for t in spoken if t.start is not None and t.end is not None]
    if len(times) < len(spoken) or not times:
        raise QcError("这几句话没有时间，剪不出片段", "请用识别引擎重新检查这段录音")
    start = max(0.0, min(start for start, _ in times) - PAD)
    end = min(recording.seconds, max(end for _, end in times) + PAD)
    if end <= start:
        raise QcError("这几句话的时间超出了录音的长度", "请确认录音与检查结果是同一通电话")
    sound = np.array(
        recording.samples[:, int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)], dtype=np.float32
    ).mean(axis=0)
    for hidden in personal_stretches(turns, order):
        _cover(sound, hidden.start - start, hidden.end - start, cover)
    _write(sound, path)
    return Stretch(start, end)


def _cover(sound: NDArray[np.float32], start: float, end: float, cover: Cover) -> None:
    a, b = (min(len(sound), max(0, int(at * SAMPLE_RATE))) for at in (start, end))
    when = np.arange(a, b) / SAMPLE_RATE
    sound[a:b] = TONE_LEVEL * np.sin(2 * np.pi * TONE_HZ * when) if cover == "tone" else 0.0


def _write(sound: NDArray[np.float32], path: Path) -> None:
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(part), "w", format="ipod") as container:
            stream = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
            stream.bit_rate = BIT_RATE
            for at in range(0, len(sound), FRAME):
                block = np.ascontiguousarray(sound[None, at : at + FRAME])
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = SAMPLE_RATE, at
                frame.time_base = Fraction(1, SAMPLE_RATE)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        part.replace(path)
    except (OSError, av.FFmpegError) as error:
        raise QcError(f"写不了录音片段 {path.name}", "请检查权限和磁盘空间") from error
