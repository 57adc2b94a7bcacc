"""Recordings of an order: taking them in, playing them, and the verdict on each."""

import base64
import binascii
import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import PurePath
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from api.access import Actor
from api.audit import record
from api.database import transaction
from api.fetching import fetch
from api.jobs import BATCH, PER_ORDER
from api.masking import View, view_for
from api.problems import Problem
from api.receiving import Label, Taken, begin_receiving, receive, take_in
from api.retention import delete_files, forget_recording
from api.routes.common import (
    PLAIN,
    SOUND,
    OrderId,
    OrdersReader,
    RecordingId,
    RecordingsWriter,
    TheService,
    find_order,
    find_recording,
)
from api.same_sound import reuse_notes
from api.service import Service
from api.store import BLOCK, Incoming, TooLarge
from api.tables import RecordingRow
from qc.filed import LOCAL
from qc.filed import Moment as FiledMoment
from qc.fitness import QualityLevel
from qc.order import CallKind, Order

router = APIRouter(prefix="/api/v1", tags=["录音"])

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_CONTENT_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/=]+):")
FORM = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["file"],
            "properties": {"file": {"type": "string", "format": "binary"}},
        }
    }
}
NOT_SOUND = ("application/json", "application/x-www-form-urlencoded", "text/")

Kind = Annotated[CallKind | None, Query(description="先行联系或热线回复；不给则按录音内容判断")]
MadeAt = Annotated[FiledMoment | None, Query(description="通话时间")]
Batch = Annotated[bool, Query(description="批量送检的录音，排在逐单上传的之后")]
FileName = Annotated[
    str,
    Query(
        min_length=1,
        max_length=255,
        pattern=PLAIN,
        description="文件名；以 multipart 上传时用文件自己的",
        examples=["20240611-先行联系.wav"],
    ),
]
Checksum = Annotated[
    str | None, Header(alias="X-Checksum-SHA256", description="文件的 SHA-256（64 位十六进制）")
]
ContentDigest = Annotated[str | None, Header(description="文件的摘要（RFC 9530），如 sha-256=:…:")]


class RecordingShown(BaseModel):
    """A recording as shown."""

    id: str = Field(description="录音编号")
    order_id: str = Field(description="工单编号", examples=["20240611-000417"])
    kind: CallKind | None = Field(description="先行联系或热线回复；没有给出且还没检查时为 null")
    file_name: str = Field(description="文件名", examples=["20240611-先行联系.wav"])
    sha256: str = Field(description="文件的 SHA-256")
    size: int = Field(description="字节数", examples=[986052])
    seconds: float | None = Field(description="时长（秒）", examples=[61.6])
    made_at: datetime | None = Field(description="通话时间")
    uploaded_at: datetime = Field(description="上传时间")
    status: Literal["queued", "running", "done", "failed"] = Field(description="检查进度")
    reason: str = Field(description="未能检查的原因", examples=[""])
    quality: QualityLevel | None = Field(
        description="录音质量：good 良好，poor 较差，unusable 无效（见 reason）；没听过时为 null"
    )
    playable: bool = Field(description="可以在线收听")
    peaks: list[float] | None = Field(default=None, description="波形，0 到 1；只在单个录音里给出")
    deleted: bool = Field(description="录音文件已删除")
    notes: list[str] = Field(description="要注意的情况", examples=[["同一录音用于两个工单"]])


class Received(BaseModel):
    """A recording that is now in, and its job."""

    recording: RecordingShown = Field(description="录音")
    job: str | None = Field(description="检查任务；录音早已上传过时为 null")


class Address(BaseModel):
    """Where to fetch a recording."""

    url: str = Field(
        max_length=2000,
        pattern=r"^https?://[^\s\x00]+$",
        description="录音的网址；主机须在允许的名单上",
        examples=["https://recordings.example.gov.cn/20240611/000417.wav"],
    )
    kind: CallKind | None = Field(default=None, description="先行联系或热线回复")
    made_at: FiledMoment | None = Field(default=None, description="通话时间")
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-fA-F]{64}$", description="文件的 SHA-256，给出则核对"
    )
    batch: bool = Field(default=False, description="批量送检的录音，排在逐单上传的之后")


