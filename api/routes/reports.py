"""Figures for dashboards, and reports as files."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from api.access import Actor, allowed
from api.database import transaction
from api.figures import Figures
from api.orders import PLAIN
from api.problems import not_found
from api.reports import (
    MEDIA_TYPES,
    File,
    coaching_file,
    coaching_report,
    periodic_file,
    training_of,
)
from api.routes.common import HEX_ID, Filter, TheService
from api.service import Service, get_service
from api.tables import TrainingRow
from qc.coaching.report import Subject
from qc.documents import Format
from qc.figures import overview as figures
from qc.figures.overview import Every, Group, Measure, to_rows
from qc.figures.tables import Tables, narrow
from qc.filed import LOCAL
from qc.order import CallKind

router = APIRouter(prefix="/api/v1", tags=["统计和报告"])

ReportsReader = Annotated[Actor, Depends(allowed("reports:read"))]
FIRST, LAST = date(2000, 1, 1), date(2100, 1, 1)  # days that reports know
Day = Annotated[date | None, Query(ge=FIRST, le=LAST)]
Table = Literal[
    "elements",
    "behaviours",
    "behaviours-by-week",
    "attitudes",
    "causes",
    "dissatisfied",
    "standings",
    "ranking",
    "last-three",
    "repeated-defects",
    "trend",
]


def get_figures(request: Request, service: Annotated[Service, Depends(get_service)]) -> Figures:
    """Dependency: the figures of this process, made once."""
    if not hasattr(request.app.state, "figures"):
        request.app.state.figures = Figures(service)
    found: Figures = request.app.state.figures
    return found


TheFigures = Annotated[Figures, Depends(get_figures)]


def get_tables(
    actor: ReportsReader,
    kept: TheFigures,
    since: Annotated[Day, Query(description="日期从（通话日期，没有录音的按派单日期）")] = None,
    until: Annotated[Day, Query(description="日期到（含）")] = None,
    department: Filter = None,
    handler: Filter = None,
    kind: Annotated[CallKind | None, Query(description="先行联系或热线回复")] = None,
) -> Tables:
    """Dependency: the calls that are asked for, as far as the actor sees them."""
    tables = kept.tables()
    if actor.department:
        tables = narrow(tables, department=actor.department)
    return narrow(
        tables, since=since, until=until, department=department, handler=handler, kind=kind
    )


Asked = Annotated[Tables, Depends(get_tables)]


class OverviewShown(BaseModel):
    """The figures at the top of a page. Rates are 0..1, null where nothing is known."""

    model_config = ConfigDict(from_attributes=True)

    orders: int = Field(description="工单数", examples=[120])
    calls: int = Field(description="已检查的通话数", examples=[230])
    contacted_rate: float | None = Field(description="先行联系率", examples=[0.985])
    on_time_rate: float | None = Field(description="按期完成率", examples=[0.97])
    satisfied_rate: float | None = Field(description="满意率", examples=[0.93])
    script_score: float | None = Field(description="话术得分", examples=[86.4])
    attitude_score: float | None = Field(description="态度得分", examples=[94.1])
    met_rate: float | None = Field(description="话术要素做到率", examples=[0.81])
    problems: int = Field(description="问题数：缺失的要素和禁止行为", examples=[310])
    problem_calls: int = Field(description="有问题的通话数", examples=[150])
    conduct_calls: int = Field(description="有禁止行为的通话数", examples=[12])
    serious: int = Field(description="态度有严重问题的通话数", examples=[3])
    dissatisfied: int = Field(description="不满意件", examples=[8])
    attitude_caused: int = Field(description="其中因服务态度", examples=[2])


class TableShown(BaseModel):
    """A table of figures."""

    rows: list[dict[str, Any]] = Field(
        description="各行；比率为 0 到 1，不知道的为 null",
        examples=[[{"rule": "fc.greet", "met": 18, "applicable": 20, "met_rate": 0.9}]],
    )


@router.get("/figures", summary="总览")
def get_overview(tables: Asked) -> OverviewShown:
    """全部数字都由同一处算出。被复核推翻的发现不计；处置部门只看本部门的。"""
    return OverviewShown.model_validate(figures.overview(tables))


@router.get("/figures/{table}", summary="一张统计表")
def get_table(
    table: Table,
    tables: Asked,
    by: Annotated[
        Group | None,
        Query(description="按部门或经办人分开；要素、行为、态度可不给，重复缺陷默认按经办人"),
    ] = None,
    measure: Annotated[Measure, Query(description="排名和末三位依据的指标")] = "satisfied_rate",
    every: Annotated[Every, Query(description="走势的间隔")] = "week",
    at_least: Annotated[int, Query(ge=1, le=10_000, description="至少多少件（通）才参加排名")] = 1,
) -> TableShown:
    """elements 要素做到率；behaviours 禁止行为；behaviours-by-week 各部门逐周的禁止行为；

    attitudes 态度；causes 不满意原因；dissatisfied 不满意件；standings 各项指标；ranking 排名；
    last-three 末三位；repeated-defects 同一人反复出现的问题；trend 走势。
    """
    group: Group = by or "department"
    made = {
        "elements": lambda: figures.element_rates(tables, by),
        "behaviours": lambda: figures.behaviours(tables, by),
        "behaviours-by-week": lambda: figures.behaviours_by_week(tables),
        "attitudes": lambda: figures.attitudes(tables, by),
        "causes": lambda: figures.dissatisfied_by_cause(tables),
        "dissatisfied": lambda: figures.dissatisfied_orders(tables),
        "standings": lambda: figures.standings(tables, group),
        "ranking": lambda: figures.ranking(tables, measure, group, at_least=at_least),
        "last-three": lambda: figures.last_three(tables, measure, group, at_least),
        "repeated-defects": lambda: figures.repeated_defects(tables, by or "handler"),
        "trend": lambda: figures.trend(tables, every),
    }
    return TableShown(rows=to_rows(made[table]()))


# --- files ----------------------------------------------------------------------------------------


def _file(*formats: Format) -> dict[int | str, dict[str, Any]]:
    content = {
        MEDIA_TYPES[name].split(";")[0]: {"schema": {"type": "string", "format": "binary"}}
        for name in formats
    }
    return {200: {"description": "报告文件", "content": content}}


def _answer(file: File) -> Response:
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name)}"}
    return Response(file.content, media_type=file.media_type, headers=headers)


@router.get(
    "/reports/periodic",
    summary="日报、周报、月报",
    response_class=Response,
    responses=_file("xlsx", "docx", "pdf", "html"),
)
def get_periodic(
    actor: ReportsReader,
    kept: TheFigures,
    service: TheService,
    every: Annotated[Every, Query(description="day 日报，week 周报，month 月报")] = "week",
    day: Annotated[Day, Query(description="这一期里的任一天；不给则为今天")] = None,
    format: Annotated[
        Literal["xlsx", "docx", "pdf", "html"], Query(description="文件格式")
    ] = "xlsx",
) -> Response:
    """与上一期对比的数字、排名、末三位、走势。处置部门只有本部门的数字。"""
    tables = kept.tables()
    if actor.department:
        tables = narrow(tables, department=actor.department)
    chosen = day or datetime.now(LOCAL).date()
    return _answer(periodic_file(tables, every, chosen, format, service.settings.profile))


@router.get(
    "/reports/coaching",
    summary="辅导报告",
    response_class=Response,
    responses=_file("html", "docx", "pdf"),
)
def get_coaching(
    actor: ReportsReader,
    service: TheService,
    department: Filter = None,
    handler: Filter = None,
    training: Annotated[
        str | None, Query(pattern=HEX_ID, description="培训编号：参训的人，培训前后对比")
    ] = None,
    since: Annotated[Day, Query(description="通话日期从；不给则为半年前")] = None,
    until: Annotated[Day, Query(description="通话日期到（含）；不给则为今天")] = None,
    format: Annotated[Literal["html", "docx", "pdf"], Query(description="文件格式")] = "html",
) -> Response:
    """长处、最值得改的三个习惯和可听的例子、练习单、测验。个人信息已遮盖。"""
    with transaction(service.reader) as session:
        row = session.get(TrainingRow, training) if training else None
        if training and row is None:
            raise not_found("培训")
        own = actor.department or department or ""
        subject = Subject(own, handler or "", training_of(row) if row else None)
        profile = service.settings.profile
        report = coaching_report(session, actor, subject, since, until, profile)
    return _answer(coaching_file(report, format, service.settings.site))


# --- trainings ------------------------------------------------------------------------------------

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=PLAIN)]


class NewTraining(BaseModel):
    """A training session."""

    title: str = Field(
        min_length=1, max_length=200, pattern=PLAIN, description="名称", examples=["上半年话术培训"]
    )
    held_on: date = Field(ge=FIRST, le=LAST, description="哪天", examples=["2024-06-20"])
    people: list[Name] = Field(
        default=[], max_length=1000, description="参训的经办人；空为所有人", examples=[["李明"]]
    )
    topics: list[Name] = Field(
        default=[], max_length=50, description="讲了哪些规则", examples=[["fc.greet"]]
    )


class TrainingShown(NewTraining):
    """A training session as shown."""

    id: str = Field(description="培训编号")
    made_by: str = Field(description="谁登记的")


@router.get("/trainings", summary="培训列表")
def list_trainings(_: ReportsReader, service: TheService) -> list[TrainingShown]:
    """最近的在前，最多 200 次。"""
    with transaction(service.reader) as session:
        rows = select(TrainingRow).order_by(TrainingRow.held_on.desc(), TrainingRow.id)
        return [_training(row) for row in session.scalars(rows.limit(200))]


@router.post("/trainings", summary="登记培训", status_code=201)
def post_training(
    wanted: NewTraining,
    actor: Annotated[Actor, Depends(allowed("plans:write"))],
    service: TheService,
) -> TrainingShown:
    """登记后，辅导报告可以比较培训前后。"""
    held_on = datetime.combine(wanted.held_on, datetime.min.time(), LOCAL)
    with transaction(service.engine) as session:
        row = TrainingRow(
            title=wanted.title,
            held_on=held_on,
            people=wanted.people,
            topics=wanted.topics,
            made_by=actor.name,
        )
        session.add(row)
        session.flush()
        return _training(row)


def _training(row: TrainingRow) -> TrainingShown:
    return TrainingShown(
        id=row.id,
        title=row.title,
        held_on=row.held_on.astimezone(LOCAL).date(),
        people=row.people,
        topics=row.topics,
        made_by=row.made_by,
    )
