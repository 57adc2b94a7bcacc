"""Spot checks (录音抽检): drawn from the stored recordings, listened to by people, summed up.

A recording that two people listen to is blind: until somebody has given their own verdict on it,
they see neither the machine's nor the other's.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from api.access import Actor
from api.audit import record
from api.database import now
from api.problems import Problem
from api.tables import InspectionRow, OrderRow, PickRow, PlanRow, RecordingRow, UserRow
from qc.order import CallKind
from qc.sampling.agreement import MACHINE, Agreement, Vote, agreements, assign
from qc.sampling.plan import Candidate, Draw, Plan, draw
from qc.sampling.results import Estimate, Reviewed, estimate

PASSED, FAILED = "合格", "不合格"
PASS_SCORE = 60  # from which on the machine passes a call (及格), unless its attitude is serious
MAX_CANDIDATES = 200_000  # a draw from more would take minutes


@dataclass(frozen=True)
class Scope:
    """From which recordings to draw; what is None does not narrow. `until` is not included."""

    since: datetime | None = None
    until: datetime | None = None
    department: str | None = None
    kind: CallKind | None = None


@dataclass(frozen=True)
class Progress:
    """How far a plan is."""

    picks: int
    done: int
    by_reviewer: Mapping[str, tuple[int, int]]  # done and all


@dataclass(frozen=True)
class Results:
    """What a spot check says so far."""

    estimates: Sequence[Estimate]
    agreements: Sequence[Agreement]
    disputed: Sequence[str]  # recordings on which the two reviewers differ


def draw_plan(
    session: Session,
    actor: Actor,
    plan: Plan,
    scope: Scope,
    reviewers: Sequence[str],
    double_share: float,
) -> PlanRow:
    """Draw a spot check and share it out.

    Args:
        reviewers: accounts that may review; without any, who comes first takes a pick.
        double_share: part that two of them listen to, 0..1.

    Raises:
        QcError: there is nothing to draw from, or there are too few reviewers.
        Problem: 422 one of the reviewers is none.
    """
    _check_reviewers(session, reviewers)
    candidates = _candidates(session, scope)
    if len(candidates) > MAX_CANDIDATES:
        raise Problem(422, "录音太多，请缩短日期范围再抽。", kind="too-many")
    drawn = draw(candidates, plan)
    row = PlanRow(
        title=plan.title,
        plan={
            "plan": plan.model_dump(mode="json"),
            "departments": dict(drawn.departments),
            "watched": dict(drawn.watched),
            "double_share": double_share,
        },
        population=drawn.population,
        made_by=actor.name,
    )
    session.add(row)
    session.flush()
    session.add_all(_shared_out(row, drawn, reviewers, double_share))
    record(session, actor, "plan.draw", row.id, f"{drawn.population} 抽 {len(drawn.picks)}")
    return row


def _shared_out(
    plan: PlanRow, drawn: Draw, reviewers: Sequence[str], double_share: float
) -> Iterator[PickRow]:
    picks = {pick.candidate.id: pick for pick in drawn.picks}
    shared = [(id_, "") for id_ in picks]
    if reviewers:
        given = assign(list(picks), reviewers, double_share, drawn.plan.seed)
        shared = [(one.recording, one.reviewer) for one in given]
    for id_, reviewer in shared:
        yield PickRow(
            plan_id=plan.id,
            recording_id=id_,
            reason=picks[id_].reason[:200],
            probability=picks[id_].probability,
            reviewer=reviewer,
        )


def _check_reviewers(session: Session, reviewers: Sequence[str]) -> None:
    able = select(UserRow.name).where(
        UserRow.name.in_(reviewers), UserRow.active, UserRow.role.in_(("admin", "inspector"))
    )
    if missing := set(reviewers) - set(session.scalars(able)):
        names = "、".join(sorted(missing))
        raise Problem(422, f"没有名为 {names} 的质检员账号。", kind="no-reviewer")


def _candidates(session: Session, scope: Scope) -> list[Candidate]:
    """Inspected recordings whose sound is still there."""
    columns = (
        RecordingRow.id,
        OrderRow.order_id,
        OrderRow.department,
        OrderRow.handler,
        OrderRow.visited,
        OrderRow.filing["fact_finding"].as_string(),
        InspectionRow.satisfaction,
        InspectionRow.confidence,
    )
    rows = (
        select(*columns)
        .select_from(RecordingRow)
        .join(OrderRow, OrderRow.id == RecordingRow.order_pk)
        .join(InspectionRow, InspectionRow.recording_id == RecordingRow.id)
        .where(RecordingRow.path != "")
        .limit(MAX_CANDIDATES + 1)
    )
    made_at = func.coalesce(RecordingRow.made_at, OrderRow.received_at)
    rows = rows.where(made_at >= scope.since) if scope.since else rows
    rows = rows.where(made_at < scope.until) if scope.until else rows
    rows = rows.where(OrderRow.department == scope.department) if scope.department else rows
    rows = rows.where(InspectionRow.kind == scope.kind.value) if scope.kind else rows
    return [_candidate(*row) for row in session.execute(rows)]


def _candidate(
    id_: str,
    order_id: str,
    department: str,
    handler: str,
    visited: str,
    fact: str | None,
    said: str,
    confidence: float,
) -> Candidate:
    return Candidate(
        id=id_,
        department=department,
        handler=handler,
        order_id=order_id,
        dissatisfied=(visited or said) == "dissatisfied",
        disproved=fact == "不属实" if fact else None,
        confidence=confidence,
    )


# --- listening ------------------------------------------------------------------------------------


def judge_pick(session: Session, actor: Actor, pick: PickRow, passed: bool, remark: str) -> None:
    """A person's verdict on a pick; one that is nobody's becomes theirs.

    It can be corrected, but not where the review is blind: they know the other's by then.

    Args:
        pick: read for update.

    Raises:
        Problem: 403 it is somebody else's; 409 it is blind and was given.
    """
    if pick.reviewer not in ("", actor.name):
        raise Problem(403, "这段录音分给了别人复听。", kind="not-yours")
    if pick.done_at is not None and pick.recording_id in blind_recordings(session, pick.plan_id):
        raise Problem(409, "双人盲听的结论提交后不能再改。", kind="blind")
    pick.reviewer, pick.passed, pick.remark = actor.name, passed, remark
    pick.done_at = pick.done_at or now()
    record(session, actor, "pick.judge", pick.id, PASSED if passed else FAILED)


def blind_recordings(session: Session, plan_id: str) -> set[str]:
    """Recordings of a plan that two people listen to."""
    rows = (
        select(PickRow.recording_id)
        .where(PickRow.plan_id == plan_id)
        .group_by(PickRow.recording_id)
        .having(func.count() > 1)
    )
    return set(session.scalars(rows))


def is_blind(session: Session, actor: Actor, recording_id: str) -> bool:
    """Whether the actor still has to give a verdict of their own, besides another's."""
    own, other = aliased(PickRow), aliased(PickRow)
    pending = (
        select(own.id)
        .join(other, (other.plan_id == own.plan_id) & (other.recording_id == own.recording_id))
        .where(own.recording_id == recording_id, own.reviewer == actor.name)
        .where(own.done_at.is_(None), other.id != own.id)
        .limit(1)
    )
    return session.scalar(pending) is not None


