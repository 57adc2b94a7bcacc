"""The ledger of promises: what was announced, by when, and what became of it."""

from datetime import date, datetime

import pytest

from qc.filed import LOCAL
from qc.orders.promises import Promise
from tests.qc.orders.order_samples import first_contact, ids, judge, reply

FIRST = {"first_contact_at": "2024-06-11 14:20"}  # a Tuesday
REPLIED = {**FIRST, "replied_at": "2024-06-17 15:30"}
OPENING = "A: 周先生您好，我是城管中队的热线工作人员，您反映楼道堆放杂物对吗？"


def contact(*lines: str) -> dict:
    return first_contact(OPENING, "C: 对的。", *lines, "C: 好的，再见。")


def answer(*lines: str) -> dict:
    return reply(
        "A: 周先生您好，我是城管中队的，跟您回复楼道堆物的事。", "C: 你说。", *lines, "C: 嗯。"
    )


def only(ledger: tuple[Promise, ...], kind: str) -> Promise:
    (promise,) = [promise for promise in ledger if promise.kind == kind]
    return promise


@pytest.mark.parametrize(
    ("line", "kind", "due"),
    [
        ("我们明天上午派人到现场看一下。", "visit", date(2024, 6, 12)),
        ("我们会尽快到现场核实。", "visit", None),
        ("处理完给您回电反馈。", "call_back", None),
        ("周五之前，我给您打电话答复。", "call_back", date(2024, 6, 14)),
        ("施工队下周三进场施工。", "solve", date(2024, 6, 19)),
        ("五个工作日之内一定处理好。", "solve", date(2024, 6, 18)),
    ],
)
def test_an_announcement_is_entered_with_its_day(line: str, kind: str, due: date | None) -> None:
    promise = only(judge(contact(f"A: {line}"), **FIRST).ledger, kind)
    assert promise.due == due
    assert promise.quote.turn == 2
    assert promise.text in line


@pytest.mark.parametrize(
    "line",
    [
        "我们昨天去看过了。",
        "这个我不能跟您保证。",
        "您有问题随时打给我们。",
        "您自己先去物业看看好了。",
        "物业每天都去检查的。",
        "现在把处理结果回复给您。",
    ],
)
def test_what_is_no_promise_is_not_entered(line: str) -> None:
    assert judge(contact(f"A: {line}"), **FIRST).ledger == ()


def test_a_careless_promise_is_marked() -> None:
    ledger = judge(contact("A: 我跟你保证，月底之前肯定给你全部搬空。"), **FIRST).ledger
    promise = only(ledger, "solve")
    assert (promise.grounded, promise.due) == (False, date(2024, 6, 30))


def test_the_same_thing_said_twice_is_one_promise() -> None:
    call = contact("A: 有结果我会打电话给您。", "C: 好。", "A: 那我周五打电话给您。")
    promise = only(judge(call, **FIRST).ledger, "call_back")
    assert promise.due == date(2024, 6, 14)


VISIT = "A: 我们明天上午派人到现场看一下。"


@pytest.mark.parametrize(
    ("reported", "status"),
    [
        ("A: 我们12号上午到现场看过了，东西清走了。", "kept"),
        ("A: 我们14号上午到现场看过了，东西清走了。", "broken"),
        ("A: 不好意思，我们还没去现场。", "broken"),
        ("A: 物业已经把东西清走了。", "unmentioned"),
    ],
)
def test_a_visit_is_held_against_what_the_reply_reports(reported: str, status: str) -> None:
    verdict = judge(contact(VISIT), answer(reported), **REPLIED)
    assert only(verdict.ledger, "visit").status == status
    expected = {"broken": {"pr.broken"}, "unmentioned": {"pr.unmentioned"}}
    assert ids(verdict, "pr.") == expected.get(status, set())


def test_the_citizens_word_that_nobody_came_counts_where_the_handler_says_nothing() -> None:
    call = reply(
        "A: 周先生您好，跟您回复楼道的事。", "C: 上次你们说好来看的，人影都没有。", "A: 嗯。"
    )
    promise = only(judge(contact(VISIT), call, **REPLIED).ledger, "visit")
    assert promise.status == "broken"
    assert "人影都没有" in promise.proof[0].text


@pytest.mark.parametrize(("day", "status"), [("五", "broken"), ("天", "broken")])
def test_a_call_back_after_its_day_is_broken(day: str, status: str) -> None:
    call = contact(f"A: 有结果了礼拜{day}打给您。")
    promise = only(judge(call, answer("A: 处理好了。"), **REPLIED).ledger, "call_back")
    assert promise.status == status


def test_a_call_back_in_time_is_kept() -> None:
    verdict = judge(contact("A: 下周一之前给您回电。"), answer("A: 处理好了。"), **REPLIED)
    assert only(verdict.ledger, "call_back").status == "kept"
    assert ids(verdict, "pr.") == set()


def test_a_deed_is_held_against_the_same_matter_only() -> None:
    promise = contact("A: 这个礼拜五之前肯定给你把旧家具搬走。")
    undone = answer("A: 旧家具还没有搬，我们再催。")
    other = answer("A: 墙上的小广告已经清理好了。")
    done = answer("A: 旧家具已经搬走了。")
    for call, status in ((undone, "broken"), (other, "unmentioned"), (done, "kept")):
        assert only(judge(promise, call, **REPLIED).ledger, "solve").status == status


def test_what_is_not_due_yet_is_pending_and_then_left_open() -> None:
    call = contact("A: 施工队下周三进场施工。")
    for day, status in ((15, "pending"), (25, "unmentioned")):
        now = datetime(2024, 6, day, 9, tzinfo=LOCAL)
        verdict = judge(call, now=now, **FIRST)
        assert only(verdict.ledger, "solve").status == status
        assert ids(verdict, "pr.") == set()  # no later call that could have told


def test_without_the_time_of_the_call_the_day_is_a_guess() -> None:
    promise = only(judge(contact(VISIT)).ledger, "visit")
    assert promise.provisional
    assert promise.due == date(2024, 6, 12)  # counted from the day of the report


def test_the_day_of_an_answered_attempt_is_sure() -> None:
    attempts = [
        {"at": "2024-06-12 09:00", "answered": False},
        {"at": "2024-06-12 15:00", "answered": True},
    ]
    promise = only(judge(contact(VISIT), attempts=attempts).ledger, "visit")
    assert (promise.due, promise.provisional) == (date(2024, 6, 13), False)


def test_every_line_has_an_id_of_its_own() -> None:
    call = contact("A: 我们明天到现场看一下，看完给您回电话。", "C: 好。", "A: 月底前肯定拆掉。")
    ledger = judge(call, **FIRST).ledger
    assert len({promise.id for promise in ledger}) == len(ledger) == 3
