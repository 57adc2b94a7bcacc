"""What the service stores. Personal data lies here as filed; it is masked when it is read.

Ids that people see are the platform's own; ours are random. Columns repeat what lists filter and
sort by, the JSON beside them is the whole (a model of `qc`).
"""

from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from api.database import Moment, Table, now


def new_id() -> str:
    """A random id."""
    return uuid4().hex


class OrderRow(Table):
    """A work order with what was filed on it. `version` is its ETag."""

    __tablename__ = "orders"
    __table_args__ = (Index("ix_orders_list", "department", "received_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    order_id: Mapped[str] = mapped_column(String(100), unique=True)
    profile: Mapped[str] = mapped_column(String(50))
    department: Mapped[str] = mapped_column(String(100), default="")
    handler: Mapped[str] = mapped_column(String(100), default="", index=True)
    category: Mapped[str] = mapped_column(String(20), default="other")
    received_at: Mapped[datetime] = mapped_column(Moment, default=now, index=True)
    # read off `filing` (api/derived.py), for figures and lists
    visited: Mapped[str] = mapped_column(String(20), default="")  # of the latest return visit
    cause: Mapped[str] = mapped_column(String(20), default="")  # of dissatisfaction, as filed
    contact_due: Mapped[datetime | None] = mapped_column(Moment)
    contacted_at: Mapped[datetime | None] = mapped_column(Moment)
    close_due: Mapped[datetime | None] = mapped_column(Moment)
    closed_at: Mapped[datetime | None] = mapped_column(Moment)
    order: Mapped[dict[str, Any]] = mapped_column(JSON)  # qc.order.Order
    filing: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # qc.filed.Filing
    verdict: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # OrderInspection.to_json()
    score: Mapped[int | None] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)
    updated_at: Mapped[datetime] = mapped_column(Moment, default=now, onupdate=now)
    forgotten_at: Mapped[datetime | None] = mapped_column(Moment)  # personal data deleted
    version: Mapped[int] = mapped_column(default=1)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012

    recordings: Mapped[list["RecordingRow"]] = relationship(back_populates="order_row")


class RecordingRow(Table):
    """An uploaded recording of an order. The sound lies in the store under `path`."""

    __tablename__ = "recordings"
    __table_args__ = (UniqueConstraint("order_pk", "sha256"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    order_pk: Mapped[str] = mapped_column(ForeignKey("orders.id"), index=True)
    kind: Mapped[str | None] = mapped_column(String(20))  # CallKind; None: read off the words
    file_name: Mapped[str] = mapped_column(String(255))
    path: Mapped[str] = mapped_column(Text)  # in the store; "" once deleted
    playback_path: Mapped[str] = mapped_column(Text, default="")  # what every browser can play
    peaks: Mapped[list[float] | None] = mapped_column(JSON)  # for the waveform
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size: Mapped[int]  # bytes
    seconds: Mapped[float | None] = mapped_column(index=True)
    made_at: Mapped[datetime | None] = mapped_column(Moment)  # when the call was made
    uploaded_at: Mapped[datetime] = mapped_column(Moment, default=now)
    status: Mapped[str] = mapped_column(String(20), default="queued", index=True)
    # queued, running, done, failed (with a reason); as its latest job
    reason: Mapped[str] = mapped_column(Text, default="")
    quality: Mapped[str] = mapped_column(String(10), default="")
    # good, poor, unusable (with a reason); "" where it was not heard
    fingerprint: Mapped[str] = mapped_column(Text, default="")  # see qc.fingerprint; no words in it
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)

    order_row: Mapped[OrderRow] = relationship(back_populates="recordings")
    inspection: Mapped["InspectionRow | None"] = relationship(back_populates="recording")


class SameSoundRow(Table):
    """Two recordings of different orders that hold the same sound."""

    __tablename__ = "same_sounds"

    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"), primary_key=True)
    other_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"), primary_key=True, index=True)


class InspectionRow(Table):
    """The verdict on one recording; one a recording, replaced when it is inspected anew."""

    __tablename__ = "inspections"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"), unique=True)
    order_pk: Mapped[str] = mapped_column(ForeignKey("orders.id"), index=True)
    department: Mapped[str] = mapped_column(String(100), default="", index=True)
    handler: Mapped[str] = mapped_column(String(100), default="", index=True)
    kind: Mapped[str] = mapped_column(String(20))
    score: Mapped[int]
    attitude_score: Mapped[int]
    attitude_level: Mapped[str] = mapped_column(String(10), index=True)
    satisfaction: Mapped[str] = mapped_column(String(20), index=True)
    confidence: Mapped[float]  # of the least certain finding, 0..1; 1 where nothing was found
    # read off `verdict` (api/derived.py), for figures
    cause: Mapped[str] = mapped_column(String(20), default="")  # likely, of dissatisfaction
    found: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # by family and rule
    transcript: Mapped[list[dict[str, Any]]] = mapped_column(JSON)  # turns, unmasked
    verdict: Mapped[dict[str, Any]] = mapped_column(JSON)  # qc.report.Verdict, unmasked
    setup: Mapped[str] = mapped_column(String(200), default="")  # recogniser, profile, rules
    run: Mapped[int] = mapped_column(default=1)  # how often it was inspected
    made_at: Mapped[datetime] = mapped_column(Moment, default=now, index=True)

    recording: Mapped[RecordingRow] = relationship(back_populates="inspection")
    findings: Mapped[list["FindingRow"]] = relationship(
        back_populates="inspection", cascade="all, delete-orphan", passive_deletes=True
    )


class FindingRow(Table):
    """One thing that was found, small enough to filter, count and review."""

    __tablename__ = "findings"
    __table_args__ = (Index("ix_findings_rule", "rule_id", "status"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    inspection_id: Mapped[str | None] = mapped_column(
        ForeignKey("inspections.id", ondelete="CASCADE"), index=True
    )
    order_pk: Mapped[str] = mapped_column(ForeignKey("orders.id"), index=True)
    family: Mapped[str] = mapped_column(String(20))  # element, behaviour, signal, order
    rule_id: Mapped[str] = mapped_column(String(50))
    status: Mapped[str] = mapped_column(String(20))  # element status; "found" for the others
    severity: Mapped[str] = mapped_column(String(10), default="")
    turn: Mapped[int | None]
    start: Mapped[float | None]  # seconds
    quote: Mapped[str] = mapped_column(Text, default="")  # unmasked
    confidence: Mapped[float | None]
    decision: Mapped[str] = mapped_column(String(10), default="", index=True)
    # of the latest review: confirm, overturn; "" where nobody has looked

    inspection: Mapped[InspectionRow | None] = relationship(back_populates="findings")


class ReviewRow(Table):
    """A person's word on a finding (qc.quality.reviews.Review)."""

    __tablename__ = "reviews"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"), index=True)
    rule_id: Mapped[str] = mapped_column(String(50), index=True)
    turn: Mapped[int | None]
    decision: Mapped[str] = mapped_column(String(10))  # confirm, overturn, missed
    comment: Mapped[str] = mapped_column(Text, default="")
    reviewer: Mapped[str] = mapped_column(String(100))
    made_at: Mapped[datetime] = mapped_column(Moment, default=now)


class AppealRow(Table):
    """A department's objection (申诉) to a finding, and its decision."""

    __tablename__ = "appeals"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"), index=True)
    rule_id: Mapped[str] = mapped_column(String(50))
    turn: Mapped[int | None]
    department: Mapped[str] = mapped_column(String(100), index=True)
    grounds: Mapped[str] = mapped_column(Text)
    appealed_by: Mapped[str] = mapped_column(String(100))
    appealed_at: Mapped[datetime] = mapped_column(Moment, default=now)
    decision: Mapped[str] = mapped_column(String(10), default="", index=True)  # upheld, rejected
    answer: Mapped[str] = mapped_column(Text, default="")
    decided_by: Mapped[str] = mapped_column(String(100), default="")
    decided_at: Mapped[datetime | None] = mapped_column(Moment)


class JobRow(Table):
    """A task of the queue as people see it; the queue's own tables hold ids only."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(100), primary_key=True)  # the workflow's id
    kind: Mapped[str] = mapped_column(String(20))  # inspect, order, import, report
    recording_id: Mapped[str | None] = mapped_column(ForeignKey("recordings.id"), index=True)
    order_pk: Mapped[str | None] = mapped_column(ForeignKey("orders.id"), index=True)
    status: Mapped[str] = mapped_column(String(20), default="queued", index=True)
    # queued, running, done, failed, cancelled
    progress: Mapped[float] = mapped_column(default=0.0)  # 0..1
    stage: Mapped[str] = mapped_column(String(100), default="")  # Chinese
    reason: Mapped[str] = mapped_column(Text, default="")
    attempts: Mapped[int] = mapped_column(default=0)
    asked_by: Mapped[str] = mapped_column(String(100), default="")
    created_at: Mapped[datetime] = mapped_column(Moment, default=now, index=True)
    started_at: Mapped[datetime | None] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)


class LeaseRow(Table):
    """A live worker's sign of life; whose lease is old has its jobs taken over."""

    __tablename__ = "leases"

    executor_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    seen_at: Mapped[float]  # seconds since 1970 by the database's clock


class UserRow(Table):
    """A person who signs in."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    title: Mapped[str] = mapped_column(String(100), default="")  # as shown
    password_hash: Mapped[str] = mapped_column(Text)  # Argon2id
    role: Mapped[str] = mapped_column(String(20))  # admin, inspector, department, trainer, auditor
    department: Mapped[str] = mapped_column(String(100), default="")  # of role department
    active: Mapped[bool] = mapped_column(default=True)
    must_change: Mapped[bool] = mapped_column(default=False)  # the password, at the next sign-in
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)


class SignInRow(Table):
    """A signed-in browser. Only a hash of the cookie's value is kept."""

    __tablename__ = "sign_ins"

    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)
    expires_at: Mapped[datetime] = mapped_column(Moment)


class ApiKeyRow(Table):
    """A system's key: `hq_` and 32 random bytes, of which only SHA-256 is kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(100))
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    department: Mapped[str] = mapped_column(String(100), default="")  # "" sees all departments
    created_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)


class AuditRow(Table):
    """Who read or changed what. Rows are only added; each holds the hash of the one before."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 1, 2, 3 … no gap
    at: Mapped[datetime] = mapped_column(Moment)
    actor: Mapped[str] = mapped_column(String(100), index=True)
    action: Mapped[str] = mapped_column(String(50), index=True)
    subject: Mapped[str] = mapped_column(String(200), index=True)
    detail: Mapped[str] = mapped_column(Text, default="")
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class IdempotencyRow(Table):
    """The answer that a request with an Idempotency-Key got, to be given again."""

    __tablename__ = "idempotency_keys"

    actor: Mapped[str] = mapped_column(String(100), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]  # None while the first request is still being answered
    body: Mapped[str] = mapped_column(Text, default="")
    headers: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now, index=True)


class UploadRow(Table):
    """A resumable upload: chunks arrive in order until `size` bytes are there."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    order_pk: Mapped[str] = mapped_column(ForeignKey("orders.id"), index=True)
    file_name: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str | None] = mapped_column(String(20))
    size: Mapped[int]
    received: Mapped[int] = mapped_column(default=0)
    sha256: Mapped[str | None] = mapped_column(String(64))  # as announced
    asked_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)


class NoticeRow(Table):
    """Something that people must be told (a `Notice` of qc.notices); one row an event, for ever."""

    __tablename__ = "notices"

    event_id: Mapped[str] = mapped_column(String(150), primary_key=True)
    event: Mapped[str] = mapped_column(String(50), index=True)
    level: Mapped[str] = mapped_column(String(20))
    order_pk: Mapped[str | None] = mapped_column(ForeignKey("orders.id"), index=True)
    department: Mapped[str] = mapped_column(String(100), default="", index=True)
    title: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)  # masked; `{链接}` where the address of the page goes
    untold: Mapped[list[str]] = mapped_column(JSON, default=list)  # offices without a contact
    made_at: Mapped[datetime] = mapped_column(Moment, default=now, index=True)


class ContactRow(Table):
    """Where notices of a recipient role go."""

    __tablename__ = "contacts"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    role: Mapped[str] = mapped_column(String(50), index=True)  # head, leader, main_leader …
    department: Mapped[str] = mapped_column(String(100), default="")  # "" for every department
    title: Mapped[str] = mapped_column(String(100), default="")
    channel_url: Mapped[str] = mapped_column(Text)  # an Apprise URL, or https:// for a webhook
    active: Mapped[bool] = mapped_column(default=True)


class DeliveryRow(Table):
    """One notice to one contact. An attempt is written down before anything is sent."""

    __tablename__ = "deliveries"
    __table_args__ = (UniqueConstraint("event_id", "contact_id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    event_id: Mapped[str] = mapped_column(ForeignKey("notices.event_id"), index=True)
    contact_id: Mapped[str] = mapped_column(ForeignKey("contacts.id"), index=True)
    status: Mapped[str] = mapped_column(String(20), default="queued", index=True)
    # queued, sending, sent, uncertain (perhaps sent: a person settles it), dead
    attempts: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)
    sent_at: Mapped[datetime | None] = mapped_column(Moment)
    settled_by: Mapped[str] = mapped_column(String(100), default="")


class PlanRow(Table):
    """A spot-check plan (qc.sampling.plan.Plan) and who drew it."""

    __tablename__ = "plans"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    title: Mapped[str] = mapped_column(String(200))
    plan: Mapped[dict[str, Any]] = mapped_column(JSON)
    population: Mapped[int] = mapped_column(default=0)
    made_by: Mapped[str] = mapped_column(String(100))
    made_at: Mapped[datetime] = mapped_column(Moment, default=now)


class PickRow(Table):
    """One recording of a plan, why it was drawn, and who looks at it."""

    __tablename__ = "picks"
    __table_args__ = (UniqueConstraint("plan_id", "recording_id", "reviewer"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    plan_id: Mapped[str] = mapped_column(ForeignKey("plans.id"), index=True)
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"), index=True)
    reason: Mapped[str] = mapped_column(String(200))
    probability: Mapped[float] = mapped_column(default=1.0)  # of inclusion
    reviewer: Mapped[str] = mapped_column(String(100), default="", index=True)
    done_at: Mapped[datetime | None] = mapped_column(Moment)
    passed: Mapped[bool | None]  # the reviewer's verdict on the call
    remark: Mapped[str] = mapped_column(Text, default="")


class TrainingRow(Table):
    """A training session: who was trained on what, and the weeks that it is measured by."""

    __tablename__ = "trainings"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    title: Mapped[str] = mapped_column(String(200))
    held_on: Mapped[datetime] = mapped_column(Moment)
    people: Mapped[list[str]] = mapped_column(JSON)
    topics: Mapped[list[str]] = mapped_column(JSON)  # rule ids
    made_by: Mapped[str] = mapped_column(String(100))


import api.derived  # noqa: E402, F401  (keeps the columns that repeat JSON)