def refuse_blind(session: Session, actor: Actor, recording_id: str) -> None:
    """Keep the machine's verdict and the other's from who is to judge on their own first.

    Raises:
        Problem: 403.
    """
    if is_blind(session, actor, recording_id):
        raise Problem(403, "您正在双人盲听这段录音，提交自己的结论后才能看检查结果。", kind="blind")


# --- summing up -----------------------------------------------------------------------------------


def progress(session: Session, plan: PlanRow) -> Progress:
    """How many picks are done, and by whom."""
    rows = session.execute(
        select(PickRow.reviewer, func.count(PickRow.done_at), func.count())
        .where(PickRow.plan_id == plan.id)
        .group_by(PickRow.reviewer)
        .order_by(PickRow.reviewer)
    ).all()
    by_reviewer = {reviewer: (done, all_) for reviewer, done, all_ in rows}
    done = sum(done for done, _ in by_reviewer.values())
    return Progress(sum(all_ for _, all_ in by_reviewer.values()), done, by_reviewer)


def results(session: Session, plan: PlanRow) -> Results:
    """Pass rates with intervals, and how far people and machine agree.

    A recording counts once all who listen to it have judged; it passes where all of them pass it.
    """
    picks: dict[str, list[PickRow]] = defaultdict(list)
    for pick in session.scalars(select(PickRow).where(PickRow.plan_id == plan.id)):
        picks[pick.recording_id].append(pick)
    done = {id_: rows for id_, rows in picks.items() if all(row.done_at for row in rows)}
    heard = _machine(session, list(done))
    votes = [
        Vote(id_, row.reviewer, PASSED if row.passed else FAILED)
        for id_, rows in done.items()
        for row in rows
    ]
    votes += [
        Vote(id_, MACHINE, PASSED if passed else FAILED) for id_, (_, passed) in heard.items()
    ]
    reviewed = [
        Reviewed(heard[id_][0], rows[0].probability, all(row.passed for row in rows))
        for id_, rows in done.items()
    ]
    confidence = Plan.model_validate(plan.plan["plan"]).confidence
    return Results(
        estimates=estimate(reviewed, plan.plan["departments"], confidence),
        agreements=agreements(votes),
        disputed=sorted(id_ for id_, rows in done.items() if len({row.passed for row in rows}) > 1),
    )


def _machine(session: Session, recording_ids: Sequence[str]) -> dict[str, tuple[str, bool]]:
    """Department of each recording, and whether the machine passes it."""
    rows: Any = session.execute(
        select(
            *(InspectionRow.recording_id, InspectionRow.score, InspectionRow.attitude_level),
            OrderRow.department,
        )
        .join(OrderRow, OrderRow.id == InspectionRow.order_pk)
        .where(InspectionRow.recording_id.in_(recording_ids))
    )
    return {
        id_: (department, score >= PASS_SCORE and attitude != "serious")
        for id_, score, attitude, department in rows
    }
