"""Empty and wrong files are told from calls, and calls that are hard to hear from good ones."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.demo_asr.channel import Channel, make_noise, send
from models.demo_asr.dialogue import SpokenCall, Turn, render
from qc.audio import SAMPLE_RATE, Recording, describe_sound, read_recording
from qc.fitness import Quality, QualityLevel, UnusableRecording
from qc.recording_quality import judge_quality, with_parties
from qc.tones import find_tones
from tests.models.test_voice_activity import music
from tests.qc.sounds import wav

TELEPHONE = Channel(noise_db=20)
CALL = (
    Turn("agent", "您好，我是潍坊新村街道城管执法队的工作人员，请问您是王先生吗？"),
    Turn("citizen", "是的，你说，什么事情。"),
    Turn("agent", "您反映的噪音问题我们收到了，明天上午到现场核实。"),
)


@pytest.fixture(scope="module")
def call() -> SpokenCall:
    return render(CALL, seed=3, stereo=True)


def judged(*channels: np.ndarray) -> Quality:
    samples = np.stack(channels).astype(np.float32)
    return judge(Recording(Path("x.wav"), samples, "pcm", SAMPLE_RATE, ""))


def judge(recording: Recording) -> Quality:
    tones = [find_tones(channel) for channel in recording.samples]
    return judge_quality(recording, describe_sound(recording), tones)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SAMPLE_RATE))


def beeps(on: float, off: float, seconds: float, *frequencies: float) -> np.ndarray:
    t = np.arange(round(on * SAMPLE_RATE)) / SAMPLE_RATE
    one = 0.1 * sum(np.sin(2 * np.pi * f * t) for f in frequencies)
    return np.concatenate([one, silence(off)] * round(seconds / (on + off)))


def noise(seconds: float, slope: float, level: float = 0.05) -> np.ndarray:
    return level * make_noise(round(seconds * SAMPLE_RATE), slope, np.random.default_rng(0))


WRONG: dict[str, tuple[Callable[[], np.ndarray], str]] = {
    "silence": (lambda: silence(10), "无声"),
    "ringing": (lambda: beeps(1, 4, 20, 450), "回铃音"),
    "busy": (lambda: beeps(0.35, 0.35, 10, 450), "忙音"),
    "dial tone": (lambda: beeps(8, 0, 8, 450), "拨号音"),
    "keys": (lambda: beeps(0.2, 0.2, 8, 770, 1336), "按键音"),
    "music": (lambda: music(1), "音乐"),
    "other music": (lambda: music(4), "音乐"),
    "hiss": (lambda: noise(8, 0), "噪声"),
    "rumble": (lambda: noise(8, 0.5), "噪声"),
}


@pytest.mark.parametrize("through_telephone", [False, True])
@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_call_is_unusable_and_named(name: str, through_telephone: bool) -> None:
    make, reason = WRONG[name]
    samples = make()
    if through_telephone and name != "silence":
        samples = send(samples, TELEPHONE, seed=1)
    found = judged(samples)
    assert found.level is QualityLevel.UNUSABLE
    assert len(found.reasons) == 1 and reason in found.reasons[0]


def test_less_than_five_seconds_are_no_call(call: SpokenCall) -> None:
    found = judged(call.mono[: 4 * SAMPLE_RATE])
    assert found == Quality(QualityLevel.UNUSABLE, ("录音只有 4.0 秒",))


@pytest.mark.parametrize("sound", ["clean", "telephone", "stereo", "soft", "after ringing"])
def test_a_call_is_good(call: SpokenCall, sound: str) -> None:
    ringing = beeps(1, 4, 15, 450)
    channels = {
        "clean": [call.mono],
        "telephone": [send(call.mono, TELEPHONE)],
        "stereo": [send(channel, TELEPHONE, seed=i) for i, channel in enumerate(call.samples)],
        "soft": [0.03 * call.mono],
        "after ringing": [np.concatenate([ringing, call.mono])],
    }[sound]
    assert judged(*channels) == Quality(QualityLevel.GOOD)


def test_the_side_on_which_nobody_speaks_is_named(call: SpokenCall) -> None:
    found = judged(noise(call.seconds, 0, 0.005)[: call.samples.shape[1]], call.samples[1])
    assert found == Quality(QualityLevel.POOR, ("只有右声道有人说话",))


def test_loud_noise_makes_a_call_poor(call: SpokenCall) -> None:
    found = judged(send(call.mono, Channel(noise_db=2)))
    assert found.level is QualityLevel.POOR
    assert "噪声很大" in found.reasons[0]
    assert judged(send(call.mono, Channel(noise_db=12))).level is QualityLevel.GOOD


def test_noise_is_measured_although_nobody_pauses(call: SpokenCall) -> None:
    talk = np.concatenate([c for c in np.array_split(call.mono, 200) if np.abs(c).max() > 0.02])
    assert judged(send(talk, Channel(noise_db=0))).level is QualityLevel.POOR
    assert judged(send(talk, Channel(noise_db=30))).level is QualityLevel.GOOD


def test_a_voice_driven_into_the_limits_is_poor(call: SpokenCall) -> None:
    found = judged(np.clip(15 * call.mono, -1, 1))
    assert found == Quality(QualityLevel.POOR, ("严重削波失真，声音破裂",))


def test_half_a_file_is_poor(call: SpokenCall, tmp_path: Path) -> None:
    path = wav(tmp_path / "half.wav", call.mono[None], SAMPLE_RATE, data_size=4 * len(call.mono))
    found = judge(read_recording(path))
    assert found.level is QualityLevel.POOR
    assert "中断" in found.reasons[0]


def test_who_is_heard_counts() -> None:
    good = Quality(QualityLevel.GOOD)
    assert with_parties(good, 2) == good
    assert with_parties(good, 1).level is QualityLevel.POOR
    assert with_parties(good, 0).level is QualityLevel.UNUSABLE


def test_the_refusal_says_why_and_survives_a_worker() -> None:
    error = UnusableRecording(Quality(QualityLevel.UNUSABLE, ("只有忙音，没有接通",)))
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) and again.quality == error.quality
    assert "录音无效：只有忙音" in str(error) and "核对" in str(error)
