"""Idempotency-Key: the same POST sent again gets the first one's answer, and is done once."""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access import Actor, authenticate
from api.database import now, transaction
from api.problems import Problem, too_many
from api.service import Service
from api.tables import IdempotencyRow

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
ABANDONED = timedelta(minutes=10)  # an unfinished first request is given up
MAX_KEY = 200  # characters
MAX_BODY = 1 << 20  # bytes of an answer that is kept, and of a request that is compared
NEVER_KEPT = ("/api/v1/session", "/api/v1/keys")  # their answers hold secrets
_ANSWER_HEADERS = ("content-type", "location", "etag")


@dataclass(frozen=True)
class _Claim:
    """A request that holds its key while it is being answered."""

    actor: str
    key: str
    request_hash: str


class Idempotency:
    """Answers a repeated POST from memory. Needs `app.state.service`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        key = Headers(scope=scope).get(HEADER)
        if key is None or scope["path"].startswith(NEVER_KEPT):
            await self.app(scope, receive, send)
            return
        try:
            await self._answer_once(key, scope, receive, send)
        except Problem as problem:
            await problem.response()(scope, receive, send)

    async def _answer_once(self, key: str, scope: Scope, receive: Receive, send: Send) -> None:
        if not 1 <= len(key) <= MAX_KEY or not key.isprintable():
            raise Problem(400, f"{HEADER} 应为 1 到 {MAX_KEY} 个字符。", kind="bad-key")
        service: Service = scope["app"].state.service
        request = Request(scope, receive)
        actor = await run_in_threadpool(_actor, request, service)
        if actor is None:
            await self.app(scope, receive, send)  # which answers 401 or 403
            return
        request_hash, receive = await _identify(request, actor, receive)
        claim = _Claim(actor.name, key, request_hash)
        earlier = await run_in_threadpool(_claim, service, claim)
        if earlier is not None:
            scope["app"].state.limits.count_request(actor.name)
            await earlier(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            await self.app(scope, receive, answer.send)
        finally:
            await run_in_threadpool(_settle, service, claim, answer)


class _Answer:
    """What goes out, noted down as it goes."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.complete = False

    @property
    def can_be_kept(self) -> bool:
        return self.complete and 200 <= self.status < 300 and len(self.body) <= MAX_BODY

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            sent = Headers(raw=message["headers"])
            self.headers = {name: sent[name] for name in _ANSWER_HEADERS if name in sent}
        elif message["type"] == "http.response.body":
            if len(self.body) <= MAX_BODY:
                self.body += message.get("body", b"")
            self.complete = not message.get("more_body", False)
        await self._send(message)


async def _identify(request: Request, actor: Actor, receive: Receive) -> tuple[str, Receive]:
    """A hash of who asks for what, and a `receive` that gives the body (again)."""
    length = request.headers.get("content-length", "")
    kind = request.headers.get("content-type", "")
    told = [actor.role, actor.department, request.url.path, request.url.query, kind, length]
    digest = hashlib.sha256(json.dumps(told).encode())
    if not length.isdecimal() or int(length) > MAX_BODY:
        return digest.hexdigest(), receive  # a recording: by its length, it is not read twice
    body = await request.body()
    digest.update(body)
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return digest.hexdigest(), again


def _actor(request: Request, service: Service) -> Actor | None:
    try:
        return authenticate(request, service)
    except Problem:
        return None


def _claim(service: Service, claim: _Claim) -> Response | None:
    """Take the key for this request, or give the answer that it already got.

    Raises:
        Problem: 409 the first request is still being answered; 422 it was another request.
    """
    with transaction(service.engine) as session:
        session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < now() - KEPT))
        if _insert(session, claim):
            return None
        row = session.get(IdempotencyRow, (claim.actor, claim.key), with_for_update=True)
        if row is None:  # given up just now
            raise too_many("同样的请求正在处理", 1)
        if row.request_hash != claim.request_hash:
            raise Problem(422, f"这个 {HEADER} 已用于另一个请求，请换一个。", kind="key-reused")
        if row.status is None:
            if row.created_at > now() - ABANDONED:
                wait = {"Retry-After": "1"}
                raise Problem(409, "同样的请求正在处理，请稍后再试。", kind="busy", headers=wait)
            row.created_at = now()
            return None
        return Response(row.body, row.status, {**row.headers, "Idempotent-Replayed": "true"})


def _insert(session: Session, claim: _Claim) -> bool:
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    values: dict[str, object] = {
        "actor": claim.actor,
        "key": claim.key,
        "request_hash": claim.request_hash,
        "status": None,
        "body": "",
        "headers": {},
        "created_at": now(),
    }
    statement = insert(IdempotencyRow).values(values).on_conflict_do_nothing()
    return session.scalar(statement.returning(IdempotencyRow.key)) is not None


def _settle(service: Service, claim: _Claim, answer: _Answer) -> None:
    """Keep a good answer; after a refusal or failure the key is free again."""
    with transaction(service.engine) as session:
        row = session.get(IdempotencyRow, (claim.actor, claim.key), with_for_update=True)
        if row is None:
            return
        if not answer.can_be_kept:
            session.delete(row)
            return
        row.status, row.headers = answer.status, answer.headers
        row.body = bytes(answer.body).decode("utf-8", "replace")
