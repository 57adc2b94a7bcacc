"""The log: one JSON object a line, with the request's id and without personal data."""

import logging
import re
import sys
import time
from collections.abc import MutableMapping
from typing import Any
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem
from qc.privacy import mask

REQUEST_ID = "X-Request-ID"
_GIVEN_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
# Ours, and numbers of which some look like a phone's.
_NOT_PERSONAL = frozenset(
    {"request_id", "timestamp", "level", "logger", "method", "route", "status", "seconds"}
)

log = structlog.get_logger()


def configure_logs(level: int = logging.INFO) -> None:
    """Send what we and our libraries log to standard error, as JSON."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask_personal,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    output = logging.StreamHandler(sys.stderr)
    output.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    logging.basicConfig(handlers=[output], level=level, force=True)
    for library in ("uvicorn", "uvicorn.error", "uvicorn.access", "dbos"):
        logger = logging.getLogger(library)
        logger.handlers, logger.propagate = [], True
    for chatty in ("uvicorn.access", "httpx", "alembic", "multipart"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def mask_personal(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Processor: hide personal data in everything that is text."""
    for key, value in event.items():
        if isinstance(value, str) and key not in _NOT_PERSONAL:
            event[key] = mask(value)
    return event


class RequestLog:
    """Gives each request an id, which its answer and every log line about it carry.

    An error that nobody expected ends here as a problem; its traceback goes to the log only.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if _GIVEN_ID.fullmatch(given) else uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started, status, started_to_answer = time.perf_counter(), 500, False

        async def send_with_id(message: Message) -> None:
            nonlocal status, started_to_answer
            if message["type"] == "http.response.start":
                status, started_to_answer = message["status"], True
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception as error:
            log.error("unexpected", exc_info=error)
            if started_to_answer:
                raise
            problem = Problem(500, "服务遇到意外情况，请把请求编号告诉管理员。", kind="bug")
            await problem.response()(scope, receive, send_with_id)
        finally:
            route = scope.get("route")
            log.info(
                "request",
                method=scope["method"],
                route=getattr(route, "path", ""),  # the template: paths hold order ids
                status=status,
                seconds=round(time.perf_counter() - started, 4),
            )
