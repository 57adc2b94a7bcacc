"""Recordings as they come from telephone systems, as float32 samples at 16 kHz per channel.

Everything is read block by block: memory does not grow with the length of a call. What is
slightly wrong with a file becomes a warning, what is badly wrong one `AudioError`.
"""

import errno
import hashlib
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from qc.containers import (
    EXPORT_HINT,
    FORMATS_HINT,
    OPEN_OPTIONS,
    ends_properly,
    refuse_misnamed,
    refuse_other_files,
    stated_seconds,
    why_unreadable,
)
from qc.errors import AudioError

SAMPLE_RATE = 16_000  # Hz, what voice activity and recognisers expect
SOURCE_RATES = (4_000, 192_000)  # Hz; a header outside is damaged or a resampling bomb
MAX_SECONDS = 6 * 3600  # no call lasts longer; a file that decodes to more is a bomb or a mistake
SHORT_BY = 1.0  # seconds a recording may be shorter than its header says before we warn
SHORT_SHARE = 0.02  # the same as a share of the stated length (encoder padding, rounding)
BLOCK_SECONDS = 60  # seconds of samples looked at at a time

# AMR: samples of a frame at SAMPLE_RATE; frame types from which on nothing is spoken; their size
AMR_FRAME = SAMPLE_RATE // 50
AMR_PAUSE_FROM = {"amrnb": 8, "amrwb": 9}
AMR_PAUSE_BYTES = 7
LEVEL_BLOCK = SAMPLE_RATE // 10  # samples, 0.1 s: shorter than a syllable, longer than a click
SILENT_DBFS = -60.0  # a channel without any louder 0.1 s holds no speech (µ-law idles at -72)
SAME_SIGNAL = 0.95  # |correlation| of two channels that carry one signal; crosstalk is below 0.6
CLIPPED = 0.98  # of full scale; A-law's largest value is 0.984
CLIPPED_SHARE = 0.001  # of the samples; above this, distortion is audible


@dataclass(frozen=True, eq=False)
class Recording:
    """A decoded recording. `samples` is a read-only memory map that vanishes with the object."""

    path: Path
    samples: NDArray[np.float32]  # (channels, n) at SAMPLE_RATE; one or two channels
    codec: str  # FFmpeg's name, such as pcm_alaw
    source_rate: int  # Hz in the file
    sha256: str  # of the file
    warnings: tuple[str, ...] = ()  # Chinese, for the report
    damage: tuple[str, ...] = ()  # those of the warnings that say what is lost

    @property
    def seconds(self) -> float:
        """Length in seconds, counted in samples, whatever the header said."""
        return self.samples.shape[1] / SAMPLE_RATE


@dataclass(frozen=True)
class ChannelSound:
    """Levels of one channel; peak and rms relative to full scale (1.0)."""

    peak: float
    rms: float
    loudest_dbfs: float  # rms of its loudest 0.1 s
    clipped: float  # share of samples at full scale, 0..1

    @property
    def silent(self) -> bool:
        return self.loudest_dbfs < SILENT_DBFS


@dataclass(frozen=True)
class Sound:
    """What the channels hold. `correlation` is that of the two channels, None for mono."""

    channels: tuple[ChannelSound, ...]
    correlation: float | None = None

    @property
    def silent(self) -> bool:
        return all(channel.silent for channel in self.channels)

    @property
    def same_signal(self) -> bool:
        """Whether two channels carry one signal, as when a mono recorder writes stereo."""
        return self.correlation is not None and abs(self.correlation) >= SAME_SIGNAL

    @property
    def distinct_channels(self) -> tuple[int, ...]:
        """Channels worth listening to: () when silent, two when each has its own speaker."""
        heard = [i for i, channel in enumerate(self.channels) if not channel.silent]
        if len(heard) > 1 and self.same_signal:
            heard = [max(heard, key=lambda i: self.channels[i].rms)]
        return tuple(heard)

    @property
    def notes(self) -> tuple[str, ...]:
        """Findings about the sound, in Chinese."""
        notes = []
        if self.silent:
            notes.append("录音无声")
        elif len(self.channels) == 2 and len(self.distinct_channels) == 1:
            side = ("左", "右")[self.distinct_channels[0]]
            notes.append(
                "两个声道内容相同，按单声道处理" if self.same_signal else f"仅{side}声道有声"
            )
        if max(channel.clipped for channel in self.channels) > CLIPPED_SHARE:
            notes.append("录音音量过大，有削波失真")
        return tuple(notes)


