"""Results of a spot check on disk, one line a recording, safe to be killed at any moment."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from qc.errors import QcError
from qc.report import Row


class Results:
    """`results.jsonl`: rows that are appended, the latest of each recording counting.

    Only names and positions are held in memory. With `unmasked` None it is opened for reading.
    """

    def __init__(self, path: Path, unmasked: bool | None = None) -> None:
        self._path, self._unmasked = path, unmasked
        self._latest: dict[str, tuple[str, int]] = {}  # id -> recording, offset of its last line
        self._verdict_at: dict[str, int] = {}  # key -> offset of a line with a verdict
        self._file: IO[bytes]

    def __enter__(self) -> "Results":
        self._file = self._path.open("rb" if self._unmasked is None else "a+b")
        if self._unmasked is not None:
            self._lock()
        self._file.seek(0)
        offset = 0
        for line in self._file:
            if not line.endswith(b"\n"):  # half written when the run was killed
                break
            self._index(line, offset)
            offset += len(line)
        if self._unmasked is not None:
            self._file.truncate(offset)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Row]:
        for _, offset in sorted(self._latest.values()):
            yield self._read(offset)

    def reuse(self, key: str, id: str, recording: str) -> bool:
        """Whether a verdict on the same recording for the same order is there already.

        One that is filed under another name is taken over.
        """
        if not key or key not in self._verdict_at:
            return False
        if id in self._latest:
            latest = self._read(self._latest[id][1])
            if latest.key == key and latest.verdict is not None:
                return True
        row = self._read(self._verdict_at[key])
        if row.id != id and row.verdict is not None:
            note = f"与录音“{row.recording}”内容相同，沿用其结果"
            found = row.verdict.model_copy(update={"warnings": (note, *row.verdict.warnings)})
            row = row.model_copy(update={"id": id, "recording": recording, "verdict": found})
        self.append(row)
        return True

    def append(self, row: Row) -> None:
        """Store a row, unless it says what the latest row of its recording says."""
        if row.id in self._latest and self._read(self._latest[row.id][1]) == row:
            return
        offset = self._file.seek(0, os.SEEK_END)
        line = row.model_dump_json().encode() + b"\n"
        self._file.write(line)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._index(line, offset)

    def _read(self, offset: int) -> Row:
        self._file.seek(offset)
        return Row.model_validate_json(self._file.readline())

    def _index(self, line: bytes, offset: int) -> None:
        try:
            row = Row.model_validate_json(line)
        except ValidationError:  # damaged on the disk: as if it had not been inspected
            return
        if self._unmasked not in (None, row.unmasked):
            raise QcError(
                f"结果文件夹里已有{'未' if row.unmasked else '已'}隐去个人信息的结果",
                "请换一个结果文件夹",
            )
        self._latest[row.id] = row.recording, offset
        if row.verdict is not None:
            self._verdict_at.setdefault(row.key, offset)

    def _lock(self) -> None:
        with suppress(ImportError):  # not on Windows
            import fcntl

            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise QcError("另一个批量检查正在写这个结果文件夹", "请等它结束") from error
