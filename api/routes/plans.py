"""Spot-check plans: drawing, listening, results."""

import re
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field, field_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access import Actor, allowed
from api.database import transaction
from api.orders import PLAIN
from api.paging import Page, Wanted, read_page, wanted_page
from api.plans import (
    Progress,
    Scope,
    blind_recordings,
    draw_plan,
    judge_pick,
    progress,
    results,
)
from api.problems import not_found
from api.routes.common import HEX_ID, TheService, midnight
from api.routes.reviews import MULTILINE
from api.tables import OrderRow, PickRow, PlanRow, RecordingRow
from qc.filed import LOCAL
from qc.order import CallKind
from qc.sampling.agreement import Agreement
from qc.sampling.plan import Plan

router = APIRouter(prefix="/api/v1/plans", tags=["抽检"])

PlansReader = Annotated[Actor, Depends(allowed("plans:read"))]
PlansWriter = Annotated[Actor, Depends(allowed("plans:write"))]
Reviewer = Annotated[Actor, Depends(allowed("reviews:write"))]
PlanId = Annotated[str, Path(pattern=HEX_ID, description="方案编号")]
PickId = Annotated[str, Path(pattern=HEX_ID, description="抽中录音的编号")]
FINEST, SUREST = 0.0005, 0.999  # precision and confidence beyond which a draw is everything
Account = Annotated[str, Field(min_length=1, max_length=100, pattern=PLAIN)]


class NewPlan(BaseModel):
    """A spot check to draw."""

    plan: Plan = Field(
        description="抽多少、怎么加权；share（比例）和 precision（精度）给其中一个",
        examples=[{"title": "六月抽检", "share": 0.05, "at_least": 1, "seed": 20240601}],
    )
    since: date | None = Field(default=None, description="通话日期从", examples=["2024-06-01"])
    until: date | None = Field(
        default=None, description="通话日期到（含）", examples=["2024-06-30"]
    )
    department: str | None = Field(
        default=None, max_length=100, pattern=PLAIN, description="只抽这个处置部门"
    )
    kind: CallKind | None = Field(default=None, description="只抽先行联系或热线回复")
    reviewers: list[Account] = Field(
        default=[], max_length=50, description="复听人的账号；不给则谁先听算谁的"
    )
    double_share: float = Field(
        default=0.0, ge=0, le=1, description="多大一部分由两人各自盲听，用来算一致程度"
    )

    @field_validator("plan")
    @classmethod
    def _within_reason(cls, plan: Plan) -> Plan:
        if not re.fullmatch(r"[^\x00-\x1f]{1,200}", plan.title):
            raise ValueError("title 应为 1 到 200 个字，不能有控制字符")
        if (plan.precision or 1) < FINEST or plan.confidence > SUREST:
            raise ValueError(f"precision 不小于 {FINEST}，confidence 不大于 {SUREST}")
        return plan


class ReviewerProgress(BaseModel):
    """How far one reviewer is."""

    reviewer: str = Field(description="账号；空为还没有人认领")
    done: int = Field(description="已听", examples=[3])
    picks: int = Field(description="分到", examples=[12])


class PlanShown(BaseModel):
    """A plan with its progress."""

    id: str = Field(description="方案编号")
    title: str = Field(description="名称", examples=["六月抽检"])
    plan: Plan = Field(description="怎么抽的")
    population: int = Field(description="从多少段录音里抽", examples=[1200])
    watched: dict[str, str] = Field(description="重点跟踪的部门和原因")
    double_share: float = Field(description="双人盲听的比例")
    made_by: str = Field(description="谁抽的")
    made_at: datetime = Field(description="抽取时间")
    picks: int = Field(description="抽中多少（双人盲听的算两次）", examples=[60])
    done: int = Field(description="已听多少", examples=[12])
    reviewers: list[ReviewerProgress] = Field(description="每人的进度")


