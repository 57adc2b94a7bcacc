"""The rules of a street as people read them, and what they hear in a sentence."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal

from pydantic import BaseModel, Field

from models.judge.classifier import load_classifier
from qc.catalogue import (
    Catalogue,
    Example,
    FacetsNeeded,
    Practice,
    Signal,
    Source,
    load_catalogue,
)
from qc.evidence import Evidence, gather, hear_cues
from qc.order import CallKind, Order
from qc.scene import Scene
from qc.transcript import Role, Transcript, Turn

Family = Literal["element", "facet", "behaviour", "signal", "practice", "cause"]
MIN_PROBABILITY = 0.1  # of the learned layer, below which a rule is not listed


class SourceCard(BaseModel):
    """Where a rule comes from."""

    document: str = Field(description="文件编号", examples=["weifang-2024"])
    title: str = Field(description="文件名称")
    clause: str = Field(description="条款", examples=["先行联系规范 3"])


class RuleCard(BaseModel):
    """One rule."""

    id: str = Field(description="编号", examples=["bh.promise"])
    family: Family = Field(description="话术要素、要点、禁止行为、市民信号、好的做法、不满意原因")
    title: str = Field(description="名称", examples=["随意许诺"])
    kind: CallKind | None = Field(default=None, description="用于哪种通话（话术要素）")
    source: SourceCard | None = Field(default=None, description="出处")
    severity: str = Field(default="", description="严重程度（禁止行为）", examples=["major"])
    weight: float | None = Field(default=None, description="分值（话术要素）")
    penalty: float | None = Field(default=None, description="扣分（禁止行为）")
    advice: str = Field(default="", description="规范用语或建议")
    facets: list[str] = Field(default=[], description="由哪些要点构成（话术要素）")
    yes: list[str] = Field(default=[], description="符合的例句")
    no: list[str] = Field(default=[], description="不符合的例句")


class Sentence(BaseModel):
    """A sentence to try the rules on."""

    text: str = Field(
        min_length=1, max_length=500, description="说的话", examples=["我跟你保证明天肯定给你拆掉"]
    )
    role: Role = Field(default=Role.AGENT, description="谁说的：agent 经办人，citizen 市民")
    kind: CallKind = Field(default=CallKind.FIRST_CONTACT, description="哪种通话")
    before: list[str] = Field(
        default=[], max_length=10, description="前面的话，每句以“A:”（经办人）或“C:”（市民）开头",
        examples=[["C: 你们什么时候来拆"]],
    )  # fmt: skip
    overlap: bool = Field(default=False, description="抢在对方说完之前")
    fast: bool = Field(default=False, description="说得很快")
    profile: str = Field(default="weifang", max_length=50, description="街镇配置")


class Heard(BaseModel):
    """What one rule says of the sentence."""

    id: str = Field(description="规则编号", examples=["bh.promise"])
    family: Family = Field(description="种类")
    title: str = Field(description="名称", examples=["随意许诺"])
    found: bool = Field(description="综合判断：听到了")
    confidence: float | None = Field(description="把握（0 到 1）；没听到时为 null")
    layers: list[str] = Field(description="哪几层认为听到了：cue 用词，slot 要素，learned 分类器")
    words: list[str] = Field(description="听到的用词", examples=[["我跟你保证"]])
    probability: float | None = Field(description="分类器给的概率；它不认得这条规则时为 null")
    threshold: float | None = Field(description="概率达到多少算听到")


class Tried(BaseModel):
    """What all rules say of the sentence."""

    heard: list[Heard] = Field(description="听到的在前；也列出接近而未算的，说明为什么")


@lru_cache(maxsize=16)
def rule_cards(profile: str) -> tuple[RuleCard, ...]:
    """Every rule as that street has it.

    Raises:
        CatalogueError: there is no such profile.
    """
    return tuple(_cards(load_catalogue(profile=profile)))


def _cards(rules: Catalogue) -> Iterator[RuleCard]:
    def source(of: Source) -> SourceCard:
        return SourceCard(
            document=of.document, title=rules.documents[of.document], clause=of.clause
        )

    for kind, elements in rules.elements.items():
        for e in elements:
            facets = _facets(e.met)
            yield RuleCard(
                id=e.id, family="element", title=e.title, kind=kind, source=source(e.source),
                weight=e.weight, advice=e.advice, facets=facets,
                yes=_texts([rules.facets[name].examples.yes[0] for name in facets]),
            )  # fmt: skip
    for f in rules.facets.values():
        yield RuleCard(
            id=f.id, family="facet", title=f.title, advice=f.advice,
            yes=_texts(f.examples.yes), no=_texts(f.examples.no),
        )  # fmt: skip
    for b in rules.behaviours:
        yield RuleCard(
            id=b.id, family="behaviour", title=b.title, source=source(b.source),
            severity=b.severity, penalty=b.penalty, advice=b.instead,
            yes=_texts(b.examples.yes), no=_texts(b.examples.no),
        )  # fmt: skip
    heard: tuple[tuple[Family, Sequence[Signal | Practice]], ...] = (
        ("signal", rules.signals),
        ("practice", rules.practices),
    )
    for family, listed in heard:
        for s in listed:
            yield RuleCard(
                id=s.id, family=family, title=s.title, source=source(s.source), advice=s.advice,
                yes=_texts(s.examples.yes), no=_texts(s.examples.no),
            )  # fmt: skip
    for c in rules.causes:
        yield RuleCard(
            id=c.id, family="cause", title=c.title, source=source(c.source),
            yes=_texts(c.examples.yes), no=_texts(c.examples.no),
        )  # fmt: skip


def _facets(needed: Sequence[FacetsNeeded]) -> list[str]:
    return list(dict.fromkeys(facet for way in needed for facet in (*way.all, *way.any)))


def _texts(examples: Sequence[str | Example]) -> list[str]:
    """Each example with the turns before it."""
    return [e if isinstance(e, str) else "　".join([*e.prev, e.text]) for e in examples]


def try_sentence(sentence: Sentence) -> Tried:
    """What the rules and the learned layer say of a sentence.

    Raises:
        CatalogueError: there is no such profile.
    """
    rules = load_catalogue(profile=sentence.profile)
    classifier = load_classifier()
    scene = _scene(sentence)
    last = scene.transcript.turns[-1]
    cues = hear_cues(scene, rules, [last])
    sheet = gather(scene, rules, classifier)
    asked = {"facet", "behaviour"} if last.is_agent else {"signal"}
    heard = []
    for card in rule_cards(sentence.profile):
        if card.family not in asked:
            continue
        evidence = next((e for e in sheet.heard(card.id) if e.turn is last), None)
        learned = sheet.probabilities.get(card.id)
        probability = None if learned is None else float(learned[last.index])
        words = cues.get((card.id, last.index))
        if evidence or words is not None or (probability or 0.0) >= MIN_PROBABILITY:
            threshold = classifier.thresholds.get(card.id, 0.5)
            heard.append(_heard(card, evidence, words, probability, threshold))
    heard.sort(key=lambda h: (not h.found, -(h.confidence or h.probability or 0)))
    return Tried(heard=heard)


def _heard(
    card: RuleCard,
    evidence: Evidence | None,
    words: Sequence[str] | None,
    probability: float | None,
    threshold: float,
) -> Heard:
    return Heard(
        id=card.id,
        family=card.family,
        title=card.title,
        found=evidence is not None,
        confidence=round(evidence.confidence, 3) if evidence else None,
        layers=list(evidence.layers) if evidence else ["cue"] * (words is not None),
        words=list(words or ()),
        probability=None if probability is None else round(probability, 3),
        threshold=None if probability is None else round(threshold, 3),
    )


def _scene(sentence: Sentence) -> Scene:
    turns = []
    for i, line in enumerate(sentence.before):
        who, _, words = line.partition(":") if ":" in line[:2] else line.partition("：")
        role = Role.CITIZEN if who.strip().upper() == "C" else Role.AGENT
        turns.append(Turn(i, role, (words or line).strip()))
    turns.append(
        Turn(len(turns), sentence.role, sentence.text, overlap=sentence.overlap, fast=sentence.fast)
    )
    return Scene(Transcript(tuple(turns)), Order(), sentence.kind)