def read_recording(path: Path) -> Recording:
    """Decode a recording to float32 at 16 kHz, one row a channel.

    A file with more than two channels is mixed down to one. Of a video, the sound is taken.

    Raises:
        AudioError: missing, a folder, empty, no audio, encrypted, damaged from the start, or
            longer than `MAX_SECONDS`.
    """
    path = Path(path)
    try:
        _refuse_non_files(path)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        refuse_other_files(path)
        with (
            av.open(f"file:{path}", options=OPEN_OPTIONS, metadata_errors="replace") as container,
            tempfile.TemporaryFile(prefix="hotline-qc-") as store,
        ):
            refuse_misnamed(path, container)
            decoding = _Decoding(container, _pick_stream(container), store)
            decoding.run()
            samples = decoding.samples()
            damage = tuple(_damage_warnings(path, decoding))
    except av.FFmpegError as error:
        raise why_unreadable(path) from error
    except OSError as error:
        raise _storage_error(error) from error
    stream, warnings = decoding.stream, (*decoding.warnings, *damage)
    codec = stream.codec_context.name
    return Recording(path, samples, codec, stream.rate, sha256, warnings, damage)


def describe_sound(recording: Recording) -> Sound:
    """Measure levels, silence, clipping and whether two channels are one signal."""
    tallies = [_Tally() for _ in recording.samples]
    product = 0.0
    n = 0
    for block in _blocks(recording.samples):
        n += block.shape[1]
        for tally, channel in zip(tallies, block, strict=True):
            tally.add(channel)
        if len(block) == 2:
            product += float(block[0] @ block[1])
    correlation = None
    if len(tallies) == 2:
        left, right = tallies
        spread = math.sqrt(left.variance(n) * right.variance(n))
        covariance = product / n - left.mean(n) * right.mean(n)
        correlation = covariance / spread if spread > 0 else 0.0
    return Sound(tuple(tally.result(n) for tally in tallies), correlation)


def _blocks(samples: NDArray[np.float32]) -> Iterator[NDArray[np.float64]]:
    step = BLOCK_SECONDS * SAMPLE_RATE
    for start in range(0, samples.shape[1], step):
        yield np.ascontiguousarray(samples[:, start : start + step], dtype=np.float64)


