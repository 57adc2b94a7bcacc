"""Every format a telephone system writes is read; every broken file gets one clear sentence."""

import hashlib
import struct
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qc import audio
from qc.audio import SAMPLE_RATE, describe_sound, read_recording
from qc.errors import AudioError

FILES = Path(__file__).parent.parent / "files"
LEFT, RIGHT = 440.0, 700.0  # Hz; a different tone in each channel tells them apart
SECONDS = 3.0
BLACK = np.zeros((64, 64, 3), np.uint8)  # one picture of a film

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


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


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
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: open("/dev/full", "w+b"))  # noqa: SIM115
    with pytest.raises(AudioError, match="空间不足"):
        read_recording(wav(tmp_path / "a.wav", tones(8_000, 1)))


def test_an_endless_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "MAX_SECONDS", 2)
    with pytest.raises(AudioError, match="不像一通电话"):
        read_recording(encode(tmp_path / "a.flac", "flac", 8_000, np.zeros((1, 24_000))))


# --- damaged files


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.wav", "pcm_s16le"),
        ("b.wav", "pcm_alaw"),
        ("c.wav", "adpcm_ima_wav"),
        ("a.mp3", "libmp3lame"),
        ("a.flac", "flac"),
        ("a.amr", "libopencore_amrnb"),
        ("a.aac", "aac"),
        ("a.ogg", "libopus"),
        ("a.wma", "wmav2"),
        ("a.webm", "libopus"),
    ],
)
def test_what_came_before_the_cut_is_kept(tmp_path, name, codec):
    rate = 8_000 if codec == "libopencore_amrnb" else 16_000
    whole = encode(tmp_path / name, codec, rate, tones(rate, 1))
    recording = read_recording(cut(whole, 0.6))
    assert 0.7 < recording.seconds < 2.2
    assert len(recording.warnings) == 1
    assert f"第 {recording.seconds:.1f} 秒处中断" in recording.warnings[0]


def test_half_an_m4a_cannot_be_read(tmp_path):
    path = encode(tmp_path / "a.m4a", "aac", 16_000, tones(channels=1))
    with pytest.raises(AudioError, match="没有传完"):
        read_recording(cut(path, 0.5))


@pytest.mark.parametrize(
    ("name", "codec"), [("a.flac", "flac"), ("a.ogg", "libopus"), ("a.m4a", "aac")]
)
def test_damage_inside_is_reported_and_what_follows_keeps_its_time(tmp_path, name, codec):
    samples = tones(channels=1, seconds=10)
    samples[:, : 9 * SAMPLE_RATE] *= 0.1  # the last second is loud
    path = encode(tmp_path / name, codec, SAMPLE_RATE, samples)
    data = bytearray(path.read_bytes())
    middle, lost = len(data) // 2, len(data) // 12
    data[middle : middle + lost] = random_bytes(lost)
    path.write_bytes(data)
    recording = read_recording(path)
    assert recording.seconds == pytest.approx(10, abs=0.2)
    assert len(recording.warnings) == 1
    assert "损坏或缺失" in recording.warnings[0]
    loud = np.flatnonzero(np.abs(recording.samples[0]) > 0.1)
    assert loud[0] / SAMPLE_RATE == pytest.approx(9, abs=0.2)


@pytest.mark.parametrize("size", [0, 0xFFFF_FFFF])
def test_a_recorder_that_never_wrote_the_size_is_no_fault(tmp_path, size):
    recording = read_recording(wav(tmp_path / "a.wav", tones(8_000, 1), data_size=size))
    assert recording.seconds == pytest.approx(SECONDS)
    assert not recording.warnings


def test_an_absurd_length_in_the_header_is_reported(tmp_path):
    recording = read_recording(wav(tmp_path / "a.wav", tones(8_000, 1), data_size=1_600_000_000))
    assert recording.seconds == pytest.approx(SECONDS)
    assert "比文件头写的 100000.0 秒短" in recording.warnings[0]


@pytest.mark.parametrize("rate", [1, 100, 2_000_000_000])
def test_an_absurd_rate_is_refused(tmp_path, rate):
    with pytest.raises(AudioError):
        read_recording(wav(tmp_path / "a.wav", tones(8_000, 1), rate=rate))


