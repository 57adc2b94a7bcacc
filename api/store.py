"""Where the recordings lie: a folder, or a bucket of an S3-compatible store (fsspec).

A file is written under a temporary name, checked, and then renamed, so that a name never holds
half a recording.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from qc.errors import QcError

INCOMING = "incoming"  # folder of files that are still being received
BLOCK = 1 << 20  # bytes read or written at a time


class ChecksumError(QcError):
    """What arrived is not what was announced."""


class TooLarge(QcError):
    """More arrives than is allowed."""


@dataclass(frozen=True)
class Stored:
    """A file of the store."""

    path: str  # relative to the store
    sha256: str
    size: int  # bytes


class RecordingStore:
    """Files under one fsspec URL. Paths are relative to it.

    Args:
        url: `file:///folder` or `s3://bucket/folder`; the store's address and keys come from the
            environment (FSSPEC_S3_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY).
    """

    def __init__(self, url: str) -> None:
        try:
            self._files, root = url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise QcError(
                f"用不了录音存放处 {url}（{error}）", "S3 存储需要安装 hotline-qc[s3]"
            ) from error
        self._root = root.rstrip("/")
        self._is_local = isinstance(self._files, LocalFileSystem)

    def check(self) -> None:
        """Write and remove a small file.

        Raises:
            QcError: the store cannot be written.
        """
        probe = self._full(f"{INCOMING}/probe-{uuid4().hex}")
        try:
            self._make_folder(probe)
            self._files.pipe_file(probe, b"ok")
            self._files.rm_file(probe)
        except Exception as error:  # whatever the store's client raises
            raise QcError(
                f"录音存放处写不进去（{type(error).__name__}）", "请检查地址、权限和磁盘空间"
            ) from error

    def receive(self, limit: int | None = None) -> "Incoming":
        """Begin a new file of at most `limit` bytes."""
        path = self._full(f"{INCOMING}/{uuid4().hex}")
        self._make_folder(path)
        return Incoming(self, path, self._files.open(path, "wb", block_size=5 * BLOCK), limit)

    def put(self, local: Path, path: str) -> Stored:
        """Store a file that lies on this machine."""
        incoming = self.receive()
        with incoming, local.open("rb") as file:
            while block := file.read(BLOCK):
                incoming.write(block)
            return incoming.keep(path)

    def size(self, path: str) -> int:
        """Bytes of a file.

        Raises:
            QcError: there is none.
        """
        try:
            return int(self._files.size(self._full(path)) or 0)
        except FileNotFoundError as error:
            raise missing() from error

    def read(self, path: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Bytes `start` to `end` (not included) of a file, block by block.

        Raises:
            QcError: there is no such file.
        """
        try:
            file = self._files.open(self._full(path), "rb")
        except FileNotFoundError as error:
            raise missing() from error
        with file:
            file.seek(start)
            left = (self.size(path) if end is None else end) - start
            while left > 0 and (block := file.read(min(BLOCK, left))):
                left -= len(block)
                yield block

    def delete(self, path: str) -> None:
        """Delete a file; one that is not there is as good as deleted."""
        if path:
            with suppress(FileNotFoundError):
                self._files.rm_file(self._full(path))

    @contextmanager
    def local_path(self, path: str) -> Iterator[Path]:
        """The file as one of this machine's, for decoding.

        Raises:
            QcError: there is no such file.
        """
        full = self._full(path)
        if self._is_local:
            if not Path(full).is_file():
                raise missing()
            yield Path(full)
            return
        with tempfile.TemporaryDirectory(prefix="hotline-qc-") as folder:
            copy = Path(folder) / Path(path).name
            try:
                self._files.get_file(full, str(copy))
            except FileNotFoundError as error:
                raise missing() from error
            yield copy

    def paths(self, folder: str) -> list[str]:
        """Files of a folder, sorted."""
        return sorted(self._found(folder))

    def older_than(self, folder: str, moment: datetime) -> list[str]:
        """Files of a folder that were last written before a moment."""
        return [path for path, info in self._found(folder).items() if _written(info) < moment]

    def _found(self, folder: str) -> dict[str, dict[str, Any]]:
        self._files.invalidate_cache()
        try:
            found = self._files.find(self._full(folder), detail=True)
        except FileNotFoundError:
            return {}
        return {name[len(self._root) + 1 :]: info for name, info in found.items()}

    def rename(self, old: str, new: str) -> None:
        """Rename a file of the store by its full name; an object store copies and deletes."""
        target = self._full(new)
        self._make_folder(target)
        if self._is_local:
            Path(old).replace(target)
        else:
            self._files.mv(old, target)

    def drop(self, full: str) -> None:
        """Delete a file by its full name, if it is there."""
        with suppress(FileNotFoundError):
            self._files.rm_file(full)

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _make_folder(self, path: str) -> None:
        if self._is_local:
            Path(path).parent.mkdir(parents=True, exist_ok=True)


class Incoming:
    """A file that is being received. Used as a context: what was not kept is thrown away."""

    def __init__(self, store: RecordingStore, path: str, file: IO[bytes], limit: int | None):
        self._store, self._path, self._file, self._limit = store, path, file, limit
        self._hash = hashlib.sha256()
        self._closed = self._kept = False
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of what has arrived so far."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            TooLarge: there are more than the limit.
        """
        self.size += len(data)
        if self._limit is not None and self.size > self._limit:
            raise TooLarge(f"录音超过 {self._limit >> 20} MB 的上限", "请压缩或分段后再上传")
        self._hash.update(data)
        self._file.write(data)

    def finish(self, sha256: str | None = None) -> None:
        """Close the file after its last byte.

        Raises:
            ChecksumError: its SHA-256 is not the announced one, or it is empty.
        """
        if not self.size:
            raise ChecksumError("收到的录音是空的", "请检查文件")
        if sha256 is not None and sha256.lower() != self.sha256:
            raise ChecksumError("收到的录音与校验值不符，可能传输出错", "请重新上传")
        self._close()

    def keep(self, path: str) -> Stored:
        """Give the finished file its name."""
        self._close()
        self._store.rename(self._path, path)
        self._kept = True
        return Stored(path, self.sha256, self.size)

    def _close(self) -> None:
        if not self._closed:
            self._file.flush()
            with suppress(OSError, AttributeError, NotImplementedError):  # no file of this machine
                os.fsync(self._file.fileno())
            self._file.close()
            self._closed = True

    def __enter__(self) -> "Incoming":
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def discard(self) -> None:
        """Throw away what was not kept."""
        if not self._closed:
            self._file.close()
            self._closed = True
        if not self._kept:
            self._store.drop(self._path)


def missing() -> QcError:
    """The store has lost a file, or it was deleted."""
    return QcError("录音文件不在存放处", "可能已按保留期限删除；否则请重新上传")


def _written(info: dict[str, Any]) -> datetime:
    """When a file was last written: a time of the file system's, or the object store's."""
    if (moment := info.get("LastModified")) is not None:
        return moment
    return datetime.fromtimestamp(info.get("mtime", 0.0), UTC)
