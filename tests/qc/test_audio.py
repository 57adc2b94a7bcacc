"""Every format a telephone system writes is read, with what its channels hold."""

import hashlib
import tempfile
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest

from qc import audio
from qc.audio import SAMPLE_RATE, describe_sound, read_recording
from qc.errors import AudioError
from tests.qc.sounds import BLACK, LEFT, RIGHT, SECONDS, encode, loudest_tone, tones, wav

FILES = Path(__file__).parent.parent / "files"
# name, encoder, Hz, channels
FORMATS = [
    ("pcm.wav", "pcm_s16le", 8_000, 1),
    ("pcm8.wav", "pcm_u8", 11_025, 1),
    ("pcm24.wav", "pcm_s24le", 32_000, 2),
    ("float.wav", "pcm_f32le", 48_000, 2),
    ("alaw.wav", "pcm_alaw", 8_000, 2),
    ("mulaw.wav", "pcm_mulaw", 8_000, 2),
    ("ima.wav", "adpcm_ima_wav", 8_000, 1),
    ("ms.wav", "adpcm_ms", 8_000, 2),
    ("g726.wav", "g726", 8_000, 1),
    ("g723.wav", "g723_1", 8_000, 1),
    ("mp3.wav", "libmp3lame", 16_000, 1),
    ("pcm.aiff", "pcm_s16be", 16_000, 1),
    ("g722.g722", "g722", 16_000, 1),
    ("phone.mp3", "libmp3lame", 8_000, 1),
    ("studio.mp3", "libmp3lame", 44_100, 2),
    ("mobile.m4a", "aac", 44_100, 2),
    ("raw.aac", "aac", 16_000, 1),
    ("mobile.amr", "libopencore_amrnb", 8_000, 1),
    ("mobile.3gp", "libopencore_amrnb", 8_000, 1),
    ("voip.ogg", "libopus", 16_000, 1),
    ("voip2.ogg", "libopus", 48_000, 2),
    ("browser.webm", "libopus", 48_000, 1),
    ("archive.flac", "flac", 48_000, 2),
    ("windows.wma", "wmav2", 44_100, 2),
]


@pytest.mark.parametrize(("name", "codec", "rate", "channels"), FORMATS)
def test_every_format_is_read(tmp_path, name, codec, rate, channels):
    recording = read_recording(encode(tmp_path / name, codec, rate, tones(rate, channels)))
    assert recording.samples.dtype == np.float32
    assert len(recording.samples) == channels
    assert recording.seconds == pytest.approx(SECONDS, abs=0.11)  # encoders pad by frames
    assert not recording.warnings
    for channel, tone in zip(recording.samples, (LEFT, RIGHT), strict=False):
        assert loudest_tone(channel) == pytest.approx(tone, abs=2)
    assert describe_sound(recording).channels[0].rms == pytest.approx(0.15, rel=0.2)


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [  # no encoder for these in PyAV; made with SoX and vo-amrwbenc from a tone of 440 Hz
        ("tone.awb", "amrwb", 16_000),
        ("tone.gsm", "gsm", 8_000),
        ("tone-gsm.wav", "gsm_ms", 8_000),
    ],
)
def test_mobile_formats_are_read(name, codec, rate):
    recording = read_recording(FILES / name)
    assert (recording.codec, recording.source_rate) == (codec, rate)
    assert recording.seconds == pytest.approx(1.0, abs=0.05)
    assert loudest_tone(recording.samples[0]) == pytest.approx(LEFT, abs=2)
    assert not recording.warnings


def test_the_last_samples_are_not_lost(tmp_path):
    recording = read_recording(wav(tmp_path / "a.wav", tones(8_000, 1)))
    assert recording.samples.shape == (1, 3 * SAMPLE_RATE)


def test_the_format_is_told_by_the_content_not_by_the_name(tmp_path):
    path = encode(tmp_path / "a.mp3", "libmp3lame", 16_000, tones(channels=1))
    for name in ("b.wav", "b.amr", "b.gsm", "b.txt", "录音 1"):
        copy = tmp_path / name
        copy.write_bytes(path.read_bytes())
        assert read_recording(copy).seconds == pytest.approx(SECONDS, abs=0.1)


