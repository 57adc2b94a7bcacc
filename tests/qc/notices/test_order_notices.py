"""Who is told what, when and in what words."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qc.catalogue import CATALOGUE_FOLDER, load_catalogue, profile_names
from qc.errors import CatalogueError
from qc.filed import LOCAL, Filing
from qc.inspect import inspect_transcript
from qc.notices.order_notices import HeardCall, Notice, OrderRecord, notices_for_order
from qc.notices.rules import (
    LEVEL_TITLES,
    RECIPIENT_TITLES,
    Event,
    Level,
    Recipient,
    load_notice_rules,
)
from qc.notices.text import LINK, MAX_BYTES
from qc.order import CallKind, Order
from qc.report import verdict
from qc.transcript import Role, Transcript, Turn

ORDER = Order(
    order_id="20240611-000417",
    petitioner="王建国",
    issue="楼上装修噪音扰民，请回电13812345678",
    address="潍坊四村105号602室",
    department="城管中队",
    handler="李明",
)
NOW = datetime(2024, 6, 11, 18, tzinfo=LOCAL)
LONG_AFTER = datetime(2024, 7, 31, tzinfo=LOCAL)


def call(*lines: str, kind: CallKind = CallKind.FIRST_CONTACT, order: Order = ORDER) -> HeardCall:
    """A call as it is heard: lines of “A：…” and “C：…”, ten seconds each."""
    turns = tuple(
        Turn(i, Role.AGENT if line[0] == "A" else Role.CITIZEN, line[2:], i * 10.0, i * 10.0 + 9)
        for i, line in enumerate(lines)
    )
    found = inspect_transcript(Transcript(turns), kind, order, load_catalogue(), None)
    return HeardCall(f"call-{kind}", kind, verdict(found), handler=order.handler or "")


OPENING = "A：您好，请问是王建国先生吗？我是城管中队热线工作人员。"
THREAT = call(OPENING, "C：再不管我就从楼上跳下去，跳楼给你们看！我叫王建国，住602室")
ROUGH = call(
    OPENING,
    "C：你们什么时候来？",
    "A：你烦不烦啊，关我什么事，你有病吧！",
    "C：你什么态度！",
    "A：我就这态度，爱投诉投诉去，你这种人就是没事找事！",
)
CALM = call(OPENING, "C：是我。", "A：好的，谢谢您，再见！", "C：再见。")


def told(
    profile: str, *calls: HeardCall, now: datetime = NOW, order: Order = ORDER, **filed: Any
) -> dict[str, Notice]:
    record = OrderRecord(order, Filing.model_validate(filed), calls)
    notices = notices_for_order(record, load_notice_rules(profile), now)
    assert len({notice.event_id for notice in notices}) == len(notices)
    return {notice.rule_id: notice for notice in notices}


def visits(*days: str, **changes: Any) -> list[dict[str, Any]]:
    return [{"at": f"2024-06-{day}", "satisfaction": "dissatisfied"} | changes for day in days]


# --- the rules ------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", profile_names())
def test_every_rule_quotes_words_of_its_document(profile: str) -> None:
    for rule in load_notice_rules(profile).rules:
        source = CATALOGUE_FOLDER / "sources" / f"{rule.source.document}.txt"
        assert squeezed(rule.says) in squeezed(source.read_text("utf-8")), rule.id


def squeezed(text: str) -> str:
    return re.sub(r"[\s“”\"]", "", text)


@pytest.mark.parametrize("profile", profile_names())
def test_every_rule_names_signals_and_behaviours_that_exist(profile: str) -> None:
    catalogue = load_catalogue()
    known = {rule.id for rule in (*catalogue.signals, *catalogue.behaviours)}
    for rule in load_notice_rules(profile).rules:
        assert set(rule.ids) <= known


def test_every_office_and_level_has_a_title() -> None:
    assert set(RECIPIENT_TITLES) == set(Recipient)
    assert set(LEVEL_TITLES) == set(Level)


def test_a_wrong_rule_says_file_rule_and_key(tmp_path: Path) -> None:
    for name in ("notices.yaml", "documents.yaml", "holidays.yaml"):
        (tmp_path / name).write_text((CATALOGUE_FOLDER / name).read_text("utf-8"), "utf-8")
    (tmp_path / "profiles").mkdir()
    text = (CATALOGUE_FOLDER / "profiles" / "yichuan.yaml").read_text("utf-8")
    broken = text.replace("recipients: [main_leader]", "recipients: [the_boss]")
    (tmp_path / "profiles" / "yichuan.yaml").write_text(broken, "utf-8")
    with pytest.raises(CatalogueError) as caught:
        load_notice_rules("yichuan", tmp_path)
    for part in ("yichuan.yaml", "nt.unclosed_4", "recipients"):
        assert part in str(caught.value)


# --- in a call ------------------------------------------------------------------------------------


def test_a_threat_is_told_at_once_with_words_and_second() -> None:
    notice = told("weifang", THREAT)["nt.threat"]
    assert notice.level is Level.WARN
    assert Recipient.DEPARTMENT_HEAD in notice.recipients
    assert "跳楼给你们看" in notice.text and "（0:10）" in notice.text
    assert notice.text.startswith("【预警】市民扬言\n工单：20240611-000417（城管中队）")


def test_only_sheshan_copies_threats_to_the_safety_office() -> None:
    for profile in profile_names():
        notice = told(profile, THREAT)["nt.threat"]
        assert (Recipient.SAFETY_OFFICE in notice.recipients) == (profile == "sheshan")
        assert ("\n依据：" in notice.text) == (profile == "sheshan")  # the others only follow it


def test_a_rough_handler_is_told_of_once_not_also_as_potential_dissatisfaction() -> None:
    notices = told("weifang", ROUGH)
    assert "nt.attitude" in notices and "nt.potential" not in notices
    assert notices["nt.attitude"].recipients == (Recipient.DEPARTMENT_HEAD,)
    assert "经办人李明" in notices["nt.attitude"].text


def test_a_dissatisfied_citizen_of_a_polite_call_is_potential_dissatisfaction() -> None:
    heard = call(OPENING, "C：我不满意，等于没办嘛。", "A：对不起，给您添麻烦了，我们再去看看。")
    notices = told("weifang", heard)
    assert set(notices) == {"nt.potential"}
    assert "等于没办" in notices["nt.potential"].text


def test_a_leak_goes_to_the_head_of_the_centre_too() -> None:
    heard = call(OPENING, "C：是谁投诉我的？", "A：是你们楼里602的王建国投诉的。")
    notice = told("sheshan", heard)["nt.leak"]
    assert Recipient.CENTRE_HEAD in notice.recipients
    assert notice.source.clause == "二、（十）"
    assert "是你们楼里***的王**投诉的" in notice.text


def test_a_calm_call_is_told_to_nobody() -> None:
    for profile in profile_names():
        assert told(profile, CALM) == {}


def test_an_unusable_recording_is_told_with_the_reason() -> None:
    broken = HeardCall("c1", CallKind.REPLY, trouble="只有彩铃，没有人说话")
    notice = told("yichuan", broken)["nt.recording_unusable"]
    assert "热线回复录音不能用作凭证：只有彩铃，没有人说话" in notice.text


# --- return visits --------------------------------------------------------------------------------


def test_the_first_dissatisfied_visit_goes_to_the_head_and_the_second_to_the_leader() -> None:
    rules = load_notice_rules("tangqiao")
    filing = Filing.model_validate({"return_visits": visits("12 10:00", "14 10:00")})
    first, second = notices_for_order(OrderRecord(ORDER, filing), rules, LONG_AFTER)
    assert first.recipients == (Recipient.DEPARTMENT_HEAD,)
    assert second.recipients == (Recipient.DEPARTMENT_HEAD, Recipient.LEADER_IN_CHARGE)
    assert "连续第 2 次" in second.text
    assert second.source.clause == "四、（二）4"


def test_a_satisfied_visit_between_breaks_the_row() -> None:
    between = visits("12 10:00") + visits("13 10:00", satisfaction="satisfied") + visits("14 10:00")
    notices = told("tangqiao", now=LONG_AFTER, return_visits=between)
    assert set(notices) == {"nt.dissatisfied"}


def test_attitude_as_filed_cause_is_circulated() -> None:
    notices = told("weifang", now=LONG_AFTER, return_visits=visits("12 10:00", cause="attitude"))
    assert set(notices) == {"nt.dissatisfied", "nt.attitude_cause"}
    assert notices["nt.attitude_cause"].level is Level.CIRCULATE
    assert "重点通报" in notices["nt.attitude_cause"].text


def test_yichuan_reports_attitude_to_the_discipline_inspection() -> None:
    notices = told("yichuan", now=LONG_AFTER, return_visits=visits("12 10:00", cause="attitude"))
    assert Recipient.DISCIPLINE in notices["nt.attitude_cause"].recipients


def test_attitude_heard_in_the_call_is_a_likely_cause_unless_another_is_filed() -> None:
    heard = call(
        *(OPENING, "C：你们来看了没有？", "A：关我什么事，你有病吧！", "C：你什么态度，我不满意！"),
        kind=CallKind.REPLY,
    )
    guessed = told("weifang", heard, now=LONG_AFTER, return_visits=visits("12 10:00"))
    filed = told("weifang", heard, now=LONG_AFTER, return_visits=visits("12 10:00", cause="policy"))
    assert "可能" in guessed["nt.attitude_cause"].text
    assert "nt.attitude_cause" not in filed


LADDER = [  # received on Tuesday the 11th: the 18th is the 5th working day
    ("17 10:00", "nt.dissatisfied", Recipient.DEPARTMENT_HEAD),
    ("18 10:00", "nt.redo_1", Recipient.CENTRE_CLERK),
    ("20 10:00", "nt.redo_2", Recipient.CENTRE_HEAD),
    ("24 10:00", "nt.redo_3", Recipient.LEADER_IN_CHARGE),
    ("26 10:00", "nt.redo_4", Recipient.MAIN_LEADER),
]


@pytest.mark.parametrize(("day", "rule", "recipient"), LADDER)
def test_sheshan_climbs_four_levels(day: str, rule: str, recipient: Recipient) -> None:
    filed = {"received_at": "2024-06-11 09:00", "closed_at": "2024-06-17 09:00"}
    filed |= {"accepted_at": "2024-06-11 10:00", "first_contact_at": "2024-06-11 10:30"}
    notices = told("sheshan", CALM, now=LONG_AFTER, return_visits=visits(day), **filed)
    ladder = {key: n for key, n in notices.items() if key.startswith(("nt.redo", "nt.diss"))}
    assert set(ladder) == {rule}
    assert recipient in ladder[rule].recipients


def test_a_level_of_supervision_comes_once() -> None:
    filed = {"received_at": "2024-06-11 09:00", "return_visits": visits("18 10:00", "19 10:00")}
    filing = Filing.model_validate(filed)
    rules = load_notice_rules("sheshan")
    notices = notices_for_order(OrderRecord(ORDER, filing), rules, LONG_AFTER)
    assert [n.rule_id for n in notices if n.event is Event.REDO] == ["nt.redo_1"]


# --- recordings and time --------------------------------------------------------------------------


def test_a_filed_call_without_recording_is_missed_after_a_working_day() -> None:
    filed = {"first_contact_at": "2024-06-11 10:00"}
    assert told("weifang", now=datetime(2024, 6, 12, 17, tzinfo=LOCAL), **filed) == {}
    notices = told("weifang", now=datetime(2024, 6, 12, 18, tzinfo=LOCAL), **filed)
    assert set(notices) == {"nt.recording_missing"}
    assert told("weifang", CALM, now=LONG_AFTER, **filed) == {}


def test_missed_calls_need_no_recording() -> None:
    attempts = [{"at": "2024-06-11 10:00"}]
    filed = {"first_contact_at": "2024-06-11 10:00", "attempts": attempts}
    assert "nt.recording_missing" not in told("weifang", now=LONG_AFTER, **filed)


def test_an_overdue_first_contact_is_reminded_of_and_told_the_same_way_ever_after() -> None:
    filed = {"received_at": "2024-06-11 09:00", "accepted_at": "2024-06-11 10:00"}
    assert told("weifang", now=datetime(2024, 6, 12, 17, tzinfo=LOCAL), **filed) == {}
    first = told("weifang", now=datetime(2024, 6, 12, 18, tzinfo=LOCAL), **filed)
    later = told("weifang", now=datetime(2024, 6, 14, 18, tzinfo=LOCAL), **filed)
    assert set(first) == {"nt.contact_overdue"}
    assert first["nt.contact_overdue"] == later["nt.contact_overdue"]
    assert first["nt.contact_overdue"].level is Level.REMIND


def test_a_closed_order_is_no_longer_urged() -> None:
    filed = {"received_at": "2024-06-11 09:00", "closed_at": "2024-06-12 09:00"}
    for profile in profile_names():
        notices = told(profile, now=datetime(2024, 6, 12, 18, tzinfo=LOCAL), **filed)
        assert notices == {}


def test_yichuan_circulates_after_two_and_after_four_working_days() -> None:
    filed = {"received_at": "2024-06-11 09:00"}

    def alerts(day: int) -> set[str]:
        notices = told("yichuan", now=datetime(2024, 6, day, 18, tzinfo=LOCAL), **filed)
        return {rule for rule in notices if rule.startswith("nt.unclosed")}

    assert alerts(12) == set()
    assert alerts(13) == {"nt.unclosed_2"}
    assert alerts(17) == {"nt.unclosed_2", "nt.unclosed_4"}


def test_sheshan_urges_in_the_last_three_days() -> None:
    filed = {
        "received_at": "2024-06-11 09:00",
        "accepted_at": "2024-06-11 10:00",
        "first_contact_at": "2024-06-11 10:30",
    }
    notices = told("sheshan", CALM, now=datetime(2024, 6, 16, 9, tzinfo=LOCAL), **filed)
    assert set(notices) == {"nt.closing_soon"}


# --- words and ids --------------------------------------------------------------------------------


def test_no_notice_holds_personal_data() -> None:
    remark = "我是王建国，打我手机13812345678，我家602室"
    for profile in profile_names():
        notices = told(
            profile, THREAT, now=LONG_AFTER, return_visits=visits("12 10:00", remark=remark)
        )
        for notice in notices.values():
            for secret in ("建国", "13812345678", "602"):
                assert secret not in notice.text + notice.title, notice.rule_id


def test_the_link_stands_once_and_can_be_left_out() -> None:
    notice = told("weifang", THREAT)["nt.threat"]
    assert notice.text.count(LINK) == 1
    assert notice.with_link("https://hotline.test/o/1").endswith("详情：https://hotline.test/o/1")
    assert notice.with_link("").splitlines()[-1] == "参照：佘府〔2025〕44号 三、（二）2"


def test_the_same_call_has_the_same_event_and_another_call_another() -> None:
    ids = [told("weifang", THREAT)["nt.threat"].event_id for _ in range(2)]
    other = HeardCall("call-2", THREAT.kind, THREAT.verdict)
    assert ids[0] == ids[1] != told("weifang", other)["nt.threat"].event_id
    assert len(ids[0]) <= 100 and ids[0].isascii()


FREE_TEXT = st.text(max_size=3000)


@settings(max_examples=60, deadline=None)
@given(FREE_TEXT, FREE_TEXT, FREE_TEXT, st.sampled_from(["weifang", "sheshan"]))
def test_whatever_is_filed_a_notice_fits_every_channel(
    name: str, issue: str, remark: str, profile: str
) -> None:
    order = Order.model_validate(
        {"order_id": name, "department": name, "issue": issue, "address": issue, "handler": name}
    )
    notices = told(
        profile,
        HeardCall(name, CallKind.REPLY, THREAT.verdict, trouble=remark or "x", handler=name),
        now=LONG_AFTER,
        order=order,
        received_at="2024-06-11 09:00",
        return_visits=visits("18 10:00", remark=remark, cause="attitude"),
    )
    assert len(notices) >= 4
    for notice in notices.values():
        assert len(notice.with_link("https://h.test/" + "x" * 285).encode()) <= MAX_BYTES
        assert notice.text.count(LINK) == 1 or LINK in name + issue + remark
        assert "\n" not in notice.title and len(notice.title) <= 60


def test_every_notice_has_words_that_a_person_can_act_on() -> None:
    filed = {"received_at": "2024-06-11 09:00", "return_visits": visits("18 10:00")}
    for profile in profile_names():
        notices: Sequence[Notice] = tuple(
            told(profile, THREAT, ROUGH, now=LONG_AFTER, **filed).values()
        )
        assert notices
        for notice in notices:
            assert "请" in notice.text
            assert "\n依据：" in notice.text or "\n参照：" in notice.text
            assert "{{" not in notice.text


ANY_TIME = st.datetimes(timezones=st.just(LOCAL))
ANY_FIELD = st.sampled_from(
    ["received_at", "accepted_at", "first_contact_at", "replied_at", "closed_at", "returned_at"]
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(ANY_FIELD, ANY_TIME),
    st.lists(ANY_TIME, max_size=3),
    st.sampled_from(profile_names()),
)
def test_whatever_times_are_filed_every_event_is_told_once(
    filed: dict[str, Any], visited: list[datetime], profile: str
) -> None:
    visited = sorted(set(visited))
    many = [{"at": at, "satisfaction": "dissatisfied"} for at in visited]
    record = OrderRecord(ORDER, Filing.model_validate(filed | {"return_visits": many}))
    notices = notices_for_order(record, load_notice_rules(profile), LONG_AFTER)
    assert len({notice.event_id for notice in notices}) == len(notices)
    assert all(n.happened_at is None or n.happened_at <= LONG_AFTER for n in notices)
