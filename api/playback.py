"""What the workbench plays: a copy that every browser can play, and peaks for the waveform."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np

from qc.audio import SAMPLE_RATE, Recording
from qc.errors import AudioError

PEAKS = 2000  # points of the waveform
BIT_RATE = 32_000  # bits a second and channel: speech
FRAME = 1024  # samples, of AAC


def write_playback(recording: Recording, path: Path) -> None:
    """Write a recording as AAC in M4A, each speaker's channel where it was.

    Raises:
        AudioError: it cannot be encoded.
    """
    channels = recording.samples.shape[0]
    layout = "stereo" if channels == 2 else "mono"
    try:
        with av.open(str(path), "w", format="ipod", options={"movflags": "faststart"}) as container:
            stream = container.add_stream("aac", rate=SAMPLE_RATE, layout=layout)
            stream.bit_rate = BIT_RATE * channels
            for at in range(0, recording.samples.shape[1], FRAME):
                block = np.ascontiguousarray(recording.samples[:, at : at + FRAME])
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
                frame.sample_rate, frame.pts = SAMPLE_RATE, at
                frame.time_base = Fraction(1, SAMPLE_RATE)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except av.FFmpegError as error:
        raise AudioError("做不出供收听的录音副本", "请检查录音文件") from error


def find_peaks(recording: Recording, points: int = PEAKS) -> list[float]:
    """The loudest sample of each of `points` equal stretches, 0..1; fewer if very short."""
    length = recording.samples.shape[1]
    edges = np.linspace(0, length, min(points, length) + 1).astype(int)
    loudest = [
        float(np.abs(recording.samples[:, start:end]).max(initial=0.0))
        for start, end in pairwise(edges)
    ]
    return [round(min(1.0, peak), 3) for peak in loudest]
