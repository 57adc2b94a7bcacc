"""Whether a recording is fit to be judged, so that an empty or wrong file scores nobody.

All is measured on the sound, without a recogniser.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.voice_activity import Span, find_speech
from qc.audio import SAMPLE_RATE, Recording, Sound
from qc.fitness import Quality, QualityLevel
from qc.tones import Tone, ToneKind

MIN_SECONDS = 5.0  # a greeting and its answer last longer
MIN_SPEECH = 1.0  # seconds of speech in all channels; a 喂 and the false alarms of a song are less
TONE_SHARE = 0.15  # of the audible time that tones are heard; ringing on a noisy line: 0.2
AUDIBLE_DBFS = -50.0  # of a frame; telephone lines idle below -55
FRAME = 512  # samples, 32 ms
BLOCK = 512 * FRAME  # samples looked at at a time, 16 s
BAND = slice(7, 110)  # bins of the spectrum of a frame: 220 to 3400 Hz, the telephone's
# Spectral flatness (geometric over arithmetic mean, 0..1; J. D. Johnston, IEEE JSAC 6(2), 1988) of
# the middle frame: music through the telephone 0.02 to 0.1, pink noise 0.4, white noise 0.5.
TONAL = 0.15
CLIPPED_SPEECH = 0.01  # of the samples of speech at full scale; the ear hears a tenth of it
MIN_SNR_DB = 10.0  # the bundled weights have heard 10 to 50 dB; below they guess
MIN_PAUSE = 0.5  # seconds without speech from which on the noise is measured there;
QUIETEST = 0.1  # otherwise in this share of the frames, the quietest

SIDES = ("左", "右")
NO_TALK = {
    ToneKind.RINGING: "只有回铃音，没有接通",
    ToneKind.BUSY: "只有忙音，没有接通",
    ToneKind.DIAL: "只有拨号音",
    ToneKind.KEY: "只有按键音",
}


def judge_quality(recording: Recording, sound: Sound, tones: Sequence[Sequence[Tone]]) -> Quality:
    """Measure what a recording is worth.

    Args:
        sound: what `describe_sound` says of it.
        tones: of each channel, as `find_tones` gives them.
    """
    if sound.silent:
        return Quality(QualityLevel.UNUSABLE, ("录音无声",))
    speech = {i: find_speech(recording.samples[i]) for i in sound.distinct_channels}
    unusable = []
    if recording.seconds < MIN_SECONDS:
        unusable.append(f"录音只有 {recording.seconds:.1f} 秒")
    if sum(span.seconds for spans in speech.values() for span in spans) < MIN_SPEECH:
        unusable.append(_what_else(recording, sound, tones))
    if unusable:
        return Quality(QualityLevel.UNUSABLE, tuple(unusable))
    flaws = [*recording.damage, *_one_sided(speech), *_flaws(recording, sound, speech)]
    return Quality(QualityLevel.POOR if flaws else QualityLevel.GOOD, tuple(flaws))


def with_parties(quality: Quality, voices: int) -> Quality:
    """What the quality is once it is known how many people were heard to say something."""
    if voices == 0:
        return Quality(QualityLevel.UNUSABLE, (*quality.reasons, "录音里没有听到说话"))
    if voices == 1:
        return Quality(QualityLevel.POOR, (*quality.reasons, "录音里只听到一个人说话"))
    return quality


def _what_else(recording: Recording, sound: Sound, tones: Sequence[Sequence[Tone]]) -> str:
    """What is to be heard instead of speech."""
    heard = [_loud_frames(recording.samples[i]) for i in sound.distinct_channels]
    audible = sum(len(flatness) for flatness in heard) * FRAME / SAMPLE_RATE
    found = [tone for i in sound.distinct_channels for tone in tones[i]]
    seconds = {k: sum(tone.seconds for tone in found if tone.kind is k) for k in ToneKind}
    kind = max(ToneKind, key=lambda kind: seconds[kind])
    if found and sum(seconds.values()) > TONE_SHARE * audible:
        return NO_TALK[kind]
    if audible and float(np.median(np.concatenate(heard))) < TONAL:
        return "只有音乐，没有人说话"
    return "没有人说话，只有噪声"


def _loud_frames(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Spectral flatness of each audible frame of a channel, 0..1."""
    window = np.hanning(FRAME)
    found = []
    for start in range(0, len(samples) - FRAME + 1, BLOCK):
        block = np.asarray(samples[start : start + BLOCK], np.float64)
        frames = block[: len(block) // FRAME * FRAME].reshape(-1, FRAME)
        frames = frames[frames.var(axis=1) > 10 ** (AUDIBLE_DBFS / 10)]
        power = np.square(np.abs(np.fft.rfft(frames * window)[:, BAND])) + 1e-12
        found.append(np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1))
    return np.concatenate(found) if found else np.zeros(0)


def _one_sided(speech: dict[int, list[Span]]) -> list[str]:
    """Of two channels with their own sound, one in which nobody speaks."""
    talking = [i for i, spans in speech.items() if spans]
    if len(speech) == 2 and len(talking) == 1:
        return [f"只有{SIDES[talking[0]]}声道有人说话"]
    return []


def _flaws(recording: Recording, sound: Sound, speech: dict[int, list[Span]]) -> list[str]:
    """What makes the words hard to make out."""
    flaws = []
    talking = {i: sum(span.seconds for span in spans) for i, spans in speech.items() if spans}
    shares = [
        sound.channels[i].clipped * recording.seconds / seconds for i, seconds in talking.items()
    ]
    if max(shares) > CLIPPED_SPEECH:
        flaws.append("严重削波失真，声音破裂")
    worst = min(_signal_to_noise(recording.samples[i], i, speech) for i in talking)
    if worst < MIN_SNR_DB:
        flaws.append(f"噪声很大，说话声只比噪声高 {max(0.0, worst):.0f} 分贝")
    return flaws


def _signal_to_noise(
    samples: NDArray[np.float32], channel: int, speech: dict[int, list[Span]]
) -> float:
    """Power of the speech of a channel over that of the pauses of both parties, dB."""
    power = np.concatenate([_powers(samples[i : i + BLOCK]) for i in range(0, len(samples), BLOCK)])
    own = _covered(speech[channel], len(power))
    anybody = np.logical_or.reduce([_covered(spans, len(power)) for spans in speech.values()])
    has_pauses = np.count_nonzero(~anybody) * FRAME >= MIN_PAUSE * SAMPLE_RATE
    noise = float(np.median(power[~anybody]) if has_pauses else np.quantile(power, QUIETEST))
    signal = float(power[own].mean()) - noise
    return 10 * float(np.log10(max(signal, 1e-12) / max(noise, 1e-12)))


def _powers(block: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean square of each whole frame."""
    whole = np.asarray(block[: len(block) // FRAME * FRAME], np.float64)
    return np.square(whole).reshape(-1, FRAME).mean(axis=1)


def _covered(spans: Sequence[Span], count: int) -> NDArray[np.bool_]:
    """Which frames lie in spans."""
    covered = np.zeros(count, np.bool_)
    for span in spans:
        covered[int(span.start * SAMPLE_RATE / FRAME) : int(span.end * SAMPLE_RATE / FRAME) + 1] = 1
    return covered