@dataclass
class _Tally:
    """Running sums over one channel."""

    total: float = 0.0
    squares: float = 0.0
    peak: float = 0.0
    loudest: float = 0.0  # variance of the loudest 0.1 s: a constant offset is no sound
    clipped: int = 0

    def add(self, x: NDArray[np.float64]) -> None:
        self.total += float(x.sum())
        self.squares += float(x @ x)
        magnitude = np.abs(x)
        self.peak = max(self.peak, float(magnitude.max()))
        self.clipped += int(np.count_nonzero(magnitude >= CLIPPED))
        size = min(LEVEL_BLOCK, len(x))
        whole = x[: len(x) // size * size].reshape(-1, size)
        self.loudest = max(self.loudest, float(whole.var(axis=1).max()))

    def mean(self, n: int) -> float:
        return self.total / n

    def variance(self, n: int) -> float:
        return max(0.0, self.squares / n - self.mean(n) ** 2)

    def result(self, n: int) -> ChannelSound:
        loudest_dbfs = 10 * math.log10(self.loudest) if self.loudest > 0 else -math.inf
        return ChannelSound(self.peak, math.sqrt(self.variance(n)), loudest_dbfs, self.clipped / n)


@dataclass
class _Decoding:
    """One run through a container, writing interleaved float32 at 16 kHz into `store`."""

    container: InputContainer
    stream: AudioStream
    store: IO[bytes]
    written: int = 0  # samples per channel at SAMPLE_RATE
    damage: list[int] = field(default_factory=list)  # `written` at each lost or unreadable part
    warnings: list[str] = field(default_factory=list)
    _resampler: av.AudioResampler | None = None
    _first_time: float | None = None  # of the first frame, seconds
    _setup: tuple[str, str, int] | None = None  # what the resampler was made for

    def __post_init__(self) -> None:
        self.channels = 2 if self.stream.channels == 2 else 1
        if self.stream.channels > 2:
            self.warnings.append(f"录音有 {self.stream.channels} 个声道，已混为单声道")
        if len(self.container.streams.audio) > 1:
            self.warnings.append(
                f"文件里有 {len(self.container.streams.audio)} 条音轨，只检查了一条"
            )

    def run(self) -> None:
        """Decode to the end, or to where the file breaks off."""
        try:
            for packet in self.container.demux(self.stream):
                if self._is_pause(packet):
                    self._flush()
                    self._write_silence(AMR_FRAME)
                    continue
                try:
                    for frame in packet.decode():
                        self._take(frame)
                except av.FFmpegError:
                    self._note_damage()
        except av.FFmpegError:
            self._note_damage()
        self._flush()

    def _is_pause(self, packet: av.Packet) -> bool:
        """Whether an AMR frame only describes comfort noise or says that nothing was sent.

        Phones save such frames in pauses (3GPP TS 26.101, table 1a: SID and NO_DATA); FFmpeg's
        decoder refuses them.
        """
        first = AMR_PAUSE_FROM.get(self.stream.codec_context.name)
        if first is None or not 0 < packet.size <= AMR_PAUSE_BYTES:
            return False
        return (bytes(packet)[0] >> 3) & 15 >= first

    def samples(self) -> NDArray[np.float32]:
        """The samples as a memory map of the store, (channels, n)."""
        if not self.written:
            raise av.InvalidDataError(0, "nothing decoded")
        self.store.flush()
        shape = (self.written, self.channels)
        return np.memmap(self.store, np.float32, mode="r", shape=shape).T

    def _take(self, frame: AudioFrame) -> None:
        setup = (frame.format.name, frame.layout.name, frame.sample_rate)
        if setup != self._setup:  # streams may change halfway, damaged ones do
            _check_rate(frame.sample_rate)
            self._flush()
            layout = "stereo" if self.channels == 2 else "mono"
            self._resampler = av.AudioResampler("flt", layout, SAMPLE_RATE)
            self._setup = setup
        assert self._resampler is not None
        self._fill_gap(frame)
        frame.pts = None
        self._write(self._resampler.resample(frame))

    def _fill_gap(self, frame: AudioFrame) -> None:
        """Turn lost frames into silence, so that every later word keeps its time."""
        if frame.time is None:
            return
        if self._first_time is None:
            self._first_time = frame.time
        end = round((frame.time - self._first_time) * SAMPLE_RATE)
        stated = (self.container.duration or 0) / av.time_base
        longest = min(stated + SHORT_BY, MAX_SECONDS)
        if end - self.written < LEVEL_BLOCK or end > longest * SAMPLE_RATE:
            return  # no gap, or an absurd time in a damaged file
        self._note_damage()
        while self.written < end:
            self._write_silence(min(end - self.written, LEVEL_BLOCK))

    def _write_silence(self, count: int) -> None:
        self.store.write(bytes(count * self.channels * np.float32().itemsize))
        self.written += count

    def _note_damage(self) -> None:
        if not self.damage or self.written - self.damage[-1] > LEVEL_BLOCK:
            self.damage.append(self.written)

    def _flush(self) -> None:
        if self._resampler is not None:
            self._write(self._resampler.resample(None))
            self._resampler = self._setup = None

    def _write(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            block = np.nan_to_num(frame.to_ndarray(), posinf=1.0, neginf=-1.0)
            self.store.write(np.clip(block, -1.0, 1.0).astype(np.float32).tobytes())
            self.written += frame.samples
        if self.written > MAX_SECONDS * SAMPLE_RATE:
            raise AudioError(
                f"录音超过 {MAX_SECONDS // 3600} 小时，不像一通电话",
                "请检查文件，或截取通话部分后再试",
            )


def _refuse_non_files(path: Path) -> None:
    if not path.exists():
        raise AudioError("找不到录音文件", "请检查文件名和路径")
    if path.is_dir():
        raise AudioError(
            "这是一个文件夹，不是录音文件", "请指定文件夹里的录音，或用批量抽检检查整个文件夹"
        )
    if not path.is_file():
        raise AudioError("这不是普通文件，无法读取", "请把录音复制成文件后再试")
    if path.stat().st_size == 0:
        raise AudioError("录音文件是空的（0 字节）", EXPORT_HINT)


def _pick_stream(container: InputContainer) -> AudioStream:
    stream = container.streams.best("audio")
    if not isinstance(stream, AudioStream):
        if container.streams.video:
            raise AudioError("视频里没有声音", FORMATS_HINT)
        raise av.InvalidDataError(0, "no audio stream")
    if stream.codec_context is None:
        raise AudioError("录音的编码方式无法识别", FORMATS_HINT)
    _check_rate(stream.rate)
    return stream


def _check_rate(rate: int) -> None:
    low, high = SOURCE_RATES
    if not low <= (rate or 0) <= high:
        raise AudioError(f"录音的采样率（{rate} 赫兹）不合理，文件可能已损坏", EXPORT_HINT)


def _damage_warnings(path: Path, decoding: _Decoding) -> Iterator[str]:
    """Where the sound breaks off or is damaged; half a WAV, MP3 or Ogg decodes silently."""
    decoded = decoding.written / SAMPLE_RATE
    inside = [at for at in decoding.damage if at < decoding.written - LEVEL_BLOCK]
    if inside:
        first = inside[0] / SAMPLE_RATE
        yield f"录音从第 {first:.1f} 秒起有 {len(inside)} 处损坏或缺失，该处没有检查"
    broken = len(inside) < len(decoding.damage)  # of known length, it is but padding
    stated = stated_seconds(path, decoding.container)
    if stated - decoded > max(SHORT_BY, SHORT_SHARE * stated):
        yield f"录音在第 {decoded:.1f} 秒处中断，比文件头写的 {stated:.1f} 秒短，可能没有传完"
    elif not ends_properly(path, decoding.container) or (broken and not stated):
        yield f"录音在第 {decoded:.1f} 秒处中断，可能没有传完"


def _storage_error(error: OSError) -> AudioError:
    if error.errno == errno.ENOSPC:
        return AudioError("临时目录空间不足，无法展开录音", "请清理磁盘，或用 TMPDIR 指定别的目录")
    if error.errno in (errno.EACCES, errno.EPERM):
        return AudioError("没有读取录音文件的权限", "请联系管理员开通权限")
    return AudioError("读取录音文件时出错", f"请检查磁盘或网络盘后再试（{error.strerror}）")
