"""First contact, acceptance, reply, closing, extension and redo, each in its street's time."""

import re
from datetime import datetime
from typing import Any

import pytest

from qc.catalogue import CATALOGUE_FOLDER, profile_names
from qc.deadlines.timeliness import DueState, check_timeliness, deadlines, in_time
from qc.deadlines.timing import Step, load_timing
from qc.filed import LOCAL, CallAttempt, Filing
from qc.order import CallKind, Order

ORDER = Order(order_id="20240611-000417")
MUCH_LATER = datetime(2024, 7, 31, 12, tzinfo=LOCAL)
RECEIVED = "2024-06-11 10:00"  # a Tuesday


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LOCAL)


def due(profile: str, step: str, **filed: Any) -> str:
    filing = Filing.model_validate({"received_at": RECEIVED} | filed)
    found = [d for d in deadlines(filing, load_timing(profile)) if d.step == step]
    return f"{found[0].at:%m-%d %H:%M}" if found else ""


def findings(profile: str, now: datetime = MUCH_LATER, **filed: Any) -> dict[str, str]:
    filing = Filing.model_validate({"received_at": RECEIVED} | filed)
    found = check_timeliness(ORDER, filing, load_timing(profile), now)
    return {finding.id: finding.title for finding in found}


DUE = [
    # Weifang: contact and accept within 1 working day, close within 5, extension asked within 3.
    ("weifang", "accept", {}, "06-12 17:30"),
    ("weifang", "first_contact", {}, "06-12 17:30"),
    ("weifang", "close", {}, "06-18 17:30"),
    ("weifang", "reply", {}, "06-18 17:30"),
    ("weifang", "extension", {}, "06-14 17:30"),
    ("weifang", "return", {}, "06-12 17:30"),
    ("weifang", "close", {"extended": True}, ""),  # no figure in the document
    # Tangqiao: redo within 2 working days.
    ("tangqiao", "close", {"urgency": "redo"}, "06-13 17:30"),
    ("tangqiao", "close", {}, ""),
    # Yichuan Road: 30 minutes; 17:00 the same day or 12:00 the next; a visit in a day; return in 4.
    ("yichuan", "accept", {}, "06-11 10:30"),
    ("yichuan", "first_contact", {"accepted_at": "2024-06-11 10:20"}, "06-11 17:00"),
    ("yichuan", "first_contact", {"accepted_at": "2024-06-11 13:00"}, "06-12 12:00"),
    ("yichuan", "first_contact", {}, "06-11 17:00"),
    ("yichuan", "site_visit", {"accepted_at": "2024-06-11 10:20"}, "06-12 23:59"),
    ("yichuan", "return", {}, "06-17 17:30"),
    # Sheshan: 157 and the special classes; 5 + 5 days.
    ("sheshan", "accept", {}, "06-12 17:30"),
    ("sheshan", "first_contact", {"accepted_at": "2024-06-12 09:00"}, "06-13 17:30"),
    ("sheshan", "close", {}, "06-18 17:30"),
    ("sheshan", "close", {"extended": True}, "06-25 17:30"),
    ("sheshan", "close", {"urgency": "urgent"}, "06-12 06:00"),
    ("sheshan", "close", {"urgency": "threat"}, "06-13 17:30"),
    ("sheshan", "close", {"urgency": "snapshot"}, "06-14 23:59"),
    ("sheshan", "close", {"urgency": "direct"}, "06-14 17:30"),
    ("sheshan", "close", {"urgency": "recheck"}, "06-14 17:30"),
    ("sheshan", "close", {"urgency": "redo"}, "06-13 17:30"),
    ("sheshan", "extension", {}, "06-18 17:30"),
    ("sheshan", "return", {"accepted_at": "2024-06-11 11:00"}, "06-12 11:00"),
    ("sheshan", "return", {"urgency": "threat", "accepted_at": RECEIVED}, "06-11 11:00"),
]


@pytest.mark.parametrize(("profile", "step", "filed", "expected"), DUE)
def test_each_street_has_its_own_deadlines(
    profile: str, step: str, filed: dict[str, Any], expected: str
) -> None:
    assert due(profile, step, **filed) == expected


@pytest.mark.parametrize("profile", profile_names())
def test_every_deadline_quotes_words_of_its_document(profile: str) -> None:
    timing = load_timing(profile)
    for rule in (*timing.limits, *timing.attempts):
        source = CATALOGUE_FOLDER / "sources" / f"{rule.source.document}.txt"
        assert squeezed(rule.says) in squeezed(source.read_text("utf-8")), rule.says


def squeezed(text: str) -> str:
    return re.sub(r"[\s“”\"]", "", text)


IN_TIME = {
    "accepted_at": "2024-06-11 10:10",
    "first_contact_at": "2024-06-11 11:00",
    "replied_at": "2024-06-13 15:00",
    "closed_at": "2024-06-13 16:00",
}


@pytest.mark.parametrize("profile", profile_names())
def test_an_order_done_in_time_has_no_finding(profile: str) -> None:
    assert findings(profile, **IN_TIME) == {}


