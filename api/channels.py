"""Ways to a contact: group robots, e-mail, and signed webhooks.

Apprise reads the addresses, and sends where no better is known. Robots and e-mail are sent to from
here, for Apprise takes a robot's refusal (HTTP 200 with an `errcode`) for success, gives e-mail no
stable Message-ID, and never says whether a message that failed may have arrived all the same.
"""

import json
import logging
import smtplib
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any, Literal, Protocol

import apprise
import httpx
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.email import NotifyEmail
from apprise.plugins.email.smtp import SMTPSecureMode
from apprise.plugins.feishu import NotifyFeishu
from apprise.plugins.lark import NotifyLark
from apprise.plugins.wecombot import NotifyWeComBot
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from qc.errors import QcError

TIMEOUT = 10.0  # seconds, to connect and for each part of the answer
SHOWN = 200  # characters of a reason
RETRIED = frozenset({408, 425, 429})  # HTTP answers below 500 that pass
BUSY = frozenset({-1, 45009, 130101, 9499, 11232, 11233, 2008})  # robots' codes that pass
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

for _name in ("apprise", "httpx"):  # what they log holds addresses with their keys
    logging.getLogger(_name).setLevel(logging.CRITICAL)

Result = Literal["sent", "refused", "failed", "unknown"]


@dataclass(frozen=True)
class Outcome:
    """What became of an attempt.

    `refused` will be refused again; `failed` did not arrive but may the next time; `unknown`: it
    may have arrived.
    """

    result: Result
    reason: str = ""  # Chinese, for people
    wait: float | None = None  # seconds that the receiver asks for


SENT = Outcome("sent")


@dataclass(frozen=True)
class Message:
    """A notice on its way. `id` is the same each time that it is sent."""

    id: str
    title: str
    text: str
    facts: Mapping[str, Any]  # for systems


class Channel(Protocol):
    """A way to a contact."""

    tells_doubles: bool  # whether the receiver drops what it has by the message's id

    def send(self, message: Message) -> Outcome: ...


def open_channel(url: str, secret: str | None) -> Channel:
    """The channel of a contact's address.

    Args:
        url: an Apprise address (`wecombot://…`, `mailto://…`) or a webhook's `https://…`.
        secret: for signing webhooks, `whsec_…`.

    Raises:
        QcError: the address is none that we know, or there is no secret for a webhook.
    """
    plugin = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if plugin is None and url.startswith(("https://", "http://")):
        if not secret:
            raise QcError("没有给 webhook 签名的密钥", "请设置 HOTLINE_QC_WEBHOOK_SECRET")
        return SignedWebhook(url, secret)
    if isinstance(plugin, NotifyWeComBot | NotifyDingTalk | NotifyFeishu | NotifyLark):
        return Robot(plugin)
    if isinstance(plugin, NotifyEmail):
        return Mail(plugin)
    if plugin is None:
        raise QcError(
            "不认识这个通知地址",
            "可用 wecombot://、dingtalk://、feishu://、mailto://、https://（webhook）等",
        )
    return Other(plugin)


def shown_address(url: str) -> str:
    """An address without its keys and passwords."""
    plugin = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if plugin is not None:
        return str(plugin.url(privacy=True)).split("?")[0]
    parts = httpx.URL(url)
    return f"{parts.scheme}://{parts.host}/…"


class SignedWebhook:
    """A system's address; signed by the rules of Standard Webhooks (HMAC-SHA256)."""

    tells_doubles = True

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        try:
            self._signer = Webhook(secret)
        except (ValueError, EmptyWebhookSecretError) as error:
            raise QcError(
                "给 webhook 签名的密钥格式不对",
                "HOTLINE_QC_WEBHOOK_SECRET 应为 whsec_ 加 Base64",
            ) from error

    def send(self, message: Message) -> Outcome:
        at = datetime.now(UTC)
        body = _json({"id": message.id, **message.facts})
        headers = {
            "webhook-id": message.id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self._signer.sign(message.id, at, body),
            "content-type": "application/json; charset=utf-8",
        }
        return _post(self._url, body, headers)[0]


class Robot:
    """A robot of a chat group. Where it refuses, it answers 200 with a code that is not 0."""

    tells_doubles = False

    def __init__(self, plugin: NotifyWeComBot | NotifyDingTalk | NotifyFeishu | NotifyLark) -> None:
        self._plugin = plugin

    def send(self, message: Message) -> Outcome:
        url, params, body = self._request(message.text)
        headers = {"content-type": "application/json; charset=utf-8"}
        outcome, answer = _post(url, _json(body), headers, params)
        if outcome.result != "sent":
            return outcome
        code = answer.get("errcode", answer.get("code", answer.get("StatusCode", 0)))
        if code == 0:
            return SENT
        said = f"群机器人没有接受（{code}）：{answer.get('errmsg') or answer.get('msg') or ''}"
        return Outcome("failed" if code in BUSY else "refused", said[:SHOWN])

    def _request(self, text: str) -> tuple[str, dict[str, str], dict[str, Any]]:
        plugin = self._plugin
        if isinstance(plugin, NotifyWeComBot):
            return plugin.api_url, {}, {"msgtype": "text", "text": {"content": text}}
        if isinstance(plugin, NotifyDingTalk):
            url = plugin.notify_url.format(token=plugin.token)
            if plugin.secret:
                timestamp, sign = plugin.get_signature()  # already escaped
                url += f"{'&' if '?' in url else '?'}timestamp={timestamp}&sign={sign}"
            at = {"atMobiles": plugin.targets, "isAtAll": False}
            return url, {}, {"msgtype": "text", "text": {"content": text}, "at": at}
        body = {"msg_type": "text", "content": {"text": text}}
        if isinstance(plugin, NotifyLark):
            return plugin.webhook_url, {}, body
        return plugin.notify_url.format(token=plugin.token).rstrip("/"), {}, body


