"""Chinese titles of rules by their ids, for tables and charts."""

from collections.abc import Mapping

from qc.catalogue import Catalogue, load_catalogue
from qc.order import CallKind

SHORT_KINDS = {CallKind.FIRST_CONTACT: "先行", CallKind.REPLY: "回复"}


def rule_titles(catalogue: Catalogue | None = None) -> Mapping[str, str]:
    """Titles of elements, behaviours and signals; the bundled catalogue's where None.

    Elements of the two kinds of call may have one title: the kind is put before (先行·自报家门).
    """
    rules = catalogue or load_catalogue()
    titles = {
        rule.id: f"{SHORT_KINDS[kind]}·{rule.title}"
        for kind, elements in rules.elements.items()
        for rule in elements
    }
    titles |= {rule.id: rule.title for rule in rules.behaviours}
    return titles | {rule.id: rule.title for rule in rules.signals}
