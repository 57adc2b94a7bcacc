"""All standards of one street, loaded together and held against each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jinja2

from qc.catalogue import CATALOGUE_FOLDER, DEFAULT_PROFILE, Catalogue, Source, load_catalogue
from qc.deadlines.timing import Timing, load_timing
from qc.errors import CatalogueError
from qc.notices.rules import Event, NoticeRule, NoticeRules, load_notice_rules
from qc.order import CallKind
from qc.orders.rules import OrderRules, WordingRule, all_wording_rules, load_order_rules


@dataclass(frozen=True)
class Standards:
    """What a street asks of a call, of an order, of time, and whom it tells."""

    catalogue: Catalogue
    timing: Timing
    orders: OrderRules
    wording: tuple[WordingRule, ...]  # of every street
    notices: NoticeRules


def load_standards(profile: str = DEFAULT_PROFILE, folder: Path = CATALOGUE_FOLDER) -> Standards:
    """Read everything that a street's standards say.

    Raises:
        CatalogueError: a file is missing or wrong, or a rule names what is not there; says which.
    """
    standards = Standards(
        load_catalogue(folder, profile),
        load_timing(profile, folder),
        load_order_rules(profile, folder),
        all_wording_rules(folder),
        load_notice_rules(profile, folder),
    )
    _check_sources(standards)
    _check_names(standards)
    for rule in standards.notices.rules:
        _check_words(rule)
    return standards


def _sources(standards: Standards) -> Iterator[tuple[str, Source]]:
    timing, orders = standards.timing, standards.orders
    for limit in timing.limits:
        yield f"timing.limits（{limit.steps[0]}）", limit.source
    for attempts in timing.attempts:
        yield f"timing.attempts（{attempts.kinds[0]}）", attempts.source
    for finding in orders.consistency.findings.values():
        yield from ((finding.id, source) for source in finding.sources)
    yield from ((rule.id, rule.source) for rule in standards.wording)
    yield from ((rule.id, rule.source) for rule in standards.notices.rules)


def _check_sources(standards: Standards) -> None:
    for name, source in _sources(standards):
        if source.document not in standards.catalogue.documents:
            raise CatalogueError(
                f"规则 {name} 的 source.document “{source.document}”不在 documents.yaml 中",
                "请先登记文件",
            )


def _check_names(standards: Standards) -> None:
    catalogue = standards.catalogue
    elements = {rule.id for kind in CallKind for rule in catalogue.elements[kind]}
    heard = {
        Event.SIGNAL: {rule.id for rule in catalogue.signals},
        Event.BEHAVIOUR: {rule.id for rule in catalogue.behaviours},
    }
    named = [(claim.id, claim.elements, elements) for claim in standards.orders.consistency.claims]
    named += [(rule.id, rule.ids, heard.get(rule.event, set())) for rule in standards.notices.rules]
    for name, ids, known in named:
        for missing in set(ids) - known:
            raise CatalogueError(f"规则 {name} 用到的 {missing} 不在规则目录中", "请检查拼写")


def _check_words(rule: NoticeRule) -> None:
    try:
        jinja2.Environment().parse(rule.text)
    except jinja2.TemplateSyntaxError as error:
        raise CatalogueError(
            f"规则 {rule.id} 的 text 第 {error.lineno} 行写法有误", "请检查 {{ }} 是否成对"
        ) from error
