"""The tables from which figures are computed: the calls, and what was found in them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import pandas as pd

from qc.figures.calls import CallFigures
from qc.order import CallKind

CALL_COLUMNS = (
    *("call_id", "order_id", "on", "department", "handler", "kind", "satisfaction"),
    *("heard_cause", "attitude_score", "attitude_level", "score", "visited", "cause", "urgency"),
    *("contacted", "on_time"),
)
FINDING_COLUMNS = ("call", "family", "rule", "status", "times")  # call: position in the calls


@dataclass(frozen=True, eq=False)
class Tables:
    """The calls (`CALL_COLUMNS`, indexed by position) and what was found (`FINDING_COLUMNS`)."""

    calls: pd.DataFrame
    findings: pd.DataFrame

    @cached_property
    def heard(self) -> pd.DataFrame:
        """The calls that were inspected."""
        return self.calls[self.calls["score"].notna()]

    @cached_property
    def orders(self) -> pd.DataFrame:
        """One row an order: the last that is known of each field, and `said` (满意度)."""
        calls = self.calls
        replied = (calls["kind"] == CallKind.REPLY.value) & (calls["satisfaction"] != "none")
        order = calls["order_id"].where(
            calls["order_id"] != "", "#" + calls.index.astype(str).to_series(index=calls.index)
        )
        wanted = ["department", "handler", "visited", "cause", "heard_cause", "on"]
        wanted += ["contacted", "on_time"]
        table = calls[wanted].assign(order=order, replied=calls["satisfaction"].where(replied))
        table = table.sort_values("on", kind="stable", na_position="first")
        orders = table.groupby("order", sort=False, observed=True).last()
        visited = orders["visited"].where(orders["visited"] != "none")
        orders["said"] = visited.fillna(orders.pop("replied"))
        orders["satisfied"] = orders["said"].isin(("satisfied", "basically"))
        return orders

    @cached_property
    def problems(self) -> pd.DataFrame:
        """Missing elements and behaviours, one row a call and rule, with who made the call."""
        found = self.findings
        is_problem = (found["family"] == "behaviour") | (found["status"] == "missing")
        return found[is_problem].join(self.calls[["department", "handler", "on"]], on="call")


def tabulate(records: Iterable[CallFigures]) -> Tables:
    """The tables of some calls; takes about a second for 100,000."""
    columns: dict[str, list[Any]] = {name: [] for name in CALL_COLUMNS}
    found: list[tuple[int, str, str, str, int]] = []
    for i, record in enumerate(records):
        for name, column in columns.items():
            column.append(getattr(record, name))
        found += [(i, "element", rule, status, 1) for rule, status in record.elements.items()]
        found += [(i, "behaviour", rule, "found", n) for rule, n in record.behaviours.items()]
        found += [(i, "signal", rule, "found", 1) for rule in record.signals]
    return tables_of(pd.DataFrame(columns), pd.DataFrame(found, columns=list(FINDING_COLUMNS)))


def tables_of(calls: pd.DataFrame, findings: pd.DataFrame) -> Tables:
    """Tables read as columns, as from a database: `CALL_COLUMNS` and `FINDING_COLUMNS`.

    Enumerations are their values, missing values None or NaN; `call` of a finding is the position
    of its row in `calls`.
    """
    calls = calls[list(CALL_COLUMNS)].reset_index(drop=True)
    calls["on"] = pd.to_datetime(calls["on"]).astype("datetime64[s]")
    for name in ("department", "handler", "kind", "satisfaction", "attitude_level", "urgency"):
        calls[name] = calls[name].astype("category")
    for name in ("contacted", "on_time", "score", "attitude_score"):
        calls[name] = calls[name].astype("float64")
    for name in ("order_id", "visited", "cause", "heard_cause"):
        calls[name] = calls[name].astype("object")
    types = dict.fromkeys(("family", "rule", "status"), "category")
    types |= dict.fromkeys(("call", "times"), "int64")
    return Tables(calls, findings[list(FINDING_COLUMNS)].astype(types))


def narrow(
    tables: Tables,
    *,
    since: date | None = None,
    until: date | None = None,
    department: str | None = None,
    handler: str | None = None,
    kind: CallKind | None = None,
) -> Tables:
    """Only the calls of a period (both days included), department, handler or kind.

    Calls without a known day belong to no period that has a bound.
    """
    calls = tables.calls
    keep = pd.Series(True, index=calls.index)
    if since is not None:
        keep &= calls["on"] >= pd.Timestamp(since)
    if until is not None:
        keep &= calls["on"] <= pd.Timestamp(until)
    for name, value in (("department", department), ("handler", handler), ("kind", kind)):
        if value is not None:
            keep &= calls[name] == value
    if keep.all():
        return tables
    kept = calls[keep]
    return Tables(kept, tables.findings[tables.findings["call"].isin(kept.index)])
