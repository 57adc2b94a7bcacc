"""Script elements: met, partial, missing or not applicable, from the facets that were heard."""

from collections.abc import Callable, Sequence

from qc.catalogue import Catalogue, Element, FacetsNeeded
from qc.evidence import Evidence, EvidenceSheet
from qc.inspection import ElementFinding, Mismatch, Quote, Status
from qc.reliability import may_hide
from qc.scene import Scene, holds_for_call
from qc.slots import Slot

MAX_QUOTES = 4  # each facet by its surest turn; more would only tire the reader
# Which fields of the order are compared under which element.
_ELEMENT_SLOTS = {
    "fc.greeting": ("name",),
    "fc.self_intro": ("department",),
    "rp.self_intro": ("department",),
    "fc.verify_demand": ("date", "address", "issue"),
    "rp.verify_demand": ("date", "address", "issue"),
}


def judge_elements(
    scene: Scene, sheet: EvidenceSheet, catalogue: Catalogue
) -> tuple[ElementFinding, ...]:
    """Status, evidence and slots of every script element of the call's kind."""
    return tuple(
        _judge(element, scene, sheet, catalogue) for element in catalogue.elements[scene.kind]
    )


def _judge(
    element: Element, scene: Scene, sheet: EvidenceSheet, catalogue: Catalogue
) -> ElementFinding:
    status = status_of(element, scene, lambda facet: bool(sheet.heard(facet)))
    facets = _facets_of(element, scene)
    evidence = [e for facet in facets for e in _best(sheet.heard(facet))]
    if status == "partial" and not evidence:
        halves = dict.fromkeys(f for needed in element.partial for f in (*needed.all, *needed.any))
        evidence = [e for facet in halves for e in _best(sheet.heard(facet))]
    hidden = status in ("partial", "missing") and may_hide(
        element, scene.transcript, scene.doubtful
    )
    if hidden:
        status = "met"
    lacking = [f for f in facets if not sheet.heard(f)] if status in ("partial", "missing") else []
    return ElementFinding(
        id=element.id,
        title=element.title,
        status=status,
        evidence=() if status == "not_applicable" else _quotes(evidence),
        lacking=tuple(catalogue.facets[facet].title for facet in lacking),
        slots=_slots(element, sheet),
        weight=element.weight,
        advice=element.advice,
        source=element.source,
        undetermined=hidden,
    )


def find_mismatches(
    scene: Scene, sheet: EvidenceSheet, elements: Sequence[ElementFinding]
) -> tuple[Mismatch, ...]:
    """Fields of the order that were said wrongly in a turn that was well heard."""
    return tuple(
        Mismatch(slot, element.id, scene.transcript.turns[index], element.source)
        for element in elements
        if element.status != "not_applicable"
        for slot in element.slots
        if slot.agrees is False
        for index in [next(i for i, said in sheet.slots.items() if slot in said)]
        if index not in scene.doubtful
    )


def status_of(element: Element, scene: Scene, is_heard: Callable[[str], bool]) -> Status:
    """Status of an element, given which facets were heard in the call."""
    if any(holds_for_call(context, scene) for context in element.not_applicable):
        return "not_applicable"
    if any(_is_fulfilled(needed, scene, is_heard) for needed in element.met):
        return "met"
    if any(_is_fulfilled(needed, scene, is_heard) for needed in element.partial):
        return "partial"
    unsaid = any(holds_for_call(context, scene) for context in element.not_applicable_unsaid)
    return "not_applicable" if unsaid else "missing"


def _is_fulfilled(needed: FacetsNeeded, scene: Scene, is_heard: Callable[[str], bool]) -> bool:
    if needed.call is not None and not holds_for_call(needed.call, scene):
        return False
    every = needed.all
    if needed.every_missing:
        every += tuple(f"collect.{missing}" for missing in scene.order.missing_elements)
    if not all(is_heard(facet) for facet in every):
        return False
    return not needed.any or sum(is_heard(f) for f in needed.any) >= needed.at_least


def _facets_of(element: Element, scene: Scene) -> Sequence[str]:
    """Facets that make the element met, in the catalogue's order, each once."""
    names: list[str] = []
    for needed in element.met:
        if needed.call is None or holds_for_call(needed.call, scene):
            names += [*needed.all, *needed.any]
            if needed.every_missing:
                names += [f"collect.{missing}" for missing in scene.order.missing_elements]
    return list(dict.fromkeys(names))


def _best(evidence: Sequence[Evidence]) -> Sequence[Evidence]:
    return sorted(evidence, key=lambda e: -e.confidence)[:1]


def _quotes(evidence: Sequence[Evidence]) -> tuple[Quote, ...]:
    ordered = sorted(evidence, key=lambda e: e.turn.index)[:MAX_QUOTES]
    return tuple(Quote(e.turn, e.quote, e.label, e.confidence, e.layers) for e in ordered)


def _slots(element: Element, sheet: EvidenceSheet) -> tuple[Slot, ...]:
    """The best comparison of each field: one that agrees before one that does not."""
    wanted = _ELEMENT_SLOTS.get(element.id, ())
    found: dict[str, Slot] = {}
    for slots in sheet.slots.values():
        for slot in slots:
            known = found.get(slot.name)
            if slot.name in wanted and (known is None or (slot.agrees and not known.agrees)):
                found[slot.name] = slot
    return tuple(found.values())
