"""What kind of file a recording is: which containers we open, what a header states, why not.

FFmpeg does the reading (`qc.audio`); this looks at the bytes where FFmpeg's answer is not enough
to tell a person what is wrong.
"""

import struct
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer

from qc.errors import AudioError

# Only containers of sound or video files: no playlists, image sequences, scripts or subtitles,
# with which FFmpeg would read other files or the network.
CONTAINERS = (
    "aac,aiff,amr,amrnb,amrwb,asf,au,avi,caf,flac,flv,g722,g723_1,g726,g726le,g729,gsm,"
    "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,mpegts,ogg,voc,w64,wav"
)
OPEN_OPTIONS = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
# Containers whose header states a length. The others' is an estimate from size and bit rate.
LENGTH_IN_HEADER = {"w64", "flac", "mov", "matroska", "aiff", "au", "caf", "avi"}
XING_TAGS = (b"Xing", b"Info", b"VBRI")  # an MP3 states its length only with one of these
HEADERLESS = {"g722", "g726", "g726le", "g729", "gsm"}  # told by the name of the file
UNKNOWN_SIZE = 0x7FFF_0000  # bytes; streaming recorders write -1 or the like as the WAV size
OGG_LAST_PAGE = 4  # bit of a page's flags
HEAD_BYTES = 65_536  # enough to tell what a file is; an Ogg page is no larger

FORMATS_HINT = "请提供 WAV、MP3、M4A、AMR、OGG、FLAC 或 WMA 格式的录音"
EXPORT_HINT = "请从录音系统重新导出后再试"
ARCHIVE = "这是一个压缩包或办公文档，不是录音"
PICTURE = "这是一张图片，不是录音"
OTHER_KINDS = {
    b"PK\x03\x04": ARCHIVE,
    b"Rar!": ARCHIVE,
    b"7z\xbc\xaf\x27\x1c": ARCHIVE,
    b"\x1f\x8b": ARCHIVE,
    b"\xd0\xcf\x11\xe0": ARCHIVE,  # Word and Excel before 2007
    b"%PDF": "这是一个 PDF 文档，不是录音",
    b"\xff\xd8\xff": PICTURE,
    b"\x89PNG": PICTURE,
}
SOUND_MAGICS = (b"RIFF", b"OggS", b"fLaC", b"#!AMR", b"ID3", b"0&\xb2u", b"\x1aE\xdf\xa3")
# Boxes of protected MP4 and ASF's content encryption object, which FFmpeg would decode to noise.
ENCRYPTION_MARKS = (b"enca", b"drms", bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"))
OPENSSL_MAGIC = b"Salted__"
RANDOM_ENTROPY = 7.9  # bits a byte; what is neither sound nor text and above is encrypted


def refuse_other_files(path: Path) -> None:
    """Raise an `AudioError` for what FFmpeg would read as noise or not at all.

    Formats without a header, such as .g722, are told by the name alone and decode anything;
    protected MP4 and WMA decode to noise.
    """
    head = _head(path)
    for magic, message in OTHER_KINDS.items():
        if head.startswith(magic):
            raise AudioError(message, FORMATS_HINT)
    if head.startswith(OPENSSL_MAGIC) or any(mark in head for mark in ENCRYPTION_MARKS):
        raise _encrypted()
    if _is_text(head):
        raise AudioError("这是一个文本文件，不是录音", FORMATS_HINT)


def refuse_misnamed(path: Path, container: InputContainer) -> None:
    """Raise an `AudioError` where a broken file was opened as a format that has no header."""
    if container.format.name in HEADERLESS and _is_sound(_head(path)):
        raise why_unreadable(path)


def why_unreadable(path: Path) -> AudioError:
    """Say why FFmpeg could not read a file, as far as its first bytes tell."""
    head = _head(path)
    if _is_sound(head):
        return AudioError("录音已损坏，可能没有传完", EXPORT_HINT)
    if _entropy(head) > RANDOM_ENTROPY:
        return _encrypted()
    return AudioError("录音已损坏，或不是支持的录音格式", f"{EXPORT_HINT}；{FORMATS_HINT}")


def stated_seconds(path: Path, container: InputContainer) -> float:
    """Length the header states, in seconds; 0 where it states none."""
    names = set(container.format.name.split(","))
    by_ffmpeg = (container.duration or 0) / av.time_base
    if "wav" in names:  # FFmpeg goes by the size of the file when there is no fact chunk
        by_size = _wav_seconds(_head(path))
        return 0.0 if by_size is None else max(by_size, by_ffmpeg)
    if "mp3" in names:
        return by_ffmpeg if any(tag in _head(path) for tag in XING_TAGS) else 0.0
    return by_ffmpeg if names & LENGTH_IN_HEADER else 0.0


def ends_properly(path: Path, container: InputContainer) -> bool:
    """Whether the end of the file is where its writer left it. Only Ogg can tell: a flag."""
    if container.format.name != "ogg":
        return True
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - HEAD_BYTES))
        tail = file.read()
    page = tail.rfind(b"OggS")
    return 0 <= page < len(tail) - 5 and bool(tail[page + 5] & OGG_LAST_PAGE)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _encrypted() -> AudioError:
    return AudioError("录音可能已加密，无法读取", "请在录音系统里导出未加密的录音")


def _is_sound(head: bytes) -> bool:
    return head.startswith(SOUND_MAGICS) or head[4:8] == b"ftyp"


def _wav_seconds(head: bytes) -> float | None:
    """Length by the sizes in a RIFF header; None where a recorder never filled them in."""
    position, bytes_per_second = 12, 0
    while position + 8 <= len(head):
        name, size = struct.unpack_from("<4sI", head, position)
        if name == b"fmt " and position + 20 <= len(head):
            (bytes_per_second,) = struct.unpack_from("<I", head, position + 16)
        if name == b"data":
            if not 0 < size < UNKNOWN_SIZE:
                return None
            return size / bytes_per_second if bytes_per_second else 0.0  # 0 in some ADPCM
        position += 8 + size + size % 2  # chunks are padded to even sizes
    return None


def _is_text(head: bytes) -> bool:
    start = head[:4096]
    for encoding in ("utf-8", "gb18030"):
        try:
            text = start.decode(encoding)
        except UnicodeDecodeError as error:
            if error.start < len(start) - 4:  # not merely a character cut in two
                continue
            text = start[: error.start].decode(encoding)
        return all(char.isprintable() or char in "\r\n\t\ufeff" for char in text)
    return False


def _entropy(data: bytes) -> float:
    """Bits a byte, 0..8; only encrypted or compressed data comes close to 8."""
    counts = np.bincount(np.frombuffer(data, np.uint8), minlength=256)
    shares = counts[counts > 0] / max(1, len(data))
    return float(-(shares * np.log2(shares)).sum())
