"""Real receivers of messages on loopback: a web server that misbehaves when told, and SMTP."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from standardwebhooks.webhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class WebReceiver:
    """Takes POSTs. `answers` are used up one a request, then `answer` holds.

    An answer is a status, a JSON body to give with 200, "hang", or "drop" (read, then cut off).
    """

    url: str = ""
    answer: Any = 200
    answers: list[Any] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    given: list[Any] = field(default_factory=list)  # answers, one a request
    released: threading.Event = field(default_factory=threading.Event)
    pause: float = 0.0  # seconds before each answer
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_answer(self) -> Any:
        with self.lock:
            return self.answers.pop(0) if self.answers else self.answer

    def verified(self) -> list[dict[str, Any]]:
        """What arrived, with every signature checked."""
        signer = Webhook(SECRET)
        return [
            signer.verify(raw, headers) for raw, headers in zip(self.raw, self.headers, strict=True)
        ]


@contextmanager
def web_receiver() -> Iterator[WebReceiver]:
    receiver = WebReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            answer = receiver.next_answer()
            with receiver.lock:
                receiver.raw.append(raw)
                receiver.given.append(answer)
                receiver.bodies.append(json.loads(raw))
                receiver.headers.append({k.lower(): v for k, v in self.headers.items()})
            time.sleep(receiver.pause)
            if answer == "hang":
                receiver.released.wait(20)
            if answer in ("hang", "drop"):
                self.close_connection = True
                return
            body = json.dumps(answer).encode() if isinstance(answer, dict) else b""
            self.send_response(200 if isinstance(answer, dict) else answer)
            self.send_header("content-length", str(len(body)))
            self.send_header("location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class MailReceiver:
    """Takes mail. `refusal` is answered to the text of a message; "cut" ends the connection."""

    url: str = ""
    refusal: str = ""
    mails: list[Envelope] = field(default_factory=list)
    refused_address: str = "gone@example.cn"
    pause: float = 0.0  # seconds before a message is acknowledged
    while_taking: Callable[[], None] = lambda: None  # done before a message is acknowledged

    async def handle_RCPT(
        self, server: SMTP, _: Session, envelope: Envelope, address: str, __: list[str]
    ) -> str:
        if address == self.refused_address:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _: Session, envelope: Envelope) -> str:
        self.mails.append(envelope)
        await asyncio.sleep(self.pause)
        await asyncio.to_thread(self.while_taking)
        if self.refusal == "cut":
            assert server.transport
            server.transport.abort()
        return self.refusal or "250 taken"


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def mail_receiver() -> Iterator[MailReceiver]:
    receiver = MailReceiver()
    port = free_port()
    controller = Controller(receiver, hostname="127.0.0.1", port=port)
    controller.start()
    receiver.url = f"mailto://127.0.0.1:{port}?from=centre@street.cn&to="
    try:
        yield receiver
    finally:
        controller.stop()