@pytest.mark.parametrize("name", ["12:30.wav", "a%03d.wav", "-x.wav", "录音 #1.wav"])
def test_any_name_will_do(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    wav(tmp_path / name, tones(8_000, 1))
    assert read_recording(Path(name)).seconds == pytest.approx(SECONDS)


def test_the_fingerprint_is_that_of_the_file(tmp_path):
    path = wav(tmp_path / "a.wav", tones(8_000, 1))
    assert read_recording(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_samples_cannot_be_changed(tmp_path):
    recording = read_recording(wav(tmp_path / "a.wav", tones(8_000, 1)))
    with pytest.raises(ValueError, match="read-only"):
        recording.samples[0, 0] = 1


def test_the_sound_of_a_video_is_taken(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        film = container.add_stream("mpeg4", rate=5, width=64, height=64)
        sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        container.mux(film.encode(av.VideoFrame.from_ndarray(BLACK, "rgb24")))
        for start in range(0, 32 * 1024, 1024):
            block = tones(channels=1)[:, start : start + 1024].astype(np.float32)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            container.mux(sound.encode(frame))
        container.mux([*film.encode(None), *sound.encode(None)])
    recording = read_recording(path)
    assert recording.codec == "aac"
    assert loudest_tone(recording.samples[0]) == pytest.approx(LEFT, abs=2)


def test_more_than_two_channels_are_mixed_down(tmp_path):
    path = encode(tmp_path / "a.wav", "pcm_s16le", 8_000, np.repeat(tones(8_000, 1), 4, axis=0))
    recording = read_recording(path)
    assert len(recording.samples) == 1
    assert "4 个声道" in recording.warnings[0]


# --- length and memory


def test_memory_does_not_grow_with_the_call(tmp_path):
    path = wav(tmp_path / "a.wav", np.tile(tones(8_000, 1), 400))  # 20 minutes, 77 MB as float32
    tracemalloc.start()
    recording = read_recording(path)
    sound = describe_sound(recording)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert recording.seconds == pytest.approx(1200)
    assert sound.distinct_channels == (0,)
    assert peak < 40e6


def test_nothing_is_left_in_the_temporary_folder(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    recording = read_recording(wav(tmp_path / "a.wav", tones(8_000, 1)))
    assert recording.samples.any()
    assert not list(folder.iterdir())


def test_a_full_disk_is_said_so(tmp_path, monkeypatch):
    full = Path("/dev/full").open("w+b")  # noqa: SIM115, closed by the reader
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)
    with pytest.raises(AudioError, match="空间不足"):
        read_recording(wav(tmp_path / "a.wav", tones(8_000, 1)))


def test_an_endless_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "MAX_SECONDS", 2)
    with pytest.raises(AudioError, match="不像一通电话"):
        read_recording(encode(tmp_path / "a.flac", "flac", 8_000, np.zeros((1, 24_000))))


# --- what the channels hold


def sound_of(tmp_path: Path, samples: np.ndarray) -> audio.Sound:
    return describe_sound(read_recording(wav(tmp_path / "a.wav", samples, SAMPLE_RATE)))


def test_one_speaker_a_channel(tmp_path):
    sound = sound_of(tmp_path, tones())
    assert sound.distinct_channels == (0, 1)
    assert sound.channels[0].peak == pytest.approx(0.3, abs=0.01)
    assert sound.channels[1].rms == pytest.approx(0.1, abs=0.005)
    assert not sound.notes


def test_crosstalk_does_not_make_two_channels_one(tmp_path):
    left, right = tones()
    assert sound_of(
        tmp_path, np.stack([left + 0.3 * right, right + 0.3 * left])
    ).distinct_channels == (0, 1)


@pytest.mark.parametrize("factor", [1.0, 0.5, -1.0])
def test_one_signal_in_both_channels_is_heard_once(tmp_path, factor):
    mono = tones(channels=1)
    sound = sound_of(tmp_path, np.concatenate([mono * factor, mono]))
    assert len(sound.distinct_channels) == 1
    assert "两个声道内容相同" in sound.notes[0]


@pytest.mark.parametrize(("silent", "note"), [(0, "仅右声道有声"), (1, "仅左声道有声")])
def test_only_one_channel_has_sound(tmp_path, silent, note):
    samples = tones()
    samples[silent] = 0.0002 * np.random.default_rng(0).standard_normal(samples.shape[1])
    sound = sound_of(tmp_path, samples)
    assert sound.distinct_channels == (1 - silent,)
    assert sound.notes == (note,)


@pytest.mark.parametrize("offset", [0.0, 0.1])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_silent_recording(tmp_path, channels, offset):
    sound = sound_of(tmp_path, np.full((channels, SAMPLE_RATE), offset))
    assert sound.silent
    assert sound.distinct_channels == ()
    assert sound.notes == ("录音无声",)


def test_a_quiet_voice_is_not_silence(tmp_path):
    assert not sound_of(tmp_path, tones(channels=1) * 0.02).silent


def test_clipping_is_noted(tmp_path):
    sound = sound_of(tmp_path, np.clip(tones(channels=1) * 10, -1, 1))
    assert sound.channels[0].clipped > 0.2
    assert any("削波" in note for note in sound.notes)


def test_pauses_that_a_phone_did_not_send_are_silence_not_damage(tmp_path: Path) -> None:
    """AMR's SID and NO_DATA frames, as handsets save them (3GPP TS 26.101)."""
    data = (FILES / "speech.amr").read_bytes()
    frame = 1 + {0: 12, 1: 13, 2: 15, 3: 17, 4: 19, 5: 20, 6: 26, 7: 31}[(data[6] >> 3) & 15]
    sid, nothing = bytes([8 << 3 | 4, 0, 0, 0, 0, 0]), bytes([15 << 3 | 4])
    at = 6 + 10 * frame
    path = tmp_path / "pause.amr"
    path.write_bytes(data[:at] + sid + nothing * 49 + data[at:])
    whole, paused = read_recording(FILES / "speech.amr"), read_recording(path)
    assert paused.warnings == ()
    assert abs(paused.seconds - whole.seconds - 1.0) < 0.05
