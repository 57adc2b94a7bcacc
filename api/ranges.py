"""Answers with a part of a file (RFC 9110, section 14): players jump about in a recording."""

import re
from dataclasses import dataclass

from fastapi.responses import StreamingResponse

from api.problems import Problem
from api.store import RecordingStore

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True)
class Span:
    """Bytes `start` to `end` (not included) of a file."""

    start: int
    end: int


def wanted_span(header: str | None, size: int) -> Span | None:
    """The part that a Range header asks for; None for the whole file.

    A header that is not understood, or that asks for several parts, is ignored, as the RFC allows.

    Raises:
        Problem: 416 there is no such part.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first:
        start, end = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < int(first):
            return None
    else:  # the last so many bytes
        start, end = max(0, size - int(last)), size
    if start >= size or start >= end:
        raise Problem(
            416, "请求的范围超出了录音的大小。", headers={"Content-Range": f"bytes */{size}"}
        )
    return Span(start, end)


def send_file(
    store: RecordingStore, path: str, media_type: str, range_header: str | None, name: str
) -> StreamingResponse:
    """A file of the store, or the part of it that is asked for.

    Raises:
        Problem: 416; QcError: there is no such file.
    """
    size = store.size(path)
    span = wanted_span(range_header, size)
    part = span or Span(0, size)
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Length": str(part.end - part.start),
        "Content-Disposition": f"inline; filename={name}",
    }
    if span:
        headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{size}"
    return StreamingResponse(
        store.read(path, part.start, part.end),
        206 if span else 200,
        headers,
        media_type,
    )
