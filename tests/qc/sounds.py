"""Recordings made for the tests: tones in every format PyAV can write."""

import struct
from pathlib import Path

import av
import numpy as np

from qc.audio import SAMPLE_RATE

LEFT, RIGHT = 440.0, 700.0  # Hz; a different tone in each channel tells them apart
SECONDS = 3.0
BLACK = np.zeros((64, 64, 3), np.uint8)  # one picture of a film
BIT_RATES = {"libopencore_amrnb": 12_200, "g723_1": 6_300, "wmav2": 64_000}


def tones(rate: int = SAMPLE_RATE, channels: int = 2, seconds: float = SECONDS) -> np.ndarray:
    """(channels, n) float: a tone a channel, switched on and off."""
    t = np.arange(round(seconds * rate)) / rate
    left = 0.3 * np.sin(2 * np.pi * LEFT * t) * (np.sin(2 * np.pi * 3 * t) > 0)
    right = 0.2 * np.sin(2 * np.pi * RIGHT * t) * (np.sin(2 * np.pi * 2 * t) > 0)
    return np.stack([left, right])[:channels]


def encode(path: Path, codec: str, rate: int, samples: np.ndarray) -> Path:
    layout = {1: "mono", 2: "stereo", 4: "quad"}[len(samples)]
    packed = np.ascontiguousarray((samples.T.reshape(1, -1) * 32767).astype(np.int16))
    with av.open(str(path), "w") as container:
        options = {"bit_rate": BIT_RATES[codec]} if codec in BIT_RATES else {}
        stream = container.add_stream(codec, rate=rate, layout=layout, **options)
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
        frame.sample_rate = rate
        size = stream.codec_context.frame_size or 1024
        fit = av.AudioResampler(stream.codec_context.format, layout, rate, size)
        for piece in [*fit.resample(frame), *fit.resample(None)]:
            piece.pts = None
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def wav(path: Path, samples: np.ndarray, rate: int = 8_000, data_size: int | None = None) -> Path:
    """A 16-bit WAV as simple recorders write it: no fact chunk, and any size in the header."""
    data = np.ascontiguousarray((samples.T * 32767).astype("<i2")).tobytes()
    size = len(data) if data_size is None else data_size
    n = len(samples)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, n, rate, rate * n * 2, n * 2, 16)
    head = struct.pack("<4sI4s", b"RIFF", 36 + len(data), b"WAVE") + form
    path.write_bytes(head + struct.pack("<4sI", b"data", size) + data)
    return path


def loudest_tone(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)[spectrum.argmax()])