@router.get("/orders/{order_id}/recordings", summary="工单的录音")
def list_recordings(
    order_id: OrderId, actor: OrdersReader, service: TheService
) -> list[RecordingShown]:
    """按上传先后，包括已删除的。"""
    with transaction(service.reader) as session:
        order = find_order(session, actor, order_id)
        rows = select(RecordingRow).where(RecordingRow.order_pk == order.id)
        found = session.scalars(rows.order_by(RecordingRow.uploaded_at)).all()
        return [shown(session, row, view_for(actor)) for row in found]


@router.post(
    "/orders/{order_id}/recordings",
    summary="上传录音",
    status_code=201,
    responses={200: {"model": Received, "description": "同一工单已有相同的录音"}},
    openapi_extra={"requestBody": {"required": True, "content": SOUND | FORM}},
)
async def post_recording(
    order_id: OrderId,
    request: Request,
    actor: RecordingsWriter,
    service: TheService,
    response: Response,
    file_name: FileName = "录音",
    kind: Kind = None,
    made_at: MadeAt = None,
    batch: Batch = False,
    checksum: Checksum = None,
    content_digest: ContentDigest = None,
) -> Received:
    """正文就是录音文件（边收边存，不占内存），也可用 multipart/form-data 的 file 字段。

    收完即排队检查。给出校验值时核对，不符则不收。
    """
    sha256 = announced(checksum, content_digest)
    order_pk = await run_in_threadpool(_admit, service, actor, order_id)
    content_type = request.headers.get("content-type", "")
    if content_type.startswith(NOT_SOUND):
        raise Problem(415, "正文应为录音文件，Content-Type 写 application/octet-stream。")
    if content_type.startswith("multipart/form-data"):
        file_name, chunks = await _form_file(request)
    else:
        chunks = request.stream()
    label = Label(file_name, kind, made_at, BATCH if batch else PER_ORDER)
    taken = await _take(service, actor, order_pk, chunks, label, sha256)
    return await run_in_threadpool(received, service, actor, taken, response)


@router.post(
    "/orders/{order_id}/recordings:fetch",
    summary="按网址取录音",
    status_code=201,
    responses={200: {"model": Received, "description": "同一工单已有相同的录音"}},
)
async def fetch_recording(
    order_id: OrderId,
    wanted: Address,
    actor: RecordingsWriter,
    service: TheService,
    response: Response,
) -> Received:
    """服务自己去取；主机须由管理员列入名单，内部地址须逐个列明。"""
    order_pk = await run_in_threadpool(_admit, service, actor, order_id)
    async with fetch(wanted.url, service.settings.upload_hosts) as fetched:
        priority = BATCH if wanted.batch else PER_ORDER
        label = Label(fetched.file_name, wanted.kind, wanted.made_at, priority)
        taken = await _take(service, actor, order_pk, fetched.chunks, label, wanted.sha256)
    return await run_in_threadpool(received, service, actor, taken, response)


def announced(checksum: str | None, content_digest: str | None) -> str | None:
    """The SHA-256 that the request announces, in hexadecimal.

    Raises:
        Problem: 400 it is written wrongly.
    """
    if checksum is not None:
        if not _SHA256.fullmatch(checksum.strip()):
            raise Problem(400, "X-Checksum-SHA256 应为 64 位十六进制数。", kind="bad-checksum")
        return checksum.strip().lower()
    if content_digest is None:
        return None
    match = _CONTENT_DIGEST.search(content_digest)
    try:
        digest = base64.b64decode(match[1], validate=True) if match else b""
    except binascii.Error:
        digest = b""
    if len(digest) != 32:
        raise Problem(400, "Content-Digest 应写作 sha-256=:…:（Base64）。", kind="bad-checksum")
    return digest.hex()


def _admit(service: Service, actor: Actor, order_id: str) -> str:
    """The order's key, once it is sure that the recording can be taken in."""
    service.queue.admit()
    with transaction(service.reader) as session:
        order = find_order(session, actor, order_id)
        if order.forgotten_at is not None:
            raise Problem(409, "这个工单已过保留期限，不能再上传录音。", kind="forgotten")
        return order.id