def test_what_was_done_too_late_is_found_with_clause_and_times() -> None:
    filing = Filing.model_validate(
        {"received_at": RECEIVED, **IN_TIME, "first_contact_at": "2024-06-13 09:30"}
    )
    (finding,) = check_timeliness(ORDER, filing, load_timing("weifang"), MUCH_LATER)
    assert (finding.id, finding.title) == ("tl.first_contact", "先行联系超期")
    assert finding.source.clause == "附件1 一、先行联系及受理"
    assert "晚了 16 小时" in finding.text
    assert [quote.field for quote in finding.quotes] == ["received_at", "first_contact_at"]
    assert finding.quotes[1].text == "2024-06-13 09:30"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2024-06-11 12:00", {}),
        ("2024-06-12 14:00", {"tl.soon.accept", "tl.soon.first_contact"}),
        ("2024-06-12 18:00", {"tl.accept", "tl.first_contact"}),
        ("2024-06-18 18:00", {"tl.accept", "tl.first_contact", "tl.close"}),
    ],
)
def test_what_is_not_done_is_reminded_of_and_then_overdue(now: str, expected: set[str]) -> None:
    assert set(findings("weifang", at(now))) == set(expected)


def test_a_late_request_for_extension_or_return_is_found_and_none_is_no_fault() -> None:
    late = {"extension_requested_at": "2024-06-17 09:00", "returned_at": "2024-06-14 09:00"}
    assert set(findings("weifang", **IN_TIME, **late)) == {"tl.extension", "tl.return"}


def test_a_returned_order_owes_nothing_more() -> None:
    assert findings("weifang", returned_at="2024-06-11 15:00") == {}


def test_an_order_without_contact_owes_no_call() -> None:
    order = Order(missing_elements=("contact",))
    filing = Filing.model_validate({"received_at": RECEIVED})
    found = check_timeliness(order, filing, load_timing("weifang"), MUCH_LATER)
    assert {finding.id for finding in found} == {"tl.accept", "tl.close"}


def test_closed_but_never_replied_is_overdue() -> None:
    filed = {key: value for key, value in IN_TIME.items() if key != "replied_at"}
    assert findings("weifang", **filed) == {"tl.reply": "热线回复超期未办"}


def test_three_missed_calls_as_the_street_asks_are_a_first_contact() -> None:
    calls = tuple(
        CallAttempt(at=at(f"2024-06-11 {hour}:00"), kind=CallKind.FIRST_CONTACT)
        for hour in (11, 14, 16)
    )
    filed = IN_TIME | {"first_contact_at": None, "attempts": calls}
    for profile in ("weifang", "sheshan"):
        assert findings(profile, **filed) == {}
    assert "tl.first_contact" in findings("weifang", **(filed | {"attempts": calls[:2]}))


def test_the_reminder_of_sheshan_comes_three_days_before_closing_is_due() -> None:
    filed = {k: v for k, v in IN_TIME.items() if k not in ("closed_at", "replied_at")}
    assert findings("sheshan", at("2024-06-15 17:00"), **filed) == {}
    assert findings("sheshan", at("2024-06-15 18:00"), **filed) == {"tl.soon.close": "办结即将到期"}


def test_a_deadline_over_a_year_not_yet_arranged_says_so() -> None:
    filing = Filing.model_validate({"received_at": "2026-12-30 09:00"})
    found = check_timeliness(
        ORDER, filing, load_timing("weifang"), datetime(2027, 3, 1, tzinfo=LOCAL)
    )
    doubts = {finding.id: bool(finding.doubt) for finding in found}
    assert doubts == {"tl.accept": False, "tl.first_contact": False, "tl.close": True}


def test_without_a_start_nothing_is_due() -> None:
    assert deadlines(Filing(), load_timing("weifang")) == ()
    assert check_timeliness(ORDER, Filing(), load_timing("weifang"), MUCH_LATER) == ()


def test_absurd_years_are_no_accident() -> None:
    filing = Filing.model_validate({"received_at": "9999-12-31 09:00"})
    assert deadlines(filing, load_timing("weifang")) == ()


def test_due_dates_come_in_time_with_their_state() -> None:
    filing = Filing.model_validate({"received_at": RECEIVED, "accepted_at": "2024-06-11 10:40"})
    shown = deadlines(filing, load_timing("yichuan"))
    states = {d.step: d.state(at("2024-06-11 18:00")) for d in shown}
    assert [d.at for d in shown] == sorted(d.at for d in shown)
    assert states == {
        Step.ACCEPT: DueState.LATE,
        Step.FIRST_CONTACT: DueState.OVERDUE,
        Step.SITE_VISIT: DueState.UNKNOWN,
        Step.RETURN: DueState.UNKNOWN,
    }


RATES = [
    ("weifang", {"first_contact_at": "2024-06-11 11:00"}, True),
    ("weifang", {"first_contact_at": "2024-06-13 11:00"}, False),
    ("weifang", {}, False),
    ("weifang", {"received_at": "2024-07-31 11:00"}, None),  # not due yet
    ("tangqiao", {"first_contact_at": "2024-06-13 11:00"}, True),  # no limit in its document
    ("tangqiao", {}, None),
]


@pytest.mark.parametrize(("profile", "filed", "expected"), RATES)
def test_rates_count_what_was_done_in_time(
    profile: str, filed: dict[str, Any], expected: bool | None
) -> None:
    filing = Filing.model_validate({"received_at": RECEIVED} | filed)
    assert in_time(filing, Step.FIRST_CONTACT, load_timing(profile), MUCH_LATER) is expected
