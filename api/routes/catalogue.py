"""The rules, the streets' profiles, and a place to try a sentence."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from api.access import allowed
from api.problems import not_found
from api.rule_cards import Family, RuleCard, Sentence, Tried, rule_cards, try_sentence
from qc.catalogue import Profile, load_catalogue, profile_names, read_profile
from qc.order import CallKind

router = APIRouter(
    prefix="/api/v1/catalogue",
    tags=["规则"],
    dependencies=[Depends(allowed("catalogue:read"))],
)

ProfileName = Annotated[
    str, Query(alias="profile", max_length=50, description="街镇配置", examples=["weifang"])
]


class ProfileCard(BaseModel):
    """A street's profile."""

    id: str = Field(description="编号", examples=["weifang"])
    title: str = Field(description="街镇", examples=["浦东新区潍坊新村街道"])
    document: str = Field(description="所依据的文件")
    changes: list[str] = Field(description="与通用规则不同的规则", examples=[["bh.leak"]])


class WholeProfile(ProfileCard):
    """A street's profile with everything it sets."""

    overrides: dict[str, dict[str, Any]] = Field(description="改了规则的哪些项")
    timing: dict[str, Any] = Field(description="时限")
    notices: dict[str, dict[str, Any]] = Field(description="通知")


def _card(profile: Profile) -> dict[str, Any]:
    return {
        "id": profile.id,
        "title": profile.title,
        "document": load_catalogue().documents.get(profile.document, profile.document),
        "changes": sorted(profile.overrides),
    }


@router.get("/rules", summary="规则列表")
def list_rules(
    profile: ProfileName = "weifang",
    family: Annotated[Family | None, Query(description="只要这一种")] = None,
    kind: Annotated[CallKind | None, Query(description="只要这种通话的话术要素")] = None,
) -> list[RuleCard]:
    """每条规则的出处、分值和例句。"""
    cards = rule_cards(_known(profile))
    if kind is not None:
        cards = tuple(card for card in cards if card.kind is kind)
    return [card for card in cards if family is None or card.family == family]


@router.get("/rules/{rule_id}", summary="一条规则")
def get_rule(
    rule_id: Annotated[str, Path(max_length=100, examples=["bh.promise"])],
    profile: ProfileName = "weifang",
) -> RuleCard:
    """出处、分值和例句。"""
    for card in rule_cards(_known(profile)):
        if card.id == rule_id:
            return card
    raise not_found("规则")


@router.get("/profiles", summary="街镇配置列表")
def list_profiles() -> list[ProfileCard]:
    """有哪些街镇，各依据什么文件。"""
    return [ProfileCard(**_card(read_profile(name))) for name in profile_names()]


@router.get("/profiles/{profile_id}", summary="一个街镇的配置")
def get_profile(
    profile_id: Annotated[str, Path(max_length=50, examples=["weifang"])],
) -> WholeProfile:
    """时限、通知和与通用规则不同之处。"""
    profile = read_profile(_known(profile_id))
    return WholeProfile(
        **_card(profile),
        overrides=profile.overrides,
        timing=profile.timing,
        notices=profile.notices,
    )


@router.post("/try", summary="试一句话")
def try_rules(sentence: Sentence) -> Tried:
    """看看规则和分类器怎样判断一句话；这句话不保存。"""
    _known(sentence.profile)
    return try_sentence(sentence)


def _known(profile: str) -> str:
    if profile not in profile_names():
        raise not_found("街镇配置")
    return profile
