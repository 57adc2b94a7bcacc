"""Listening to a recording, as it came or as every browser can play it."""

from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse

from api.access import Actor
from api.database import transaction
from api.listening import note_listening
from api.problems import MEDIA_TYPE, TITLES, Problem
from api.ranges import send_file
from api.routes.common import SOUND, Listener, RecordingId, TheService, find_recording
from api.service import Service

router = APIRouter(prefix="/api/v1", tags=["录音"])

PART: dict[int | str, dict[str, Any]] = {
    200: {"content": SOUND, "description": "整个文件"},
    206: {"content": SOUND, "description": "请求的一段"},
    416: {
        "description": TITLES[416],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
}
RangeHeader = Annotated[str | None, Header(alias="Range", description="如 bytes=0-65535")]


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
