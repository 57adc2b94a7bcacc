"""A language model's endpoint on loopback that behaves or misbehaves as it is told."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

Reply = Callable[["Connection"], None]


class Endpoint:
    """Gives the replies in turn, the last one again and again; keeps what it was sent."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.bodies: list[bytes] = []
        self.headers: list[Message] = []
        self.closed = Event()
        self.url = ""

    @property
    def requests(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]

    @property
    def questions(self) -> list[dict[str, Any]]:
        return [json.loads(request["messages"][1]["content"]) for request in self.requests]


class Connection(BaseHTTPRequestHandler):
    """One request; `endpoint` is set by `serve`."""

    endpoint: Endpoint
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        endpoint = self.endpoint
        endpoint.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        endpoint.headers.append(self.headers)
        reply = endpoint.replies.pop(0) if len(endpoint.replies) > 1 else endpoint.replies[0]
        with suppress(BrokenPipeError, ConnectionResetError):  # the client had enough
            reply(self)
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass

    @property
    def question(self) -> str:
        content = json.loads(self.endpoint.bodies[-1])["messages"][1]["content"]
        return str(json.loads(content)["question"])

    def send(self, body: str, status: int = 200, **headers: str) -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def start(self, status: int = 200) -> None:
        """Headers of a body without a told length."""
        self.send_response(status)
        self.send_header("Connection", "close")
        self.end_headers()


@contextmanager
def serve(*replies: Reply) -> Iterator[Endpoint]:
    endpoint = Endpoint(*replies)
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), type("_Bound", (Connection,), {"endpoint": endpoint})
    )
    server.daemon_threads = True
    endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.closed.set()
        server.shutdown()
        server.server_close()
        thread.join()


def content(text: str | None, **usage: int) -> Reply:
    """A completion with that content, whatever was asked."""
    completion = {"choices": [{"message": {"content": text}}], "usage": usage}
    return lambda connection: connection.send(json.dumps(completion))


def opinion(verdict: str, reason: str = "理由", tokens: int = 100, **extra: object) -> Reply:
    """An answer to the question that was asked."""

    def reply(connection: Connection) -> None:
        answer = {"question": connection.question, "reason": reason, "verdict": verdict, **extra}
        content(json.dumps(answer, ensure_ascii=False), total_tokens=tokens)(connection)

    return reply


def status(code: int, **headers: str) -> Reply:
    return lambda connection: connection.send('{"error": {"message": "no"}}', code, **headers)


def body(text: str) -> Reply:
    return lambda connection: connection.send(text)


def silent(connection: Connection) -> None:
    """Takes the request and says nothing."""
    connection.endpoint.closed.wait(60)


def slow_headers(connection: Connection) -> None:
    """Never comes to the end of its first line."""
    while not connection.endpoint.closed.wait(0.05):
        connection.wfile.write(b"H")


def slow_body(connection: Connection) -> None:
    """A byte now and then, for ever."""
    connection.start()
    while not connection.endpoint.closed.wait(0.05):
        connection.wfile.write(b" ")


def endless(code: int) -> Reply:
    """As much as the line takes, for ever."""

    def reply(connection: Connection) -> None:
        connection.start(code)
        until = time.monotonic() + 60
        while not connection.endpoint.closed.is_set() and time.monotonic() < until:
            connection.wfile.write(b" " * 65536)

    return reply


def cut(connection: Connection) -> None:
    """Breaks off in the middle of the body."""
    connection.send_response(200)
    connection.send_header("Content-Length", "1000")
    connection.end_headers()
    connection.wfile.write(b'{"choices": [')
