"""The network of silero VAD 6.2 in NumPy: a probability of speech for each frame of 32 ms.

The ONNX file of its authors takes one frame a call. All of it but the recurrent cell looks at
one frame only, so whole stretches go through those layers as matrix products: 0.05 s for a
minute of sound instead of 0.2 s, and the same numbers. (Batches of the original with stretches
side by side save half at most, and its cell remembers for longer than a warm-up of 4 s.)
Weights: MIT, see weights/silero_vad.LICENSE, converted by `models.convert_silero`.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

WEIGHTS = Path(__file__).parent / "weights" / "silero_vad.npz"
FRAME = 512  # samples, 32 ms, what the network takes at 16 kHz
CONTEXT = 64  # samples of the frame before that it wants to see again
PADDED = 64  # samples mirrored at the end of a frame
WINDOW, HOP = 256, 128  # samples of the short-time spectrum: 4 columns a frame
BINS = WINDOW // 2 + 1
STRIDES = (1, 2, 2, 1)  # of the four convolutions; 4, 2, 1, 1 columns remain
CELLS = 128

Float = NDArray[np.float32]
Memory = tuple[Float, Float]  # hidden and cell state, (CELLS,) each
BLANK: Memory = (np.zeros(CELLS, np.float32), np.zeros(CELLS, np.float32))


@dataclass(frozen=True)
class Layer:
    """An affine map; for a convolution of width 3 the taps lie side by side."""

    weight: Float  # (in, out)
    bias: Float  # (out,)

    def __call__(self, x: Float) -> Float:
        return x @ self.weight + self.bias


@dataclass(frozen=True)
class Network:
    """All layers, see `load`."""

    spectrum: Float  # (WINDOW, 2 * BINS): cosines, then sines, with a Hann window
    convolutions: tuple[Layer, ...]
    cell_input: Layer  # (CELLS, 4 * CELLS); gates in the order in, forget, out, cell
    cell_state: Float  # (CELLS, 4 * CELLS)
    output: Layer  # (CELLS, 1)

    def features(self, frames: Float) -> Float:
        """What the recurrent cell takes of each frame.

        Args:
            frames: (n, CONTEXT + FRAME).

        Returns:
            (n, 4 * CELLS)
        """
        mirrored = frames[:, -2 : -2 - PADDED : -1]
        padded = np.concatenate([frames, mirrored], axis=1)
        windows = sliding_window_view(padded, WINDOW, axis=1)[:, ::HOP]
        waves = windows.reshape(-1, WINDOW) @ self.spectrum
        x = np.sqrt(np.square(waves[:, :BINS]) + np.square(waves[:, BINS:]))
        for layer, stride in zip(self.convolutions, STRIDES, strict=True):
            x = np.maximum(layer(_taps(x.reshape(len(frames), -1, x.shape[1]), stride)), 0)
        return self.cell_input(x)

    def probabilities(self, features: Float, memory: Memory = BLANK) -> tuple[Float, Memory]:
        """Probability of speech in each frame, and what the cell remembers after the last.

        Args:
            features: (n, 4 * CELLS) of consecutive frames.
            memory: that of the frames before, blank at the beginning.

        Returns:
            (n,) and the memory.
        """
        hidden, cell = memory
        seen = np.empty((len(features), CELLS), np.float32)
        for now, taken in enumerate(features):
            gates = np.tanh(taken + hidden @ self.cell_state)
            into, keep, out = (gates[: 3 * CELLS] * 0.5 + 0.5).reshape(3, CELLS)  # sigmoids
            cell = keep * cell + into * gates[3 * CELLS :]
            hidden = out * np.tanh(cell)
            seen[now] = hidden
        likely = np.tanh(self.output(np.maximum(seen, 0))[:, 0] / 2) * 0.5 + 0.5
        return likely.astype(np.float32), (hidden, cell)


@cache
def load() -> Network:
    """The bundled network, read once."""
    with np.load(WEIGHTS) as weights:
        return Network(
            spectrum=np.ascontiguousarray(weights["stft"][:, 0].T),
            convolutions=tuple(
                Layer(
                    weights[f"conv{i}"].transpose(2, 1, 0).reshape(-1, len(weights[f"conv{i}"])),
                    weights[f"conv{i}_bias"],
                )
                for i in range(len(STRIDES))
            ),
            cell_input=Layer(
                _gates(weights["lstm_input"]),
                _gates(weights["lstm_input_bias"] + weights["lstm_state_bias"]),
            ),
            cell_state=_gates(weights["lstm_state"]),
            output=Layer(weights["output"][:, :, 0].T, weights["output_bias"]),
        )


def _taps(x: Float, stride: int) -> Float:
    """Each column of (n, columns, channels) with its neighbours, (n * columns left, 3 * channels).

    Beyond the first and the last column are zeros.
    """
    padded = np.pad(x, ((0, 0), (1, 1), (0, 0)))
    taps = [padded[:, i : i + x.shape[1] : stride] for i in range(3)]
    return np.concatenate(taps, axis=2).reshape(-1, 3 * x.shape[2])


def _gates(weight: Float) -> Float:
    """Weights of the cell from the order in, forget, cell, out and (out, in) to ours.

    The sigmoid of x is (tanh(x / 2) + 1) / 2: with the halves in the weights, one tanh does all.
    """
    into, keep, cell, out = np.split(weight, 4)
    return np.ascontiguousarray(np.concatenate([into / 2, keep / 2, out / 2, cell]).T)
