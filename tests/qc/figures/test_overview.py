"""Figures: what is counted, of what, and that it is counted once."""

import json
import time
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qc.figures import overview as qf
from qc.figures.calls import CallFigures, day_in
from qc.figures.tables import CALL_COLUMNS, FINDING_COLUMNS, Tables, narrow, tables_of, tabulate
from qc.filed import Filing
from qc.order import CallKind
from tests.qc.spot_checks import spot_check

DAY = date(2024, 6, 11)


def call(number: int, **fields: Any) -> CallFigures:
    given: dict[str, Any] = {
        "order_id": f"T{number}",
        "on": DAY,
        "department": "城管中队",
        "handler": "李敏",
        "kind": CallKind.REPLY,
        "score": 80,
        "attitude_score": 90,
        "attitude_level": "good",
    }
    return CallFigures(str(number), **(given | fields))


def of(*records: CallFigures) -> Tables:
    return tabulate(records)


def said(*values: str, department: str = "城管中队", start: int = 0) -> list[CallFigures]:
    return [
        call(start + i, department=department, satisfaction=value) for i, value in enumerate(values)
    ]


def test_elements_that_do_not_apply_leave_the_met_rate() -> None:
    tables = of(
        call(1, elements={"rp.closing": "met"}),
        call(2, elements={"rp.closing": "not_applicable"}),
        call(3, elements={"rp.closing": "missing"}),
        call(4, elements={"rp.closing": "partial"}),
    )
    (row,) = qf.to_rows(qf.element_rates(tables))
    assert (row["met"], row["applicable"]) == (1, 3)
    assert row["met_rate"] == pytest.approx(1 / 3)
    assert qf.overview(tables).met_rate == pytest.approx(1 / 3)


def test_a_return_visit_goes_before_what_was_said_in_the_reply() -> None:
    tables = of(call(1, satisfaction="satisfied", visited="dissatisfied", cause="result"))
    assert qf.overview(tables).satisfied_rate == 0
    assert qf.dissatisfied_orders(tables)["cause"].tolist() == ["result"]


def test_an_order_with_two_calls_is_counted_once() -> None:
    tables = of(
        call(1, order_id="T", kind=CallKind.FIRST_CONTACT, contacted=True),
        call(2, order_id="T", satisfaction="basically", contacted=True),
    )
    view = qf.overview(tables)
    assert (view.orders, view.calls, view.satisfied_rate, view.contacted_rate) == (1, 2, 1, 1)


def test_recordings_without_an_order_are_not_one_order() -> None:
    assert qf.overview(of(call(1, order_id=""), call(2, order_id=""))).orders == 2


def test_words_on_satisfaction_in_a_first_contact_do_not_count() -> None:
    tables = of(call(1, kind=CallKind.FIRST_CONTACT, satisfaction="dissatisfied"))
    assert qf.overview(tables).satisfied_rate is None


def test_neutral_counts_against_and_silence_not_at_all() -> None:
    tables = of(*said("satisfied", "neutral", "none"))
    assert qf.overview(tables).satisfied_rate == 0.5


def test_what_is_not_known_leaves_the_rates() -> None:
    tables = of(call(1, contacted=True), call(2), call(3, contacted=False, on_time=True))
    view = qf.overview(tables)
    assert (view.contacted_rate, view.on_time_rate) == (0.5, 1.0)


def test_an_order_without_a_call_counts_for_first_contact_only() -> None:
    tables = of(call(1, contacted=True), CallFigures("", "T9", DAY, "城管中队", contacted=False))
    view = qf.overview(tables)
    assert (view.orders, view.calls, view.contacted_rate) == (2, 1, 0.5)


def test_a_cause_read_off_the_words_is_marked_and_yields_to_a_filed_one() -> None:
    tables = of(
        call(1, satisfaction="dissatisfied", heard_cause="attitude"),
        call(2, visited="dissatisfied", cause="speed", heard_cause="attitude"),
        call(3, satisfaction="dissatisfied"),
    )
    rows = qf.to_rows(qf.dissatisfied_orders(tables))
    assert [(r["cause"], r["inferred"]) for r in rows] == [
        ("attitude", True),
        ("speed", False),
        ("", False),
    ]
    counts = {r["title"]: r["orders"] for r in qf.to_rows(qf.dissatisfied_by_cause(tables))}
    assert counts == {"服务态度": 1, "处理结果": 0, "政策限制": 0, "处理效率": 1, "未注明": 1}


