"""The page of a call."""

import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from api.database import transaction
from api.service import Service
from api.tables import AuditRow, RecordingRow
from qc.catalogue import load_catalogue
from tests.api.pages.stored import store_call

SECRETS = ("建国", "13812345678", "105号602")


@pytest.fixture
def call(service: Service) -> str:
    return store_call(service, "page-1")


def test_personal_data_is_masked_unless_asked_for(client: TestClient, call: str) -> None:
    page = client.get(f"/calls/{call}").text
    assert not [secret for secret in SECRETS if secret in page]
    whole = client.get(f"/calls/{call}?unmasked=true").text
    assert all(secret in whole for secret in SECRETS)
    assert "已记入审计日志" in whole


def test_an_unmasked_look_is_in_the_audit_log(
    client: TestClient, service: Service, call: str
) -> None:
    def looks() -> int:
        wanted = select(AuditRow).where(
            AuditRow.subject == call, AuditRow.action == "recording.read_unmasked"
        )
        with transaction(service.reader) as session:
            return len(session.scalars(wanted).all())

    before = looks()
    client.get(f"/calls/{call}")
    assert looks() == before
    client.get(f"/calls/{call}?unmasked=true")
    assert looks() == before + 1


@pytest.mark.parametrize("role", ["department", "trainer"])
def test_who_may_not_gets_nothing_unmasked(
    sign_in: Callable[..., TestClient], call: str, role: str
) -> None:
    client = sign_in(role)
    assert "显示原文" not in client.get(f"/calls/{call}").text
    assert client.get(f"/calls/{call}?unmasked=true").status_code == 403


def test_a_finding_comes_with_its_words_time_phrase_and_clause(
    client: TestClient, call: str
) -> None:
    page = client.get(f"/calls/{call}").text
    promise = next(b for b in load_catalogue().behaviours if b.id == "bh.promise")
    card = page[page.index(f'aria-label="{promise.title}"') :].split("</section>")[0]
    assert "保证" in card
    assert 'data-seek="12.0"' in card and "0:12" in card
    assert promise.instead in card
    assert promise.source.clause in card


def test_evidence_is_marked_in_the_dialogue(client: TestClient, call: str) -> None:
    page = client.get(f"/calls/{call}").text
    turn = page[page.index('id="t2"') :].split('id="t3"')[0]
    assert re.search(r'<mark class="missing">[^<]*保证', turn)


def test_what_was_missing_has_its_standard_phrase(client: TestClient, call: str) -> None:
    page = client.get(f"/calls/{call}").text
    script = page[page.index("话术清单") :]
    goodbye = next(e for e in load_catalogue().elements["first_contact"] if e.title == "致谢道别")
    assert goodbye.advice in script


def test_a_trainer_reads_and_does_not_listen(
    sign_in: Callable[..., TestClient], service: Service, call: str
) -> None:
    with transaction(service.engine) as session:
        session.get_one(RecordingRow, call).playback_path = "playback/x.m4a"
    assert 'id="waveform"' in sign_in("inspector").get(f"/calls/{call}").text
    assert 'id="waveform"' not in sign_in("trainer").get(f"/calls/{call}").text


def test_words_are_never_markup(client: TestClient, service: Service) -> None:
    words = (("agent", "<script>alert(1)</script>我跟你保证<b>明天</b>"), ("citizen", "好"))
    call = store_call(service, "page-markup", words=words)
    page = client.get(f"/calls/{call}").text
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page


def test_a_recording_not_yet_inspected_has_a_page(client: TestClient, service: Service) -> None:
    call = store_call(service, "page-waiting")
    with transaction(service.engine) as session:
        row = session.get_one(RecordingRow, call)
        session.delete(row.inspection)
        row.status = "queued"
    assert "排队等待检查" in client.get(f"/calls/{call}").text
    assert "排队等待检查" in client.get(f"/calls/{call}/state").text