class PickShown(BaseModel):
    """A recording to listen to."""

    id: str = Field(description="编号")
    recording_id: str = Field(description="录音编号")
    order_id: str = Field(description="工单编号", examples=["20240611-000417"])
    department: str = Field(description="处置部门", examples=["城管中队"])
    handler: str = Field(description="经办人", examples=["李明"])
    reason: str = Field(description="为什么抽中；盲听的人提交前为空", examples=["随机抽取"])
    probability: float = Field(description="入样概率", examples=[0.05])
    reviewer: str = Field(description="复听人")
    blind: bool = Field(description="是否双人盲听")
    done_at: datetime | None = Field(description="复听时间")
    passed: bool | None = Field(description="是否合格")
    remark: str = Field(description="备注")


class Judged(BaseModel):
    """A person's verdict on a call."""

    passed: bool = Field(description="是否合格", examples=[True])
    remark: str = Field(default="", max_length=2000, pattern=MULTILINE, description="备注")


class EstimateShown(BaseModel):
    """The rate of calls that pass."""

    department: str = Field(description="处置部门；空为全部", examples=["城管中队"])
    reviewed: int = Field(description="听了多少", examples=[30])
    population: int = Field(description="推及多少", examples=[600])
    rate: float = Field(description="合格率", examples=[0.93])
    low: float = Field(description="置信区间下限", examples=[0.81])
    high: float = Field(description="置信区间上限", examples=[0.98])


class AgreementShown(BaseModel):
    """How far two raters agree."""

    one: str = Field(description="一方", examples=["机器"])
    other: str = Field(description="另一方", examples=["inspector"])
    compared: int = Field(description="都听过的", examples=[20])
    agreed: int = Field(description="结论相同的", examples=[18])
    kappa: float | None = Field(description="Cohen κ；结论只有一种时为 null", examples=[0.78])
    title: str = Field(description="一致程度", examples=["高度一致"])


class ResultsShown(BaseModel):
    """What the spot check says so far."""

    estimates: list[EstimateShown] = Field(description="合格率及置信区间，先总后分")
    agreements: list[AgreementShown] = Field(description="人与人、人与机器的一致程度")
    disputed: list[str] = Field(description="两人结论不同、需要再听的录音")


@router.get("", summary="抽检方案列表")
def list_plans(
    _: PlansReader, service: TheService, wanted: Annotated[Wanted, Depends(wanted_page)]
) -> Page[PlanShown]:
    """新的在前。"""
    with transaction(service.reader) as session:
        rows, after = read_page(session, select(PlanRow), [PlanRow.made_at, PlanRow.id], wanted)
        items = [plan_shown(row, progress(session, row)) for row in rows]
    return Page(items=items, next=after)


@router.post("", summary="抽取", status_code=201)
def post_plan(wanted: NewPlan, actor: PlansWriter, service: TheService) -> PlanShown:
    """从已检查的录音里抽：按部门和经办人分层，可对重点部门、不满意件等加大抽取。

    同样的录音、方案和随机种子抽出的相同。
    """
    until = wanted.until
    scope = Scope(
        since=midnight(wanted.since) if wanted.since else None,
        until=midnight(until + timedelta(days=1)) if until and until < date.max else None,
        department=wanted.department,
        kind=wanted.kind,
    )
    with transaction(service.engine) as session:
        row = draw_plan(session, actor, wanted.plan, scope, wanted.reviewers, wanted.double_share)
        return plan_shown(row, progress(session, row))


@router.get("/{plan_id}", summary="一个抽检方案")
def get_plan(plan_id: PlanId, _: PlansReader, service: TheService) -> PlanShown:
    """怎么抽的，听了多少。"""
    with transaction(service.reader) as session:
        row = find_plan(session, plan_id)
        return plan_shown(row, progress(session, row))