def test_equals_share_a_rank_and_the_unnamed_have_none() -> None:
    tables = of(
        call(1, department="甲", score=90),
        call(2, department="乙", score=90),
        call(3, department="丙", score=70),
        call(4, department="", score=10),
    )
    ranks = {r["department"]: r["rank"] for r in qf.to_rows(qf.ranking(tables, "script_score"))}
    assert ranks == {"甲": 1, "乙": 1, "丙": 3}


def test_few_problems_rank_before_many() -> None:
    tables = of(
        call(1, department="甲", elements={"rp.closing": "missing"}, behaviours={"bh.rude": 4}),
        call(2, department="乙", elements={"rp.closing": "met"}),
    )
    rows = qf.to_rows(qf.ranking(tables, "problems_per_call"))
    assert [(r["department"], r["problems"]) for r in rows] == [("乙", 0), ("甲", 2)]


def test_the_last_three_are_the_worst_first_without_who_is_perfect() -> None:
    good, bad = ["satisfied"] * 4, ["dissatisfied"] * 4
    tables = of(
        *said(*good, department="甲"),
        *said(*good[:3], *bad[:1], department="乙", start=10),
        *said(*good[:2], *bad[:2], department="丙", start=20),
        *said(*bad, department="丁", start=30),
        *said(*good[:3], *bad[:1], department="戊", start=40),
    )
    assert qf.last_three(tables)["department"].tolist() == ["丁", "丙", "戊", "乙"]
    assert qf.last_three(of(*said(*good))).empty


def test_months_running_among_the_last_are_counted_back() -> None:
    def month(number: int, rates: dict[str, str]) -> list[CallFigures]:
        return [
            call(100 * number + i, department=d, satisfaction=value, on=date(2024, number, 3))
            for i, (d, value) in enumerate(rates.items())
        ]

    bad, good = "dissatisfied", "satisfied"
    tables = of(
        *month(3, {"甲": good, "乙": bad}),
        *month(4, {"甲": bad, "乙": bad}),
        *month(5, {"甲": bad, "乙": good}),
        *month(6, {"甲": bad, "乙": bad}),
    )
    assert qf.months_among_last(tables, date(2024, 6, 30)) == {"甲": 3, "乙": 1}


def test_handlers_of_one_name_in_two_departments_are_two_people() -> None:
    one = [call(i, elements={"rp.closing": "missing"}) for i in range(3)]
    other = [call(i + 9, department="平安办", elements={"rp.closing": "missing"}) for i in range(2)]
    tables = of(*one, *other)
    rows = qf.to_rows(qf.repeated_defects(tables))
    assert [(r["department"], r["handler"], r["calls"]) for r in rows] == [("城管中队", "李敏", 3)]
    assert len(qf.standings(tables, "handler")) == 2


def test_a_trend_has_no_gaps_and_weeks_begin_on_monday() -> None:
    tables = of(call(1, on=date(2024, 6, 5)), call(2, on=date(2024, 6, 19)))
    rows = qf.to_rows(qf.trend(tables, "week"))
    assert [(r["on"], r["calls"], r["script_score"]) for r in rows] == [
        ("2024-06-03", 1, 80.0),
        ("2024-06-10", 0, None),
        ("2024-06-17", 1, 80.0),
    ]


def test_behaviours_are_counted_by_department_and_week() -> None:
    tables = of(
        call(1, behaviours={"bh.rude": 2}),
        call(2, behaviours={"bh.rude": 1}, on=DAY + timedelta(days=1)),
        call(3, behaviours={"bh.rude": 1}, on=DAY + timedelta(days=7)),
    )
    rows = qf.to_rows(qf.behaviours_by_week(tables))
    assert [(r["week"], r["calls"], r["times"]) for r in rows] == [
        ("2024-06-10", 2, 3),
        ("2024-06-17", 1, 1),
    ]


def test_elements_on_which_a_person_must_decide_count_neither_way() -> None:
    row = spot_check()[0].row
    assert row.verdict is not None
    element, found = next(iter(row.verdict.elements.items()))
    unsure = found.model_copy(update={"undetermined": True})
    verdict = row.verdict.model_copy(update={"elements": {element: unsure}})
    record = CallFigures.of_row(row.model_copy(update={"verdict": verdict}))
    assert record.elements == {}