@settings(deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))
@given(
    which=st.sampled_from(["a.wav", "a.mp3", "a.m4a", "a.amr", "a.ogg", "a.flac", "a.wma"]),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=40),
    keep=st.floats(0.01, 1),
)
def test_damage_never_ends_in_a_traceback(whole_files, tmp_path, which, flips, keep):
    data = bytearray(whole_files[which])
    for place, value in flips:
        data[int(place**3 * (len(data) - 1))] = value  # more of them in the header
    path = tmp_path / which
    path.write_bytes(data[: int(len(data) * keep)])
    try:
        describe_sound(read_recording(path)).notes
    except AudioError as error:
        assert error.message


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    codecs = {
        "a.wav": "pcm_alaw",
        "a.mp3": "libmp3lame",
        "a.m4a": "aac",
        "a.amr": "libopencore_amrnb",
        "a.ogg": "libopus",
        "a.flac": "flac",
        "a.wma": "wmav2",
    }
    return {
        name: encode(folder / name, codec, 8_000, tones(8_000, 1, 1)).read_bytes()
        for name, codec in codecs.items()
    }


# --- what is no recording


def random_bytes(n: int) -> bytes:
    return np.random.default_rng(0).bytes(n)


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".amr", ".m4a", ".gsm", ".g722", ""])
@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "空的"),
        ("您好，这里是通话记录。\n".encode() * 300, "文本文件"),
        ("您好，这里是通话记录。\r\n".encode("gb18030") * 300, "文本文件"),
        (b"<html><body>404 Not Found</body></html>", "文本文件"),
        (b"%PDF-1.7\n" + random_bytes(500), "PDF"),
        (b"Rar!\x1a\x07" + random_bytes(500), "压缩包"),
        (b"\x89PNG\r\n\x1a\n" + random_bytes(500), "图片"),
        (b"Salted__" + random_bytes(20_000), "加密"),
        (b"RIFF\x00\x01\x00\x00WAVEfmt ", "损坏"),
        (b"#EXTM3U\n#EXTINF:1,\na.wav\n", "文本文件"),
        (b"ffconcat version 1.0\nfile a.wav\n", "文本文件"),
    ],
)
def test_what_is_no_recording_is_said_in_one_sentence(tmp_path, data, says, suffix):
    wav(tmp_path / "a.wav", tones(8_000, 1))  # what the playlists point to
    path = tmp_path / f"call{suffix}"
    path.write_bytes(data)
    with pytest.raises(AudioError, match=says) as caught:
        read_recording(path)
    assert caught.value.hint
    assert str(caught.value).count("。") == 1
    assert str(tmp_path) not in str(caught.value)


def test_a_zip_with_a_recording_inside_is_no_recording(tmp_path):
    inside = wav(tmp_path / "a.wav", tones(8_000, 1))
    with zipfile.ZipFile(tmp_path / "b.wav", "w") as archive:
        archive.write(inside, "a.wav")
    with pytest.raises(AudioError, match="压缩包"):
        read_recording(tmp_path / "b.wav")


def test_encrypted_bytes_are_recognised(tmp_path):
    path = tmp_path / "call.dat"
    path.write_bytes(random_bytes(200_000))
    with pytest.raises(AudioError, match="加密"):
        read_recording(path)


def test_a_protected_m4a_is_refused_rather_than_heard_as_noise(tmp_path):
    path = encode(tmp_path / "a.m4a", "aac", 16_000, tones(channels=1))
    path.write_bytes(path.read_bytes().replace(b"mp4a", b"enca") + b"enca")
    with pytest.raises(AudioError, match="加密"):
        read_recording(path)


def test_a_silent_film_has_no_sound(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5, width=64, height=64)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(BLACK, "rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(AudioError, match="视频里没有声音"):
        read_recording(path)


def test_a_folder_and_a_missing_file(tmp_path):
    with pytest.raises(AudioError, match="文件夹"):
        read_recording(tmp_path)
    with pytest.raises(AudioError, match="找不到"):
        read_recording(tmp_path / "none.wav")


def test_a_header_without_sound_is_refused(tmp_path):
    with pytest.raises(AudioError):
        read_recording(wav(tmp_path / "a.wav", np.zeros((1, 0))))


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
