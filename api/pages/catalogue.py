"""The rules with their sources and examples, and a box to try a sentence."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from api.pages.guard import Browser
from api.pages.rendering import PageRoute, page
from api.problems import Problem
from api.routes.catalogue import list_profiles, list_rules, try_rules
from api.rule_cards import Sentence
from qc.order import CallKind
from qc.transcript import Role

router = APIRouter(prefix="/catalogue", route_class=PageRoute, include_in_schema=False)

FAMILIES = {
    "behaviour": "禁止行为",
    "element": "话术要素",
    "facet": "话术要点",
    "signal": "市民信号",
    "practice": "好的做法",
    "cause": "不满意原因",
}
LAYERS = {"cue": "用词", "slot": "与工单比对", "learned": "分类器", "semantic": "语义"}
Name = Annotated[str, Query(max_length=50)]


@router.get("")
def show_rules(
    request: Request, actor: Browser, profile: Name = "weifang", family: Name = "behaviour"
) -> Response:
    cards = list_rules(profile)
    shown = [card for card in cards if card.family == family]
    return page(
        request, actor, "catalogue.html.jinja", cards=shown, profile=profile, family=family,
        families=FAMILIES, profiles=list_profiles(),
        counts={name: sum(c.family == name for c in cards) for name in FAMILIES},
        tried=None, layers=LAYERS,
    )  # fmt: skip


@router.post("/try")
def try_sentence(
    request: Request,
    actor: Browser,
    text: Annotated[str, Form()] = "",
    role: Annotated[str, Form()] = "agent",
    kind: Annotated[str, Form()] = "first_contact",
    before: Annotated[str, Form()] = "",
    profile: Annotated[str, Form()] = "weifang",
) -> Response:
    if not text.strip():
        raise Problem(422, "请先写一句话。")
    if len(text) > 500:
        raise Problem(422, "一句话最多 500 个字。")
    sentence = Sentence(
        text=text.strip(),
        role=Role.CITIZEN if role == "citizen" else Role.AGENT,
        kind=CallKind.REPLY if kind == "reply" else CallKind.FIRST_CONTACT,
        before=[line.strip() for line in before.splitlines() if line.strip()][-10:],
        profile=profile,
    )
    return page(
        request, actor, "tried.html.jinja", tried=try_rules(sentence), families=FAMILIES,
        layers=LAYERS,
    )  # fmt: skip