async def _form_file(request: Request) -> tuple[str, AsyncIterator[bytes]]:
    try:
        form = await request.form(max_files=1, max_fields=10)
    except (KeyError, ValueError) as error:
        raise Problem(400, "multipart 正文的格式不对。") from error
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise Problem(422, "没有 file 字段，或它不是文件。", kind="no-file")
    name = PurePath(file.filename or "录音").name
    if not re.fullmatch(PLAIN, name):
        raise Problem(422, "文件名里有控制字符。", kind="bad-name")
    return name, _blocks(file)


async def _blocks(file: UploadFile) -> AsyncIterator[bytes]:
    while block := await file.read(BLOCK):
        yield block


async def _take(
    service: Service,
    actor: Actor,
    order_pk: str,
    chunks: AsyncIterator[bytes],
    label: Label,
    sha256: str | None,
) -> Taken:
    incoming = await run_in_threadpool(begin_receiving, service)
    try:
        await receive(incoming, chunks)
    except TooLarge as error:
        await run_in_threadpool(incoming.discard)
        raise Problem(413, str(error), kind="too-large") from error
    except BaseException:
        await run_in_threadpool(incoming.discard)
        raise
    return await run_in_threadpool(finish, service, actor, order_pk, incoming, label, sha256)


def finish(
    service: Service,
    actor: Actor,
    order_pk: str,
    incoming: Incoming,
    label: Label,
    sha256: str | None,
) -> Taken:
    """Check what has arrived and take it in."""
    with incoming:
        incoming.finish(sha256)
        return take_in(service, actor, order_pk, incoming, label)


def received(service: Service, actor: Actor, taken: Taken, response: Response) -> Received:
    with transaction(service.reader) as session:
        row = session.get_one(RecordingRow, taken.recording_id)
        answer = shown(session, row, view_for(actor))
    response.status_code = 201 if taken.is_new else 200
    response.headers["Location"] = f"/api/v1/recordings/{taken.recording_id}"
    return Received(recording=answer, job=taken.job_id)


@router.get("/recordings/{recording_id}", summary="一段录音")
def get_recording(
    recording_id: RecordingId, actor: OrdersReader, service: TheService
) -> RecordingShown:
    """录音的情况和波形；声音另取。"""
    with transaction(service.reader) as session:
        row = find_recording(session, actor, recording_id)
        answer = shown(session, row, view_for(actor))
        answer.peaks = row.peaks
    return answer


@router.delete("/recordings/{recording_id}", summary="删除录音文件", status_code=204)
def delete_recording(
    recording_id: RecordingId, actor: RecordingsWriter, service: TheService
) -> None:
    """删除声音，保留结论；处置部门不能删除。"""
    with transaction(service.engine) as session:
        row = find_recording(session, actor, recording_id, for_update=True)
        if actor.department:
            raise Problem(403, "处置部门不能删除录音，请联系城运中心。", kind="forbidden")
        if row.status in ("queued", "running"):
            raise Problem(409, "录音正在检查，请等检查完或取消任务后再删。", kind="busy")
        delete_files(service.store, row)  # first: while the row stands, it can be done again
        forget_recording(row)
        record(session, actor, "recording.delete", row.id)


def shown(session: Session, row: RecordingRow, view: View) -> RecordingShown:
    """A recording as a reader sees it."""
    order = Order.model_validate(row.order_row.order)
    kind = row.inspection.kind if row.inspection else row.kind
    return RecordingShown.model_validate(
        {
            "id": row.id,
            "order_id": row.order_row.order_id,
            "kind": kind,
            "file_name": view.file_name(row.file_name, order),
            "sha256": row.sha256,
            "size": row.size,
            "seconds": row.seconds,
            "made_at": row.made_at.astimezone(LOCAL) if row.made_at else None,
            "uploaded_at": row.uploaded_at.astimezone(LOCAL),
            "status": row.status,
            "reason": row.reason,
            "playable": bool(row.playback_path),
            "deleted": row.deleted_at is not None,
            "quality": row.quality or None,
            "notes": reuse_notes(session, [row], view.department),
        }
    )
