"""Pages of a list: each says where the next begins, so that rows added meanwhile shift nothing."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field
from sqlalchemy import Select, String, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from api.database import Moment
from api.problems import Problem

Item = TypeVar("Item")
Row = TypeVar("Row")

DEFAULT_LIMIT, MAX_LIMIT = 50, 200  # rows of a page
MAX_INTEGER = 2**31  # of an integer column


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    items: list[Item] = Field(description="本页的各项")
    next: str | None = Field(
        default=None, description="下一页的 after；没有更多时为 null", examples=[None]
    )


@dataclass(frozen=True)
class Wanted:
    """Which page is asked for."""

    limit: int
    after: str | None


def wanted_page(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="每页最多几项")] = DEFAULT_LIMIT,
    after: Annotated[
        str | None, Query(max_length=1000, description="上一页给出的 next；不给则从头开始")
    ] = None,
) -> Wanted:
    """Dependency: which page is asked for."""
    return Wanted(limit, after)


def read_page(
    session: Session,
    rows: Select[Row],
    keys: Sequence[InstrumentedAttribute[Any]],
    wanted: Wanted,
    *,
    newest_first: bool = True,
) -> tuple[list[Row], str | None]:
    """One page of the rows of a statement that selects one table.

    Args:
        rows: without order and limit.
        keys: columns to sort by, never null, together unique (end with the id).
        newest_first: from the greatest key downwards.

    Returns:
        The rows, and `next` of the page.

    Raises:
        Problem: 400 `after` is none of ours.
    """
    if wanted.after:
        values = [
            literal(value, key.type)
            for key, value in zip(keys, _decode(wanted.after, keys), strict=True)
        ]
        place, bound = tuple_(*keys), tuple_(*values)
        rows = rows.where(place < bound if newest_first else place > bound)
    order = [key.desc() if newest_first else key.asc() for key in keys]
    found = list(session.scalars(rows.order_by(*order).limit(wanted.limit + 1)))
    if len(found) <= wanted.limit:
        return found, None
    shown = found[: wanted.limit]
    return shown, _encode([getattr(shown[-1], key.key) for key in keys])


def _encode(values: Sequence[Any]) -> str:
    plain = [{"at": v.isoformat()} if isinstance(v, datetime) else v for v in values]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def _decode(after: str, keys: Sequence[InstrumentedAttribute[Any]]) -> list[Any]:
    try:
        padded = after + "=" * (-len(after) % 4)
        plain = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        values = [datetime.fromisoformat(v["at"]) if isinstance(v, dict) else v for v in plain]
        if len(values) == len(keys) and all(map(_fits, values, keys)):
            return values
    except (binascii.Error, ValueError, TypeError, KeyError, RecursionError):
        pass
    raise Problem(400, "after 不是本列表给出的值，请从第一页重新读取。", kind="bad-cursor")


def _fits(value: Any, key: InstrumentedAttribute[Any]) -> bool:
    """Whether a value can be compared with a column; a database would refuse others."""
    if isinstance(key.type, Moment) or isinstance(value, datetime):
        return isinstance(value, datetime) and isinstance(key.type, Moment) and bool(value.tzinfo)
    if isinstance(key.type, String):
        return isinstance(value, str) and "\x00" not in value
    return isinstance(value, int | float) and abs(value) < MAX_INTEGER
