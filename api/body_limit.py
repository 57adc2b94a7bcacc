"""How large a request may be, before anything reads it into memory."""

import re

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem

MAX_BODY = 32 << 20  # bytes
# Recordings are streamed to the store; their routes count the bytes themselves.
STREAMED = re.compile(r"/api/v1/(?:orders/[^/]+/recordings|uploads/[^/]+)")


class BodyLimit:
    """Refuses a larger body: at once where its length is told, else as soon as it is reached."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or STREAMED.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        told = Headers(scope=scope).get("content-length", "")
        if told.isdecimal() and int(told) > MAX_BODY:
            detail = f"请求正文不能超过 {MAX_BODY >> 20} MB。"
            await Problem(413, detail, kind="too-large").response()(scope, receive, send)
            return
        received = 0

        async def receive_some() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY:
                raise HTTPException(413)  # which FastAPI lets pass while it reads a body
            return message

        await self.app(scope, receive_some, send)
