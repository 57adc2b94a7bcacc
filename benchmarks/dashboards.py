"""How soon dashboards answer on 100,000 stored calls: `python -m benchmarks.dashboards`.

Orders of 20 departments over two years, each with one or two inspected calls and what was found in
them, in SQLite; a server on loopback. Seconds of each request: the first one after the start, which
reads all calls, and those that follow, with and without filters; and of the lists that charts lead
to.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine, insert

from api.service import open_service
from api.settings import Settings
from api.tables import FindingRow, InspectionRow, OrderRow, RecordingRow, new_id
from benchmarks.workbench import PASSWORD, free_port, serving
from qc.catalogue import load_catalogue
from qc.filed import LOCAL, Filing
from qc.order import CallKind, Order

CALLS, DEPARTMENTS, DAYS, ROUNDS = 100_000, 20, 730, 9
AT_ONCE = 2000  # orders of one insert
RULES = load_catalogue()
CAUSES = ("", "attitude", "result", "policy", "speed")


def orders(chance: random.Random) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Orders, each with its calls, until there are enough calls."""
    first, calls = datetime(2025, 1, 1, 9, tzinfo=LOCAL), 0
    number = 0
    while calls < CALLS:
        number += 1
        received = first + timedelta(days=chance.randrange(DAYS), minutes=chance.randrange(480))
        department = f"部门{chance.randrange(DEPARTMENTS):02}"
        order = {
            "id": new_id(), "order_id": f"B{number:07}", "profile": "weifang",
            "department": department, "handler": f"{department}-{chance.randrange(8)}",
            "received_at": received, "order": Order(order_id=f"B{number:07}").model_dump(
                mode="json"), "filing": Filing().model_dump(mode="json"),
            "contact_due": received + timedelta(days=1), "close_due": received + timedelta(days=9),
            "contacted_at": received + timedelta(hours=chance.randrange(30)),
            "closed_at": received + timedelta(days=chance.randrange(10)),
            "visited": chance.choice(("", "satisfied", "dissatisfied")),
            "cause": chance.choice(CAUSES),
        }  # fmt: skip
        kinds = list(CallKind)[: chance.choice((1, 2, 2))]
        calls += len(kinds)
        yield order, [call(chance, order, kind) for kind in kinds]


def call(chance: random.Random, order: dict[str, Any], kind: CallKind) -> dict[str, Any]:
    """A call with what was found in it: rows of three tables."""
    ids = {"recording": new_id(), "inspection": new_id()}
    statuses = {
        rule.id: chance.choice(("met", "met", "met", "partial", "missing"))
        for rule in RULES.elements[kind]
    }
    shown = [rule.id for rule in RULES.behaviours if chance.random() < 0.03]
    at = order["received_at"] + timedelta(hours=2)
    recording = {
        "id": ids["recording"], "order_pk": order["id"], "kind": kind.value, "file_name": "x.wav",
        "path": "x.wav", "sha256": ids["recording"] * 2, "size": 1, "seconds": 60.0, "made_at": at,
        "uploaded_at": at, "status": "done",
    }  # fmt: skip
    inspection = {
        "id": ids["inspection"], "recording_id": ids["recording"], "order_pk": order["id"],
        "department": order["department"], "handler": order["handler"], "kind": kind.value,
        "score": chance.randrange(40, 101), "attitude_score": chance.randrange(50, 101),
        "attitude_level": chance.choice(("good", "good", "good", "minor", "serious")),
        "satisfaction": chance.choice(("satisfied", "none", "dissatisfied")), "confidence": 0.9,
        "transcript": [], "verdict": {}, "made_at": at, "cause": "",
        "found": {"element": statuses, "behaviour": dict.fromkeys(shown, 1), "signal": {}},
    }  # fmt: skip
    lapses = [(rule, "element", status) for rule, status in statuses.items() if status != "met"]
    found = [*lapses, *((rule, "behaviour", "found") for rule in shown)]
    findings = [
        {
            "id": new_id(), "inspection_id": ids["inspection"], "order_pk": order["id"],
            "family": family, "rule_id": rule, "status": status, "quote": "",
        }
        for rule, family, status in found
    ]  # fmt: skip
    return {"recording": recording, "inspection": inspection, "findings": findings}


def fill(engine: Engine) -> None:
    """Store the calls."""
    made = orders(random.Random(1))
    while some := [pair for pair, _ in zip(made, range(AT_ONCE), strict=False)]:
        calls = [one for _, of_order in some for one in of_order]
        rows = (
            (OrderRow, [order for order, _ in some]),
            (RecordingRow, [one["recording"] for one in calls]),
            (InspectionRow, [one["inspection"] for one in calls]),
            (FindingRow, [finding for one in calls for finding in one["findings"]]),
        )
        with engine.begin() as connection:
            for table, values in rows:
                connection.execute(insert(table), values)


def seconds(client: httpx.Client, address: str) -> float:
    """One request, answered well."""
    start = time.perf_counter()
    answer = client.get(address)
    taken = time.perf_counter() - start
    answer.raise_for_status()
    return taken


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        settings = Settings(
            data_folder=Path(folder), port=port, admin_password=PASSWORD,
            requests_per_minute=100_000,
        )  # fmt: skip
        service = open_service(settings)
        fill(service.engine)
        with serving(service, port) as site:
            client = httpx.Client(base_url=site, headers={"Origin": site}, timeout=120)
            signed_in = client.post("/api/v1/session", json={"name": "admin", "password": PASSWORD})
            signed_in.raise_for_status()
            print(f"{CALLS} calls; first dashboard: {seconds(client, '/dashboards'):.2f} s")
            for address in (
                "/dashboards",
                "/dashboards?department=部门03&since=2026-01-01&until=2026-06-30",
                "/calls?rule=bh.promise&department=部门03",
                "/calls?attitude=serious",
            ):
                taken = [seconds(client, address) for _ in range(ROUNDS)]
                print(f"{address}: {statistics.median(taken):.2f} s (most {max(taken):.2f})")
        service.close()


if __name__ == "__main__":
    main()