def test_the_latest_return_visit_counts() -> None:
    filing = Filing.model_validate(
        {
            "return_visits": [
                {"at": "2024-06-20 10:00", "satisfaction": "satisfied"},
                {"at": "2024-06-14 10:00", "satisfaction": "dissatisfied", "cause": "result"},
            ]
        }
    )
    record = CallFigures.of_row(spot_check()[0].row, filing)
    assert (record.visited, record.cause) == ("satisfied", None)


@pytest.mark.parametrize(
    ("text", "day"),
    [("20240611-000417", DAY), ("录音_20240611.wav", DAY), ("20240231", None), ("T1", None)],
)
def test_a_day_is_read_off_numbers_and_file_names(text: str, day: date | None) -> None:
    assert day_in(text) == day


records = st.lists(
    st.builds(
        call,
        st.integers(0, 10**6),
        order_id=st.sampled_from(["", "T1", "T2", "T3"]),
        on=st.dates(date(2024, 5, 1), date(2024, 6, 30)),
        department=st.sampled_from(["甲", "乙", "丙"]),
        kind=st.sampled_from(list(CallKind)),
        elements=st.dictionaries(
            st.sampled_from(["rp.closing", "rp.handling"]),
            st.sampled_from(["met", "partial", "missing", "not_applicable"]),
        ),
        behaviours=st.dictionaries(st.sampled_from(["bh.rude", "bh.shirk"]), st.integers(1, 3)),
        satisfaction=st.sampled_from(["none", "satisfied", "dissatisfied"]),
    ),
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(records)
def test_all_figures_can_be_taken_of_anything_and_agree(found: Sequence[CallFigures]) -> None:
    tables = tabulate(found)
    view, table = qf.overview(tables), qf.standings(tables)
    assert table["calls"].sum() == view.calls == len(found)
    assert table["problems"].sum() == view.problems
    assert table["dissatisfied"].sum() == view.dissatisfied == len(qf.dissatisfied_orders(tables))
    assert table["orders"].sum() == view.orders
    assert qf.attitudes(tables)["calls"].sum() == len(found)
    assert qf.trend(tables, "day")["calls"].sum() == len(found)
    assert qf.trend(tables, "month")["problems"].sum() == view.problems
    halves = [narrow(tables, until=DAY), narrow(tables, since=DAY + timedelta(days=1))]
    assert sum(qf.overview(half).problems for half in halves) == view.problems
    for result in (table, qf.element_rates(tables), qf.behaviours(tables, "department")):
        json.dumps(qf.to_rows(result), allow_nan=False)


def test_a_hundred_thousand_calls_take_well_under_a_second() -> None:
    random, size, elements = np.random.default_rng(1), 100_000, 10
    calls = pd.DataFrame(
        {
            **dict.fromkeys(CALL_COLUMNS),
            "call_id": np.arange(size),
            "order_id": [f"T{i // 2}" for i in range(size)],
            "on": pd.Timestamp(DAY) - pd.to_timedelta(random.integers(0, 365, size), "D"),
            "department": random.choice([f"部门{i}" for i in range(25)], size),
            "handler": random.choice([f"经办人{i}" for i in range(200)], size),
            "kind": np.tile(["first_contact", "reply"], size // 2),
            "satisfaction": random.choice(["none", "satisfied", "dissatisfied"], size),
            "score": random.integers(0, 101, size),
            "attitude_score": random.integers(0, 101, size),
            "attitude_level": random.choice(["good", "minor", "serious"], size),
            "contacted": True,
        }
    )
    findings = pd.DataFrame(
        {
            "call": np.repeat(np.arange(size), elements),
            "family": "element",
            "rule": np.tile([f"rp.e{i}" for i in range(elements)], size),
            "status": random.choice(["met", "partial", "missing"], size * elements),
            "times": 1,
        }
    )[list(FINDING_COLUMNS)]
    tables = tables_of(calls, findings)
    start = time.process_time()
    view = qf.overview(tables)
    qf.element_rates(tables)
    qf.behaviours_by_week(tables)
    qf.attitudes(tables, "department")
    qf.dissatisfied_by_cause(tables)
    qf.ranking(tables, "satisfied_rate")
    qf.trend(tables, "week")
    assert (view.calls, view.orders) == (size, size // 2)
    assert time.process_time() - start < 1.0