@router.get("/{plan_id}/picks", summary="抽中的录音")
def list_picks(
    plan_id: PlanId,
    actor: PlansReader,
    service: TheService,
    wanted: Annotated[Wanted, Depends(wanted_page)],
    mine: Annotated[bool, Query(description="只看分给自己的和还没有人认领的")] = False,
    open_only: Annotated[bool, Query(description="只看还没有听的")] = False,
) -> Page[PickShown]:
    """双人盲听的录音，自己提交之前看不到另一人的。"""
    with transaction(service.reader) as session:
        plan = find_plan(session, plan_id)
        own_pending = _own_pending(session, actor, plan_id)
        hidden = PickRow.recording_id.in_(own_pending) & (PickRow.reviewer != actor.name)
        rows = select(PickRow).where(PickRow.plan_id == plan.id, ~hidden)
        rows = rows.where(PickRow.reviewer.in_(("", actor.name))) if mine else rows
        rows = rows.where(PickRow.done_at.is_(None)) if open_only else rows
        found, after = read_page(session, rows, [PickRow.id], wanted, newest_first=False)
        blind = blind_recordings(session, plan_id)
        items = [pick_shown(session, row, row.recording_id in blind) for row in found]
    return Page(items=items, next=after)


def _own_pending(session: Session, actor: Actor, plan_id: str) -> set[str]:
    """Recordings that the actor listens to blindly and has not judged yet."""
    rows = select(PickRow.recording_id).where(
        PickRow.plan_id == plan_id, PickRow.reviewer == actor.name, PickRow.done_at.is_(None)
    )
    return set(session.scalars(rows)) & blind_recordings(session, plan_id)


@router.put("/{plan_id}/picks/{pick_id}", summary="提交复听结论")
def put_pick(
    plan_id: PlanId, pick_id: PickId, wanted: Judged, actor: Reviewer, service: TheService
) -> PickShown:
    """合格或不合格；没有人认领的归提交的人。双人盲听的提交后不能再改。"""
    with transaction(service.engine) as session:
        row = session.scalar(
            select(PickRow)
            .where(PickRow.id == pick_id, PickRow.plan_id == plan_id)
            .with_for_update()
        )
        if row is None:
            raise not_found("抽检录音")
        judge_pick(session, actor, row, wanted.passed, wanted.remark)
        return pick_shown(session, row, row.recording_id in blind_recordings(session, plan_id))


@router.get("/{plan_id}/results", summary="抽检结果")
def get_results(plan_id: PlanId, _: PlansReader, service: TheService) -> ResultsShown:
    """合格率推及全部录音，带置信区间；人与人、人与机器的一致程度。"""
    with transaction(service.reader) as session:
        found = results(session, find_plan(session, plan_id))
    return ResultsShown(
        estimates=[EstimateShown(**asdict(one)) for one in found.estimates],
        agreements=[_agreement(one) for one in found.agreements],
        disputed=list(found.disputed),
    )


def find_plan(session: Session, plan_id: str) -> PlanRow:
    """The plan of that id.

    Raises:
        Problem: 404.
    """
    row = session.get(PlanRow, plan_id)
    if row is None:
        raise not_found("抽检方案")
    return row


def plan_shown(row: PlanRow, far: Progress) -> PlanShown:
    """A plan as shown."""
    return PlanShown(
        id=row.id,
        title=row.title,
        plan=Plan.model_validate(row.plan["plan"]),
        population=row.population,
        watched=row.plan["watched"],
        double_share=row.plan["double_share"],
        made_by=row.made_by,
        made_at=row.made_at.astimezone(LOCAL),
        picks=far.picks,
        done=far.done,
        reviewers=[
            ReviewerProgress(reviewer=name, done=done, picks=picks)
            for name, (done, picks) in far.by_reviewer.items()
        ],
    )


def pick_shown(session: Session, row: PickRow, blind: bool) -> PickShown:
    """A pick as shown."""
    order = session.scalars(
        select(OrderRow).join(RecordingRow).where(RecordingRow.id == row.recording_id)
    ).one()
    return PickShown.model_validate(
        {
            **{name: getattr(row, name) for name in _SAME},
            "order_id": order.order_id,
            "department": order.department,
            "handler": order.handler,
            "reason": "" if blind and row.done_at is None else row.reason,
            "blind": blind,
            "done_at": row.done_at.astimezone(LOCAL) if row.done_at else None,
        }
    )


_SAME = ("id", "recording_id", "probability", "reviewer", "passed", "remark")


def _agreement(found: Agreement) -> AgreementShown:
    return AgreementShown(
        one=found.one,
        other=found.other,
        compared=found.compared,
        agreed=found.agreed,
        kappa=found.kappa,
        title=found.title,
    )
