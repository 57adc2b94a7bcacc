"""Broken files and what is no recording: a warning or one clear sentence, never a traceback."""

import zipfile
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qc.audio import SAMPLE_RATE, describe_sound, read_recording
from qc.errors import AudioError
from tests.qc.sounds import BLACK, SECONDS, encode, tones, wav


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


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
        assert describe_sound(read_recording(path)).channels
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
