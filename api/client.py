"""A small client of the service, for order platforms and scripts; needs httpx only.

    with Client("http://127.0.0.1:8012", "hq_…") as client:
        client.create_order({"order_id": "20240611-000417", "department": "城管中队"})
        client.upload("20240611-000417", Path("先行联系.wav"), kind="first_contact")
        print(client.wait_for_verdict("20240611-000417")["score"])

What it answers are the service's own JSON objects, typed. Requests that the service asks to repeat
later (429, 503) are repeated; each POST carries an Idempotency-Key, so that none is done twice.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypedDict, cast
from uuid import uuid4

import httpx

from qc.errors import QcError

TIMEOUT = 60.0  # seconds
REPEATS = 4  # of a request that the service asks to repeat
LONGEST_WAIT = 60.0  # seconds before a repeat
POLL_SECONDS = 1.0
REPEATED = frozenset({429, 503})

Kind = Literal["first_contact", "reply"]


class OrderShown(TypedDict):
    """An order as the service shows it."""

    order_id: str
    profile: str
    department: str
    handler: str
    score: int | None
    recordings: int
    order: dict[str, Any]
    filing: dict[str, Any]
    version: int
    received_at: str
    created_at: str
    updated_at: str
    forgotten: bool


class RecordingShown(TypedDict):
    """A recording as the service shows it."""

    id: str
    order_id: str
    kind: Kind | None
    file_name: str
    sha256: str
    size: int
    seconds: float | None
    made_at: str | None
    uploaded_at: str
    status: Literal["queued", "running", "done", "failed"]
    reason: str
    quality: Literal["good", "poor", "unusable"] | None
    playable: bool
    peaks: list[float] | None
    deleted: bool
    notes: list[str]


class Received(TypedDict):
    """A recording that was taken in, and its job."""

    recording: RecordingShown
    job: str | None


class OrderVerdict(TypedDict):
    """The verdict on all calls of an order together."""

    order_id: str
    status: Literal["pending", "done"]
    score: int | None
    recordings: list[dict[str, Any]]
    missing: list[Kind]
    notes: list[str]
    verdict: dict[str, Any] | None


class InspectionShown(TypedDict):
    """The verdict on one recording."""

    recording_id: str
    order_id: str
    kind: Kind
    score: int
    run: int
    setup: str
    made_at: str
    transcript: list[dict[str, Any]]
    verdict: dict[str, Any]


class Refused(QcError):
    """The service's answer is a problem (RFC 9457). `problem` holds all that it says."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or f"HTTP {status}"))
        self.status = status
        self.problem = problem

    @property
    def kind(self) -> str:
        """Last part of the problem's type: `not-found`, `order-exists` …"""
        return str(self.problem.get("type", "")).rpartition(":")[2]


