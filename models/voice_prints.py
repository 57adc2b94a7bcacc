"""Voice prints: vectors whose angles tell voices apart, of windows of 1.6 s.

The encoder is Resemblyzer's (Apache-2.0; L. Wan et al., “Generalized end-to-end loss for speaker
verification”, ICASSP 2018), trained on thousands of people.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WEIGHTS = Path(__file__).parent / "weights" / "speaker_encoder.npz"
HOP = 160  # samples, 10 ms
FRAMES = 160  # of a window, what the encoder was trained on
WINDOW = FRAMES * HOP  # samples, 1.6 s
FFT = 400  # samples, 25 ms
BANDS = 40
WIDTH = 256
LAYERS = 3
LEVEL = 10 ** (-30 / 20)  # rms it was trained at, -30 dB of full scale


def voice_prints(samples: NDArray, starts: Sequence[int]) -> NDArray[np.float64]:
    """(windows, WIDTH) voice prints of length 1.

    Args:
        samples: (n,) float32 at 16 kHz.
        starts: first sample of each window; what lies past the end is silent.
    """
    import torch

    lstm, linear, filters = _encoder()
    windows = np.stack([_mel_powers(samples, start, filters) for start in starts])
    with torch.inference_mode():
        _, (hidden, _) = lstm(torch.from_numpy(windows))
        found = torch.relu(linear(hidden[-1]))
        return torch.nn.functional.normalize(found, dim=1).numpy().astype(np.float64)


def _mel_powers(samples: NDArray, start: int, filters: NDArray) -> NDArray[np.float32]:
    """(FRAMES, BANDS) of a window brought to the level of training."""
    from scipy.fft import rfft

    low = start - (FFT - HOP) // 2
    cut = np.asarray(samples[max(0, low) : low + WINDOW + FFT - HOP], np.float32)
    cut = np.pad(cut, (max(0, -low), 0))
    cut = np.pad(cut, (0, WINDOW + FFT - HOP - len(cut)))
    framed = np.lib.stride_tricks.sliding_window_view(cut, FFT)[::HOP]
    hann = np.hanning(FFT + 1)[:-1].astype(np.float32)
    power = np.abs(rfft(framed * hann, axis=1)) ** 2
    rms = float(np.sqrt(np.mean(np.square(cut)))) + 1e-9
    return ((power @ filters) * (LEVEL / rms) ** 2).astype(np.float32)


@cache
def _encoder() -> tuple[Any, Any, NDArray[np.float32]]:
    """LSTM, linear layer and mel filters (FFT / 2 + 1, BANDS)."""
    import torch

    weights = np.load(WEIGHTS)
    lstm = torch.nn.LSTM(BANDS, WIDTH, LAYERS, batch_first=True)
    linear = torch.nn.Linear(WIDTH, WIDTH)
    for name, module in (("lstm", lstm), ("linear", linear)):
        module.load_state_dict(
            {
                key: torch.from_numpy(weights[f"{name}_{key}"].astype(np.float32))
                for key in module.state_dict()
            }
        )
    return lstm, linear, weights["mel_filters"].T.astype(np.float32)
