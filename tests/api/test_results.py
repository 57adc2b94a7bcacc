"""What an inspection leaves in the tables."""

import json
from collections import Counter

import pytest
from sqlalchemy import select

from api.database import transaction
from api.results import circumstances_of, keep_inspection, transcript_of
from api.service import Service
from api.tables import FindingRow, InspectionRow, OrderRow, RecordingRow, new_id
from models.judge.classifier import load_classifier
from qc.catalogue import load_catalogue
from qc.inspect import inspect_call
from qc.inspection import Inspection
from qc.order import Call
from tests.api.filed import order_of

CALL = {
    "kind": "reply",
    "turns": [
        {
            "role": "agent",
            "text": "您好，我是城管中队的李明。",
            "start": 0.5,
            "end": 4,
        },
        {"role": "citizen", "text": "是我，那个楼上装修的事到底管不管？", "start": 4.2, "end": 7},
        {
            "role": "agent",
            "text": "我跟你保证明天肯定给你拆掉。",
            "start": 7.1,
            "end": 10,
        },
        {"role": "citizen", "text": "你们上次也是这么说的，我不满意。", "start": 10.2, "end": 13},
        {
            "role": "agent",
            "text": "这不归我们管，你自己找物业去。",
            "start": 13.1,
            "end": 16,
        },
    ],
}


@pytest.fixture(scope="module")
def found() -> Inspection:
    call = Call.model_validate({**CALL, "order": order_of(order_id="x")})
    return inspect_call(call, load_catalogue(), load_classifier())


@pytest.fixture
def recording(service: Service) -> str:
    order = order_of()
    with transaction(service.engine) as session:
        row = OrderRow(order_id=order["order_id"], profile="weifang", order=order)
        session.add(row)
        session.flush()
        recording = RecordingRow(
            order_pk=row.id, file_name="a.wav", path="a", sha256=new_id() * 2, size=1
        )
        session.add(recording)
        session.flush()
        return recording.id


def keep(service: Service, recording_id: str, found: Inspection) -> None:
    with transaction(service.engine) as session:
        recording = session.get_one(RecordingRow, recording_id)
        keep_inspection(session, recording, recording.order_row, found, "test")


def rows(service: Service, recording_id: str) -> list[FindingRow]:
    with transaction(service.reader) as session:
        of_recording = select(FindingRow).join(InspectionRow)
        return list(session.scalars(of_recording.where(InspectionRow.recording_id == recording_id)))


def test_each_finding_is_a_row_with_its_words(
    service: Service, recording: str, found: Inspection
) -> None:
    keep(service, recording, found)
    stored = rows(service, recording)
    assert {r.rule_id for r in stored if r.family == "element"} == {e.id for e in found.elements}
    assert found.behaviours and found.citizen
    for behaviour in found.behaviours:
        mine = [r for r in stored if r.rule_id == behaviour.id]
        assert {r.turn for r in mine} == set(behaviour.turns)
        assert {r.severity for r in mine} == {behaviour.severity}
        assert all(r.quote and r.start is not None for r in mine)
    assert max(Counter((r.rule_id, r.turn) for r in stored).values()) == 1


def test_a_second_inspection_replaces_the_first_under_the_same_ids(
    service: Service, recording: str, found: Inspection
) -> None:
    keep(service, recording, found)
    before = {row.id for row in rows(service, recording)}
    keep(service, recording, found)
    assert {row.id for row in rows(service, recording)} == before
    with transaction(service.reader) as session:
        runs = select(InspectionRow.run).where(InspectionRow.recording_id == recording)
        assert session.scalars(runs).all() == [2]


def test_the_words_come_back_as_they_were_heard(
    service: Service, recording: str, found: Inspection
) -> None:
    keep(service, recording, found)
    with transaction(service.reader) as session:
        of_recording = select(InspectionRow).where(InspectionRow.recording_id == recording)
        row = session.scalars(of_recording).one()
    assert transcript_of(row) == found.transcript
    assert circumstances_of(row) == (found.kind, found.answered_by, found.ended_by)
    assert json.dumps(row.verdict)
