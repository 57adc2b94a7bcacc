"""What each channel says of an attempt, against real servers that misbehave."""

from collections.abc import Iterator
from email import message_from_bytes, policy

import pytest
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.feishu import NotifyFeishu
from apprise.plugins.wecombot import NotifyWeComBot

from api import channels
from api.channels import Message, open_channel, shown_address
from qc.errors import QcError
from tests.api.receivers import (
    SECRET,
    MailReceiver,
    WebReceiver,
    free_port,
    mail_receiver,
    web_receiver,
)

MESSAGE = Message(
    "d1", "回访不满意 2024-1", "【督办】回访不满意\n工单：2024-1", {"order_id": "2024-1"}
)


@pytest.fixture
def web() -> Iterator[WebReceiver]:
    with web_receiver() as receiver:
        yield receiver


@pytest.fixture
def mail() -> Iterator[MailReceiver]:
    with mail_receiver() as receiver:
        yield receiver


def test_a_webhook_is_signed_and_has_the_same_id_each_time(web: WebReceiver) -> None:
    channel = open_channel(web.url, SECRET)
    assert [channel.send(MESSAGE).result for _ in range(2)] == ["sent", "sent"]
    assert web.verified() == [{"id": "d1", "order_id": "2024-1"}] * 2
    assert [h["webhook-id"] for h in web.headers] == ["d1", "d1"]


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (200, "sent"),
        (204, "sent"),
        (500, "failed"),
        (503, "failed"),
        (429, "failed"),
        (404, "refused"),
        (410, "refused"),
        (302, "refused"),
        ("drop", "unknown"),
        ("hang", "unknown"),
    ],
)
def test_a_webhooks_answer_tells_what_became_of_it(
    web: WebReceiver, monkeypatch: pytest.MonkeyPatch, answer: object, result: str
) -> None:
    monkeypatch.setattr(channels, "TIMEOUT", 0.3)
    web.answer = answer
    outcome = open_channel(web.url, SECRET).send(MESSAGE)
    assert outcome.result == result
    assert bool(outcome.reason) == (result != "sent")
    assert len(web.raw) == 1


def test_who_cannot_be_reached_has_received_nothing() -> None:
    port = free_port()
    assert open_channel(f"http://127.0.0.1:{port}/", SECRET).send(MESSAGE).result == "failed"
    unreachable = f"mailto://127.0.0.1:{port}?from=a@street.cn&to=b@street.cn"
    assert open_channel(unreachable, None).send(MESSAGE).result == "failed"


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ({"errcode": 0, "errmsg": "ok"}, "sent"),
        ({"errcode": 93000, "errmsg": "invalid webhook url"}, "refused"),
        ({"errcode": 45009, "errmsg": "api freq out of limit"}, "failed"),
        (500, "failed"),
        ("drop", "unknown"),
    ],
)
def test_a_robot_that_answers_200_may_have_refused(
    web: WebReceiver, monkeypatch: pytest.MonkeyPatch, answer: object, result: str
) -> None:
    monkeypatch.setattr(NotifyWeComBot, "notify_url", web.url + "?key={key}")
    web.answer = answer
    assert open_channel("wecombot://abc-def", None).send(MESSAGE).result == result
    assert web.bodies == [{"msgtype": "text", "text": {"content": MESSAGE.text}}]


def test_the_other_robots_are_spoken_to_in_their_way(
    web: WebReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NotifyDingTalk, "notify_url", web.url + "?access_token={token}")
    monkeypatch.setattr(NotifyFeishu, "notify_url", web.url + "/{token}/")
    web.answers = [{"errcode": 0}, {"errcode": 310000, "errmsg": "keywords"}, {"code": 0}]
    dingtalk, feishu = open_channel("dingtalk://SEC1@abc", None), open_channel("feishu://abc", None)
    assert [dingtalk.send(MESSAGE).result for _ in range(2)] == ["sent", "refused"]
    assert feishu.send(MESSAGE).result == "sent"
    assert web.bodies[0]["text"] == {"content": MESSAGE.text}
    assert web.bodies[2] == {"msg_type": "text", "content": {"text": MESSAGE.text}}


def test_mail_has_the_same_message_id_each_time(mail: MailReceiver) -> None:
    channel = open_channel(mail.url + "head@street.cn", None)
    assert [channel.send(MESSAGE).result for _ in range(2)] == ["sent", "sent"]
    first, second = (
        message_from_bytes(m.original_content or b"", policy=policy.default) for m in mail.mails
    )
    assert first["message-id"] == second["message-id"] == "<d1@street.cn>"
    assert first["subject"] == MESSAGE.title and first["to"] == "head@street.cn"
    assert first.get_content().strip() == MESSAGE.text


@pytest.mark.parametrize(
    ("refusal", "result"),
    [("550 spam", "refused"), ("451 later", "failed"), ("cut", "unknown")],
)
def test_a_mail_servers_answer_tells_what_became_of_it(
    mail: MailReceiver, refusal: str, result: str
) -> None:
    mail.refusal = refusal
    assert open_channel(mail.url + "head@street.cn", None).send(MESSAGE).result == result
    assert len(mail.mails) == 1


def test_an_unknown_mailbox_is_refused(mail: MailReceiver) -> None:
    assert open_channel(mail.url + mail.refused_address, None).send(MESSAGE).result == "refused"
    assert not mail.mails


@pytest.mark.parametrize(
    ("url", "secret", "says"),
    [
        ("garbage", SECRET, "不认识"),
        ("ftp://x", SECRET, "不认识"),
        ("https://example.cn/hook", None, "HOTLINE_QC_WEBHOOK_SECRET"),
        ("https://example.cn/hook", "whsec_%%%", "HOTLINE_QC_WEBHOOK_SECRET"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url: str, secret: str | None, says: str) -> None:
    with pytest.raises(QcError, match=says):
        open_channel(url, secret)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.cn/hook/SECRET?token=SECRET",
        "wecombot://aSECRETz",
        "dingtalk://aSECRETz@bSECRETz",
        "mailto://user:SECRET@mail.street.cn?to=head@street.cn",
    ],
)
def test_a_shown_address_holds_no_secret(url: str) -> None:
    assert "SECRET" not in shown_address(url)
