"""Recordings of an order: taking them in, playing them, and the verdict on each."""

import base64
import binascii
import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import PurePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from api.access import Actor
from api.audit import record, record_read
from api.database import transaction
from api.fetching import fetch
from api.listening import note_listening
from api.masking import Unmasked, View, view_for
from api.problems import MEDIA_TYPE, TITLES, Problem
from api.ranges import send_file
from api.receiving import Label, Taken, begin_receiving, others_with, receive, take_in
from api.retention import delete_files, forget_recording
from api.routes.common import (
    PLAIN,
    Listener,
    OrderId,
    OrdersReader,
    OrdersWriter,
    RecordingId,
    RecordingsWriter,
    TheService,
    find_order,
    find_recording,
)
from api.service import Service
from api.store import BLOCK, Incoming, TooLarge
from api.tables import RecordingRow
from qc.filed import LOCAL
from qc.filed import Moment as FiledMoment
from qc.order import CallKind, Order

router = APIRouter(prefix="/api/v1", tags=["录音"])

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_CONTENT_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/=]+):")
SOUND = {
    kind: {"schema": {"type": "string", "format": "binary"}}
    for kind in ("audio/*", "application/octet-stream")
}
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
PART: dict[int | str, dict[str, Any]] = {
    200: {"content": SOUND, "description": "整个文件"},
    206: {"content": SOUND, "description": "请求的一段"},
    416: {
        "description": TITLES[416],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
}

Kind = Annotated[CallKind | None, Query(description="先行联系或热线回复；不给则按录音内容判断")]
MadeAt = Annotated[FiledMoment | None, Query(description="通话时间")]
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
RangeHeader = Annotated[str | None, Header(alias="Range", description="如 bytes=0-65535")]


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
    label = Label(file_name, kind, made_at)
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
        label = Label(fetched.file_name, wanted.kind, wanted.made_at)
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


@router.get(
    "/recordings/{recording_id}/audio",
    summary="原始录音",
    response_class=StreamingResponse,
    responses=PART,
)
def get_audio(
    recording_id: RecordingId,
    actor: Listener,
    service: TheService,
    range_header: RangeHeader = None,
) -> StreamingResponse:
    """上传时的文件；支持 Range。每次收听记入审计日志。"""
    path = _path(service, actor, recording_id, "path")
    answer = send_file(
        service.store, path, "application/octet-stream", range_header, PurePath(path).name
    )
    note_listening(service, actor, recording_id)
    return answer


@router.get(
    "/recordings/{recording_id}/playback",
    summary="供浏览器收听的录音",
    response_class=StreamingResponse,
    responses=PART,
)
def get_playback(
    recording_id: RecordingId,
    actor: Listener,
    service: TheService,
    range_header: RangeHeader = None,
) -> StreamingResponse:
    """M4A，各种浏览器都能放；支持 Range。每次收听记入审计日志。"""
    path = _path(service, actor, recording_id, "playback_path")
    answer = send_file(service.store, path, "audio/mp4", range_header, PurePath(path).name)
    note_listening(service, actor, recording_id)
    return answer


def _path(service: Service, actor: Actor, recording_id: str, column: str) -> str:
    with transaction(service.reader) as session:
        path: str = getattr(find_recording(session, actor, recording_id), column)
    if not path:
        raise Problem(404, "录音还没有处理好，或已经删除。", kind="no-sound")
    return path


class Said(BaseModel):
    """One turn of a call."""

    index: int = Field(description="第几句，从 0 起")
    role: Literal["agent", "citizen"] = Field(description="经办人或市民")
    text: str = Field(description="说的话", examples=["您好，请问您是王先生吗？"])
    start: float | None = Field(description="开始（秒）", examples=[0.4])
    end: float | None = Field(description="结束（秒）", examples=[2.6])
    confidence: float | None = Field(description="识别的把握，0 到 1")


class InspectionShown(BaseModel):
    """The verdict on one recording."""

    recording_id: str = Field(description="录音编号")
    order_id: str = Field(description="工单编号", examples=["20240611-000417"])
    kind: CallKind = Field(description="先行联系或热线回复")
    score: int = Field(description="得分", examples=[86])
    run: int = Field(description="第几次检查", examples=[1])
    setup: str = Field(description="识别引擎、街镇配置和规则的版本")
    made_at: datetime = Field(description="检查时间")
    transcript: list[Said] = Field(description="对话")
    verdict: dict[str, Any] = Field(
        description="话术要素、禁止行为、市民信号、态度，各有原话和条款"
    )


@router.get("/recordings/{recording_id}/inspection", summary="一段录音的结论")
def get_inspection(
    recording_id: RecordingId,
    actor: OrdersReader,
    service: TheService,
    unmasked: Unmasked = False,
) -> InspectionShown:
    """还没有结论时回 404。"""
    view = view_for(actor, unmasked)
    with transaction(service.reader) as session:
        row = find_recording(session, actor, recording_id)
        found, order = row.inspection, Order.model_validate(row.order_row.order)
        if found is None:
            raise Problem(404, "这段录音还没有检查结论。", kind="not-inspected")
        answer = InspectionShown(
            recording_id=row.id,
            order_id=row.order_row.order_id,
            kind=CallKind(found.kind),
            score=found.score,
            run=found.run,
            setup=found.setup,
            made_at=found.made_at.astimezone(LOCAL),
            transcript=[
                Said.model_validate({**turn, "text": view.words(turn["text"], order)})
                for turn in found.transcript
            ],
            verdict=view.stored(found.verdict, order),
        )
    if unmasked:
        record_read(service, actor, "recording.read_unmasked", recording_id)
    return answer


class Queued(BaseModel):
    """A job that was queued."""

    job: str = Field(description="任务编号")


@router.post("/recordings/{recording_id}:inspect", summary="重新检查录音", status_code=202)
def post_inspection(recording_id: RecordingId, actor: OrdersWriter, service: TheService) -> Queued:
    """排队重新识别和检查；新结论替换旧的。已在排队时返回那个任务。"""
    service.queue.admit()
    with transaction(service.engine) as session:
        row = find_recording(session, actor, recording_id, for_update=True)
        if not row.path:
            raise Problem(409, "录音文件已删除，不能重新检查。", kind="deleted")
        job = service.queue.enqueue_inspection(session, row, actor.name)
        return Queued(job=job.id)


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
            "notes": ["同一录音用于两个工单"] if others_with(session, row) else [],
        }
    )
