"""JSON Schema of the files of `scripts_catalog/`, for editors, from the models that read them."""

from datetime import date
from typing import Any

from pydantic import Field, TypeAdapter

from qc.catalogue import (
    Behaviour,
    CauseRule,
    Element,
    Facet,
    Practice,
    Profile,
    Scoring,
    Signal,
    Strict,
)
from qc.deadlines.timing import Timing
from qc.notices.rules import NoticeRule
from qc.orders.rules import Announcement, Claim, Cue, OrderRule, WordingRule


class ConsistencyFile(Strict):
    """The four lists of `consistency.yaml`."""

    findings: tuple[OrderRule, ...]
    cues: tuple[Cue, ...]
    claims: tuple[Claim, ...]
    announcements: tuple[Announcement, ...]


class ProfileFile(Profile):
    """A street's file, with what its sections hold."""

    timing: Timing = Timing()  # type: ignore[assignment]
    notices: dict[str, NoticeRule] = Field(default={})  # type: ignore[assignment]


_FILES: dict[str, Any] = {
    "documents.yaml": dict[str, str],
    "facets.yaml": tuple[Facet, ...],
    "first_contact.yaml": tuple[Element, ...],
    "reply.yaml": tuple[Element, ...],
    "conduct.yaml": tuple[Behaviour, ...],
    "signals.yaml": tuple[Signal, ...],
    "practice.yaml": tuple[Practice, ...],
    "causes.yaml": tuple[CauseRule, ...],
    "scoring.yaml": Scoring,
    "consistency.yaml": ConsistencyFile,
    "report_wording.yaml": tuple[WordingRule, ...],
    "notices.yaml": dict[str, NoticeRule],
    "holidays.yaml": tuple[date, ...],
    "profiles": ProfileFile,
}


def rule_schemas() -> dict[str, Any]:
    """JSON Schema of each file; `profiles` is that of every file in this folder."""
    schemas = {file: TypeAdapter(content).json_schema() for file, content in _FILES.items()}
    notice = schemas["notices.yaml"]["$defs"]["NoticeRule"]
    change = schemas["profiles"]["$defs"]["NoticeRule"]
    for rule in (notice, change):  # a notice's id is its key
        del rule["properties"]["id"]
    notice["required"].remove("id")
    del change["required"]  # a street gives only what differs
    return schemas
