"""The telephone: noise, the narrow band, µ-law and level. The same seed gives the same sound."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.demo_asr.speech import SAMPLE_RATE

MU = 255  # µ-law of G.711
MU_STEPS = 127  # 8 bits with sign


@dataclass(frozen=True)
class Channel:
    """What happens to a voice on its way. None leaves the step out."""

    noise_db: float | None = 25  # signal-to-noise ratio
    noise_slope: float = 0  # 0 white, 0.5 pink; exponent of the fall of amplitude with frequency
    band_hz: tuple[float, float] | None = (300, 3400)
    companded: bool = True  # µ-law, 8 bits
    peak: float | None = 0.8  # level of the loudest sample before companding


CLEAN = Channel(None, 0, None, False, None)
TELEPHONE = Channel()


def make_noise(count: int, slope: float, random: np.random.Generator) -> NDArray[np.float32]:
    """Noise of unit power, (count,), falling with frequency to the power of `slope`."""
    noise = random.standard_normal(count, np.float32)
    if slope == 0:
        return noise
    spectrum = np.fft.rfft(noise)
    coloured = np.fft.irfft(spectrum / np.arange(1, len(spectrum) + 1) ** slope, count)
    return (coloured / (coloured.std() + 1e-9)).astype(np.float32)


def compand(samples: NDArray) -> NDArray:
    """Through 8-bit µ-law and back."""
    sign = np.sign(samples)
    coded = np.log1p(MU * np.abs(np.clip(samples, -1, 1))) / np.log(1 + MU)
    coded = np.round(coded * MU_STEPS) / MU_STEPS
    return sign * np.expm1(coded * np.log(1 + MU)) / MU


def limit_band(samples: NDArray, low: float, high: float) -> NDArray:
    """Keep the frequencies from low to high (Hz)."""
    spectrum = np.fft.rfft(samples)
    frequencies = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    spectrum[(frequencies < low) | (frequencies > high)] = 0
    return np.fft.irfft(spectrum, len(samples))


def send(samples: NDArray, channel: Channel = TELEPHONE, seed: int = 0) -> NDArray[np.float32]:
    """Send a voice through a channel.

    Args:
        samples: (n,) at 16 kHz.

    Returns:
        (n,) float32.
    """
    if not len(samples):
        return samples.astype(np.float32)
    if channel.noise_db is not None:
        random = np.random.default_rng(seed)
        level = np.sqrt((samples * samples).mean()) * 10 ** (-channel.noise_db / 20)
        samples = samples + level * make_noise(len(samples), channel.noise_slope, random)
    if channel.band_hz is not None:
        samples = limit_band(samples, *channel.band_hz)
    if channel.peak is not None:
        samples = samples / max(np.abs(samples).max(), 1e-6) * channel.peak
    if channel.companded:
        samples = compand(samples)
    return samples.astype(np.float32)


def random_channel(random: np.random.Generator) -> Channel:
    """A channel as calls have them: mostly telephone, sometimes a clean wide band."""
    kind = random.random()
    return Channel(
        noise_db=random.uniform(10, 50),
        noise_slope=0.0 if random.random() < 0.5 else random.uniform(0.2, 0.6),
        band_hz=(random.uniform(100, 350), random.uniform(3200, 3950)) if kind < 0.75 else None,
        companded=kind < 0.65,
        peak=random.uniform(0.1, 0.95),
    )
