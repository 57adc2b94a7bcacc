"""What a reader is shown of personal data: masked, unless they ask for it whole and may."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query

from api.access import Actor
from api.problems import Problem
from qc.filed import Filing
from qc.order import Order
from qc.privacy import mask, mask_address, mask_file_name, mask_name, masked_order

# Values that are never words: ids, kinds and times, some of whose digits look like a phone's.
_IDS = frozenset({"id", "order_id", "recording_id", "sha256", "rule_id", "event_id", "document"})
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ][\d:.]+(?:Z|[+-]\d\d:\d\d)?)?")
_HASH = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}")

Unmasked = Annotated[bool, Query(description="不遮盖个人信息；需要相应权限，并记入审计日志")]


@dataclass(frozen=True)
class View:
    """How one reader sees data. All methods give copies."""

    unmasked: bool
    department: str = ""  # whose orders the reader sees; "" for those of all

    def order(self, order: Order) -> Order:
        """An order's own fields."""
        return order if self.unmasked else masked_order(order)

    def filing(self, filing: Filing, order: Order) -> Filing:
        """What was filed on the order."""
        if self.unmasked:
            return filing
        return Filing.model_validate(self.stored(filing.model_dump(mode="json"), order))

    def words(self, text: str, order: Order | None = None) -> str:
        """Anything said or written."""
        return text if self.unmasked else mask(text, order)

    def file_name(self, name: str, order: Order | None = None) -> str:
        """The name of a recording."""
        return name if self.unmasked else mask_file_name(name, order)

    def stored(self, data: Any, order: Order | None = None) -> Any:
        """Stored JSON: a verdict, a transcript, a filing; every text in it but ids and times."""
        return data if self.unmasked else _masked(data, order)


def view_for(actor: Actor, unmasked: bool = False) -> View:
    """How the actor sees data; the caller records an unmasked read in the audit log.

    Raises:
        Problem: 403 unmasked data is asked for by who may not.
    """
    if unmasked and not actor.may("unmasked:read"):
        raise Problem(403, "您的账号不能查看未遮盖的个人信息。", kind="forbidden")
    return View(unmasked, actor.department)


def _masked(data: Any, order: Order | None, key: str = "") -> Any:
    if isinstance(data, str):
        return _masked_text(data, order, key)
    if isinstance(data, Mapping):
        slot = str(data.get("field") or data.get("name") or key)
        if {"said", "filed"} <= data.keys():
            return {k: _masked_slot(k, v, slot, order) for k, v in data.items()}
        return {k: _masked(v, order, k) for k, v in data.items()}
    if isinstance(data, Sequence):
        return [_masked(item, order, key) for item in data]
    return data


def _masked_text(text: str, order: Order | None, key: str) -> str:
    if key in _IDS or _MOMENT.fullmatch(text) or _HASH.fullmatch(text):
        return text
    if key in ("call_id", "file_name", "recording"):
        return mask_file_name(text, order)
    if key == "petitioner":
        return mask_name(text)
    if key == "address":
        return mask_address(text)
    return mask(text, order)


def _masked_slot(key: str, value: Any, slot: str, order: Order | None) -> Any:
    """What was said and filed of one slot, whose kind tells what it holds."""
    if key not in ("said", "filed") or not isinstance(value, str):
        return _masked(value, order, key)
    if slot == "address":
        return mask_address(value)
    if slot == "name" and key == "filed":
        return mask_name(value)
    return mask(value, order)