class Mail:
    """E-mail by SMTP, with a Message-ID that is the same each time."""

    tells_doubles = False

    def __init__(self, plugin: NotifyEmail) -> None:
        self._plugin = plugin

    def send(self, message: Message) -> Outcome:
        try:
            server = self._connect()
            try:
                return self._hand_over(server, message)
            finally:
                with suppress(OSError, smtplib.SMTPException):
                    server.quit()
        except smtplib.SMTPResponseException as error:
            return _smtp_refusal(error)
        except (OSError, smtplib.SMTPException) as error:
            return Outcome("failed", f"邮件服务器连不上：{error}"[:SHOWN])

    def _connect(self) -> smtplib.SMTP:
        plugin = self._plugin
        host, port = str(plugin.smtp_host), int(plugin.port or 0)
        context = ssl.create_default_context()
        if not plugin.verify_certificate:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        server: smtplib.SMTP
        if plugin.secure_mode == SMTPSecureMode.SSL:
            server = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=TIMEOUT)
        if plugin.secure_mode == SMTPSecureMode.STARTTLS:
            server.starttls(context=context)
        if plugin.user and plugin.password:
            server.login(plugin.user, plugin.password)
        return server

    def _hand_over(self, server: smtplib.SMTP, message: Message) -> Outcome:
        """Step by step: only after the text was handed over is it unknown what became of it."""
        mail, sender = self._mail(message), str(self._plugin.from_addr[1])
        server.ehlo_or_helo_if_needed()
        for reply in (server.mail(sender), *map(server.rcpt, self._addresses)):
            if reply[0] not in (250, 251):
                return _smtp_refusal(smtplib.SMTPResponseException(*reply))
        try:
            code, said = server.data(mail.as_bytes())
        except smtplib.SMTPDataError as error:
            return _smtp_refusal(error)
        except (OSError, smtplib.SMTPException) as error:
            return Outcome("unknown", f"邮件交出后连接中断：{error}"[:SHOWN])
        return SENT if code == 250 else _smtp_refusal(smtplib.SMTPDataError(code, said))

    @property
    def _addresses(self) -> list[str]:
        return [*(str(address) for _, address in self._plugin.targets), *self._plugin.cc]

    def _mail(self, message: Message) -> EmailMessage:
        name, sender = self._plugin.from_addr[0] or "", str(self._plugin.from_addr[1])
        mail = EmailMessage()
        mail["From"] = Address(str(name), addr_spec=sender)
        mail["To"] = ", ".join(self._addresses)
        mail["Subject"] = " ".join(message.title.split())
        mail["Date"] = formatdate(localtime=True)
        mail["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2]}>"
        mail.set_content(message.text, cte="base64")
        return mail


class Other:
    """Anything else that Apprise knows. What fails may have arrived: Apprise does not say."""

    tells_doubles = False

    def __init__(self, plugin: apprise.NotifyBase) -> None:
        self._plugin = plugin

    def send(self, message: Message) -> Outcome:
        sender = apprise.Apprise()
        sender.add(self._plugin)
        if sender.notify(body=message.text, title=message.title):
            return SENT
        return Outcome("unknown", "通知渠道报告发送失败，不能确定对方是否收到")


def _post(
    url: str, body: str, headers: Mapping[str, str], params: Mapping[str, str] | None = None
) -> tuple[Outcome, Mapping[str, Any]]:
    """Post once, following no redirect; with the answer's JSON where it has some."""
    try:
        answer = httpx.post(
            url, content=body.encode(), headers=headers, params=params or None, timeout=TIMEOUT
        )
    except _NOT_SENT as error:
        return Outcome("failed", f"连不上对方：{error}"[:SHOWN]), {}
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        return Outcome("refused", f"地址不能用：{error}"[:SHOWN]), {}
    except httpx.HTTPError as error:
        said = f"发出后没有得到完整的回答：{type(error).__name__}"
        return Outcome("unknown", said), {}
    if answer.is_success:
        return SENT, _object(answer)
    passing = answer.status_code >= 500 or answer.status_code in RETRIED
    said = f"对方回答 HTTP {answer.status_code}"
    return Outcome("failed" if passing else "refused", said, _retry_after(answer)), {}


def _object(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _retry_after(answer: httpx.Response) -> float | None:
    seconds = answer.headers.get("retry-after", "")
    return float(seconds) if seconds.isdecimal() else None


def _smtp_refusal(error: smtplib.SMTPResponseException) -> Outcome:
    """SMTP says by the first digit whether to try again: 4 yes, 5 no (RFC 5321, 4.2.1)."""
    said = error.smtp_error
    words = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    lasting = error.smtp_code >= 500
    text = f"邮件服务器没有接受（{error.smtp_code}）：{words}"
    return Outcome("refused" if lasting else "failed", text[:SHOWN])


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False)
