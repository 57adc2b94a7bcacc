"""Large recordings in pieces: an upload that was cut off goes on where it stopped."""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import delete
from starlette.concurrency import run_in_threadpool

from api.access import Actor
from api.database import transaction
from api.orders import ORDER_ID, PLAIN
from api.problems import Problem
from api.receiving import Label, begin_receiving, receive
from api.routes.common import (
    RecordingsWriter,
    TheService,
    UploadId,
    find_order,
    find_upload,
)
from api.routes.recordings import Received, finish, received
from api.service import Service
from api.store import TooLarge
from api.tables import UploadRow
from qc.order import CallKind

router = APIRouter(prefix="/api/v1/uploads", tags=["录音"])

MAX_CHUNK = 64 << 20  # bytes
OFFSET = "Upload-Offset"
CHUNK_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
Offset = Annotated[int, Header(alias=OFFSET, ge=0, le=2**53, description="这一段从第几个字节起")]


class NewUpload(BaseModel):
    """A recording that will come in pieces."""

    order_id: str = Field(pattern=ORDER_ID, description="工单编号", examples=["20240611-000417"])
    file_name: str = Field(
        min_length=1, max_length=255, pattern=PLAIN, description="文件名", examples=["先行联系.wav"]
    )
    size: int = Field(gt=0, le=2**53, description="总字节数", examples=[104857600])
    kind: CallKind | None = Field(default=None, description="先行联系或热线回复")
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-fA-F]{64}$", description="整个文件的 SHA-256，给出则核对"
    )


class Upload(BaseModel):
    """How far an upload is."""

    id: str = Field(description="上传编号")
    received: int = Field(description="已收到的字节数，下一段从这里起", examples=[8388608])
    size: int = Field(description="总字节数", examples=[104857600])


@router.post("", summary="开始分段上传", status_code=201)
def begin_upload(
    wanted: NewUpload, actor: RecordingsWriter, service: TheService, response: Response
) -> Upload:
    """之后用 PATCH 依次送各段，最后 :complete。两天没有完成的上传会被清除。"""
    service.queue.admit()
    limit = service.settings.max_upload_mb
    if wanted.size > limit << 20:
        raise Problem(413, f"录音超过 {limit} MB 的上限，请压缩后再上传。", kind="too-large")
    with transaction(service.engine) as session:
        order = find_order(session, actor, wanted.order_id)
        row = UploadRow(
            order_pk=order.id,
            file_name=wanted.file_name,
            kind=wanted.kind,
            size=wanted.size,
            sha256=wanted.sha256,
            received=0,
            asked_by=actor.name,
        )
        session.add(row)
        session.flush()
        return _answer(row, response, is_new=True)


@router.get("/{upload_id}", summary="已收到多少")
def get_upload(
    upload_id: UploadId, actor: RecordingsWriter, service: TheService, response: Response
) -> Upload:
    """断线后先问这里，再从 `received` 处继续。"""
    with transaction(service.reader) as session:
        return _answer(find_upload(session, actor, upload_id), response)


@router.patch("/{upload_id}", summary="送一段", openapi_extra=CHUNK_BODY)
async def patch_upload(
    upload_id: UploadId,
    request: Request,
    actor: RecordingsWriter,
    service: TheService,
    response: Response,
    offset: Offset,
) -> Upload:
    """Upload-Offset 须等于已收到的字节数，否则回 409 和应从哪里继续。一段最大 64 MB。"""
    left = await run_in_threadpool(_left, service, actor, upload_id, offset)
    incoming = await run_in_threadpool(service.store.receive, min(left, MAX_CHUNK))
    try:
        await receive(incoming, request.stream())
    except TooLarge as error:
        await run_in_threadpool(incoming.discard)
        raise Problem(413, "这一段太大，或超出了总字节数。", kind="too-large") from error
    except BaseException:
        await run_in_threadpool(incoming.discard)
        raise

    def keep() -> Upload:
        with incoming:
            incoming.finish()
            with transaction(service.engine) as session:
                row = find_upload(session, actor, upload_id)
                if row.received != offset:
                    raise _elsewhere(row)
                incoming.keep(_part(upload_id, offset))
                row.received += incoming.size
                return _answer(row, response)

    return await run_in_threadpool(keep)


@router.post("/{upload_id}:complete", summary="完成分段上传", status_code=201, responses={
    200: {"model": Received, "description": "同一工单已有相同的录音"}
})  # fmt: skip
def complete_upload(
    upload_id: UploadId, actor: RecordingsWriter, service: TheService, response: Response
) -> Received:
    """各段到齐后合成录音、核对校验值，并排队检查。"""
    with transaction(service.engine) as session:
        row = find_upload(session, actor, upload_id)
        if row.received != row.size:
            raise _elsewhere(row)
    parts = service.store.paths(_folder(upload_id))
    incoming = begin_receiving(service)
    with incoming:
        for part in parts:
            for block in service.store.read(part):
                incoming.write(block)
        label = Label(row.file_name, CallKind(row.kind) if row.kind else None)
        taken = finish(service, actor, row.order_pk, incoming, label, row.sha256)
    with transaction(service.engine) as session:
        session.execute(delete(UploadRow).where(UploadRow.id == upload_id))
    for part in parts:
        service.store.delete(part)
    return received(service, actor, taken, response)


@router.delete("/{upload_id}", summary="放弃分段上传", status_code=204)
def drop_upload(upload_id: UploadId, actor: RecordingsWriter, service: TheService) -> None:
    """删除已收到的各段。"""
    with transaction(service.engine) as session:
        session.delete(find_upload(session, actor, upload_id))
    for part in service.store.paths(_folder(upload_id)):
        service.store.delete(part)


def _left(service: Service, actor: Actor, upload_id: str, offset: int) -> int:
    with transaction(service.reader) as session:
        row = find_upload(session, actor, upload_id)
        if row.received != offset:
            raise _elsewhere(row)
        return row.size - row.received


def _elsewhere(row: UploadRow) -> Problem:
    return Problem(
        409,
        f"已收到 {row.received} 字节，共 {row.size} 字节，请从 {row.received} 处继续。",
        kind="upload-offset",
        headers={OFFSET: str(row.received)},
    )


def _answer(row: UploadRow, response: Response, *, is_new: bool = False) -> Upload:
    response.headers[OFFSET] = str(row.received)
    if is_new:
        response.headers["Location"] = f"/api/v1/uploads/{row.id}"
    return Upload(id=row.id, received=row.received, size=row.size)


def _folder(upload_id: str) -> str:
    return f"uploads/{upload_id}"


def _part(upload_id: str, offset: int) -> str:
    return f"{_folder(upload_id)}/{offset:020}"
