"""What counts of one call: the small record from which every figure is computed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from qc.filed import Filing, ReturnVisit, Urgency
from qc.inspection import Cause, Level, Satisfaction, Status
from qc.order import CallKind
from qc.report import Row, Verdict

_DAY = re.compile(r"(?<!\d)(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?!\d)")


@dataclass(frozen=True, slots=True)
class CallFigures:
    """One inspected call with what was filed on its order; `kind` None: an order without a call.

    What is not known is None and leaves the denominators.
    """

    call_id: str
    order_id: str = ""
    on: date | None = None  # day of the call; of the order where there is no call
    department: str = ""
    handler: str = ""
    kind: CallKind | None = None
    # what was heard
    elements: Mapping[str, Status] = field(default_factory=dict)  # by element id
    behaviours: Mapping[str, int] = field(default_factory=dict)  # times shown, by behaviour id
    signals: tuple[str, ...] = ()
    satisfaction: Satisfaction = "none"  # the citizen's last word in the call
    heard_cause: Cause | None = None  # of dissatisfaction, read off the words
    attitude_score: int | None = None  # 0..100
    attitude_level: Level | None = None
    score: int | None = None  # 0..100
    # what was filed on the order
    visited: Satisfaction | None = None  # of the latest return visit
    cause: Cause | None = None  # of dissatisfaction, as filed
    urgency: Urgency = Urgency.NORMAL
    contacted: bool | None = None  # first contact made in time
    on_time: bool | None = None  # closed in time

    @classmethod
    def of_row(
        cls,
        row: Row,
        filing: Filing | None = None,
        *,
        on: date | None = None,
        contacted: bool | None = None,
        on_time: bool | None = None,
    ) -> "CallFigures":
        """The figures of a stored result, with or without a verdict.

        Args:
            filing: what was filed on the order; None where nothing is known of it.
            on: day of the call; where None, the day that the order's number or the recording's
                name holds (20240611-000417).
        """
        filing, found = filing or Filing(), row.verdict
        visit = latest_visit(filing)
        return cls(
            call_id=row.id,
            order_id=row.order_id,
            on=on or day_in(row.order_id) or day_in(row.recording),
            department=row.department,
            handler=row.handler,
            kind=row.kind,
            **(_heard(found) if found else {}),
            visited=visit.satisfaction if visit else None,
            cause=visit.cause if visit else None,
            urgency=filing.urgency,
            contacted=contacted,
            on_time=on_time,
        )


def _heard(found: Verdict) -> dict[str, Any]:
    """What a verdict says. Elements on which a person must decide count neither way."""
    cause = (found.model_extra or {}).get("cause") or {}
    return {
        "elements": {k: e.status for k, e in found.elements.items() if not e.undetermined},
        "behaviours": {b.id: len(b.quotes) for b in found.behaviours},
        "signals": tuple(signal.id for signal in found.citizen),
        "satisfaction": found.satisfaction,
        "heard_cause": cause.get("id"),
        "attitude_score": found.attitude.score,
        "attitude_level": found.attitude.level,
        "score": found.score,
    }


def latest_visit(filing: Filing) -> ReturnVisit | None:
    """The last return visit at which the petitioner said something of their satisfaction."""
    visits = [visit for visit in filing.return_visits if visit.satisfaction != "none"]
    return max(visits, key=lambda visit: visit.at, default=None)


def day_in(text: str) -> date | None:
    """The first day that a number or file name holds, written 20240611."""
    for match in _DAY.finditer(text):
        try:
            return date(*map(int, match.groups()))
        except ValueError:  # 20240231
            continue
    return None