class Client:
    """One service, spoken to with an API key."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1",
            headers={"Authorization": f"Bearer {key}"},
            timeout=TIMEOUT,
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        _: type[BaseException] | None,
        __: BaseException | None,
        ___: TracebackType | None,
    ) -> None:
        self._http.close()

    # --- orders -----------------------------------------------------------------------------------

    def create_order(
        self,
        order: Mapping[str, Any],
        filing: Mapping[str, Any] | None = None,
        profile: str | None = None,
    ) -> OrderShown:
        """File a new order.

        Raises:
            Refused: it exists already (`order-exists`), or a field is wrong.
        """
        body = {"order": order, "filing": filing or {}, "profile": profile}
        return cast(OrderShown, self._ask("POST", "/orders", json=body))

    def change_order(
        self,
        order_id: str,
        order: Mapping[str, Any] | None = None,
        filing: Mapping[str, Any] | None = None,
        version: int | None = None,
    ) -> OrderShown:
        """Change fields of an order; where a version is given, only if it is still that one."""
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        body = {"order": order or {}, "filing": filing or {}}
        path = f"/orders/{order_id}"
        return cast(OrderShown, self._ask("PATCH", path, json=body, headers=headers))

    def add_visit(self, order_id: str, visit: Mapping[str, Any]) -> OrderShown:
        """File a return visit: `{"at": …, "level": "street", "satisfaction": "dissatisfied"}`."""
        return cast(OrderShown, self._ask("POST", f"/orders/{order_id}/return-visits", json=visit))

    def order(self, order_id: str) -> OrderShown:
        """An order, masked."""
        return cast(OrderShown, self._ask("GET", f"/orders/{order_id}"))

    def orders(self, **chosen: Any) -> Iterator[OrderShown]:
        """All orders, the newest first; `department=`, `since=` and so on narrow them down."""
        return cast(Iterator[OrderShown], self.pages("/orders", **chosen))

    # --- recordings -------------------------------------------------------------------------------

    def upload(
        self,
        order_id: str,
        path: Path,
        kind: Kind | None = None,
        made_at: str | None = None,
    ) -> Received:
        """Send a recording; it is queued for inspection. The same one again changes nothing."""
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
        query = {"file_name": path.name, "kind": kind, "made_at": made_at}
        headers = {"X-Checksum-SHA256": checksum, "Content-Type": "application/octet-stream"}
        return cast(
            Received,
            self._ask(
                "POST",
                f"/orders/{order_id}/recordings",
                params={name: value for name, value in query.items() if value is not None},
                headers=headers,
                file=path,
            ),
        )

    def inspection(self, recording_id: str) -> InspectionShown:
        """The verdict on one recording.

        Raises:
            Refused: there is none yet (`not-inspected`).
        """
        return cast(InspectionShown, self._ask("GET", f"/recordings/{recording_id}/inspection"))

    def verdict(self, order_id: str) -> OrderVerdict:
        """The verdict on an order as it is now; `status` tells whether it is complete."""
        return cast(OrderVerdict, self._ask("GET", f"/orders/{order_id}/inspection"))

    def wait_for_verdict(self, order_id: str, seconds: float = 600.0) -> OrderVerdict:
        """The verdict on an order once all its recordings were inspected.

        Raises:
            TimeoutError: that took longer.
        """
        until = time.monotonic() + seconds
        while (found := self.verdict(order_id))["status"] != "done":
            if time.monotonic() >= until:
                raise TimeoutError(f"工单 {order_id} 在 {seconds:.0f} 秒内没有检查完")
            time.sleep(POLL_SECONDS)
        return found

    # --- everything else --------------------------------------------------------------------------

    def pages(self, path: str, **chosen: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, such as `/findings` or `/notices`, page by page."""
        after: str | None = None
        while True:
            query = chosen if after is None else {**chosen, "after": after}
            page = self._ask("GET", path, params=query)
            yield from page["items"]
            after = page["next"]
            if after is None:
                return

    def get(self, path: str, **query: Any) -> Any:
        """Any answer, such as `/figures`."""
        return self._ask("GET", path, params=query)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Any request that makes something, such as a review."""
        return self._ask("POST", path, json=body or {})

    def _ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        file: Path | None = None,
        **content: Any,
    ) -> Any:
        sent = dict(headers or {})
        if method == "POST" and file is None:
            sent["Idempotency-Key"] = uuid4().hex
        for repeat in range(REPEATS + 1):
            answer = self._send(method, path, sent, file, content)
            if answer.status_code not in REPEATED or repeat == REPEATS:
                break
            time.sleep(min(float(answer.headers.get("Retry-After", 2**repeat)), LONGEST_WAIT))
        if answer.is_success:
            return answer.json() if answer.content else None
        raise Refused(answer.status_code, _problem(answer))

    def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        file: Path | None,
        content: Mapping[str, Any],
    ) -> httpx.Response:
        try:
            if file is None:
                return self._http.request(method, path, headers=headers, **content)
            with file.open("rb") as stream:  # sent as it is read
                return self._http.request(method, path, headers=headers, content=stream, **content)
        except httpx.TransportError as error:
            said = f"连不上服务：{type(error).__name__}"
            raise QcError(said, "请检查地址，确认服务已启动") from error


def _problem(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
