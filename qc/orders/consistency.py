"""What was filed on an order against what its recordings hold.

Every finding quotes the field and the recording; where a transcript is doubtful it says so. What
a recording merely leaves unsaid counts only where the filing claims it.
"""

from collections.abc import Iterator

from qc.inspection import SATISFACTION_TITLES, Inspection, Satisfaction
from qc.order import KIND_TITLES, CallKind
from qc.orders.evidence import Case, element, opening
from qc.orders.finding import OrderFinding, OrderQuote, said
from qc.orders.passages import CLAUSE, SENTENCE, call_passage, field_passage, quote_field
from qc.orders.rules import Claim
from qc.transcript import Role

# How far apart what was ticked and what was said may lie: 满意 for 基本满意 passes.
_RANKS: dict[Satisfaction, int] = {"satisfied": 2, "basically": 2, "neutral": 1, "dissatisfied": 0}
SURE = 0.7  # confidence from which on the learned layer alone may speak of pushing away
_ANSWERED_TITLES = {
    "third_party_unaware": "接电话的不是诉求人，也不知情",
    "wrong_number": "号码打错了",
}


def check_consistency(case: Case) -> Iterator[OrderFinding]:
    """Every contradiction between the filing and the recordings."""
    for check in (
        _check_satisfaction,
        _check_recordings,
        _check_call_order,
        _check_first_contact,
        _check_claims,
        _check_fact_finding,
        _check_fact_against_result,
        _check_slots,
        _check_return,
    ):
        yield from check(case)


def _check_satisfaction(case: Case) -> Iterator[OrderFinding]:
    """The satisfaction ticked against the citizen's last word on the result."""
    ticked = case.filing.satisfaction
    replies = case.reached(CallKind.REPLY)
    if ticked is None or ticked == "none" or not replies:
        return
    field = quote_field_satisfaction(ticked)
    heard = [(i, call) for i, call in replies if call.satisfaction != "none"]
    if not heard:
        asked = [element(call, "rp.solicit_opinion") for _, call in replies]
        if all(e is not None and e.status == "missing" for e in asked):
            call, inspection = replies[-1]
            text = f"满意度填“{SATISFACTION_TITLES[ticked]}”，回复录音里没有征询，市民也没有表态。"
            closing = inspection.transcript.turns[-2:]
            quotes = [field, *(said(call, inspection, turn) for turn in closing)]
            yield case.finding("cs.satisfaction_unasked", text, quotes)
        return
    call, inspection = heard[-1]
    if _RANKS[ticked] == _RANKS[inspection.satisfaction]:
        return
    text = (
        f"满意度填“{SATISFACTION_TITLES[ticked]}”，"
        f"录音中市民的意思是“{SATISFACTION_TITLES[inspection.satisfaction]}”。"
    )
    yield case.finding("cs.satisfaction", text, [field, *_satisfaction_quotes(call, inspection)])


def quote_field_satisfaction(ticked: Satisfaction) -> OrderQuote:
    return OrderQuote("市民满意度", SATISFACTION_TITLES[ticked], field="satisfaction")


def _satisfaction_quotes(call: int, inspection: Inspection) -> list[OrderQuote]:
    """The citizen's words on the result: what they answered when asked, or said of themselves."""
    dissatisfied = [s for s in inspection.citizen if s.id == "ct.dissatisfied"]
    if inspection.satisfaction == "dissatisfied" and dissatisfied:
        return [said(call, inspection, dissatisfied[0].quotes[-1].turn)]
    asked = element(inspection, "rp.solicit_opinion")
    after = max((q.turn.index for q in asked.evidence), default=-1) if asked else -1
    answers = [t for t in inspection.transcript.citizen_turns if t.index > after]
    turns = answers[:1] or inspection.transcript.citizen_turns[-1:]
    return [said(call, inspection, turn) for turn in turns]


def _check_recordings(case: Case) -> Iterator[OrderFinding]:
    """Both recordings must be there, unless nobody could be reached."""
    filing = case.filing
    wanted = (
        (
            CallKind.FIRST_CONTACT,
            "cs.no_first_contact_recording",
            ("first_contact_at", "first_contact_description"),
        ),
        (CallKind.REPLY, "cs.no_reply_recording", ("replied_at", "reply_summary", "closed_at")),
    )
    unreached = case.rules.consistency.cues["unreached"].when
    for kind, rule, fields in wanted:
        tried = any(a.kind is kind and not a.answered for a in filing.attempts)
        told = [f for f in fields if getattr(filing, f)]
        says_unreached = any(
            field_passage(f, getattr(filing, f), case.file.order).hear(unreached)
            for f in told
            if not f.endswith("_at")
        )
        if told and not case.calls(kind) and not tried and not says_unreached:
            text = f"工单填写了{KIND_TITLES[kind]}，但没有相应的录音。"
            yield case.finding(rule, text, [quote_field(filing, told[0])])


def _check_call_order(case: Case) -> Iterator[OrderFinding]:
    filing = case.filing
    first, reply = filing.first_contact_at, filing.replied_at
    if first and reply and reply < first:
        text = "填写的回复时间早于先行联系时间。"
        quotes = [quote_field(filing, "first_contact_at"), quote_field(filing, "replied_at")]
        yield case.finding("cs.call_order", text, quotes)
        return
    contacts, replies = case.calls(CallKind.FIRST_CONTACT), case.calls(CallKind.REPLY)
    if contacts and replies and replies[-1][0] < contacts[0][0]:
        text = "录音的先后顺序是先回复、后先行联系。"
        quotes = [*opening(*replies[0], turns=1), *opening(*contacts[0], turns=1)]
        yield case.finding("cs.call_order", text, quotes)


def _check_first_contact(case: Case) -> Iterator[OrderFinding]:
    """A first contact filed as done: was the petitioner reached, and the demand verified?"""
    filing = case.filing
    field = next(
        (f for f in ("first_contact_at", "first_contact_description") if getattr(filing, f)), None
    )
    contacts = case.calls(CallKind.FIRST_CONTACT)
    if field is None or not contacts or _says_unreached(case):
        return
    reached = case.reached(CallKind.FIRST_CONTACT)
    if not reached:
        call, inspection = contacts[-1]
        why = _ANSWERED_TITLES[inspection.answered_by]
        text = f"工单填写已先行联系，录音里{why}。"
        quotes = [quote_field(filing, field), *_citizen_opening(call, inspection)]
        yield case.finding("cs.first_contact_not_reached", text, quotes)
        return
    verified = [element(call, "fc.verify_demand") for _, call in reached]
    if _claims_verified(case):
        return  # `_check_claims` says it of the very words
    if all(e is not None and e.status == "missing" for e in verified):
        call, inspection = reached[-1]
        text = "工单填写已先行联系，录音里没有核对反映的问题、日期或地址。"
        spoken = [said(call, inspection, t) for t in inspection.transcript.agent_turns[:3]]
        quotes = [quote_field(filing, field), *spoken]
        yield case.finding("cs.first_contact_unverified", text, quotes)


def _claims_verified(case: Case) -> bool:
    claim = next(c for c in case.rules.consistency.claims if c.id == "claim.verified")
    text = getattr(case.filing, claim.field)
    return bool(field_passage(claim.field, text, case.file.order, CLAUSE).hear(claim.when))


def _says_unreached(case: Case) -> bool:
    passage = field_passage(
        "first_contact_description", case.filing.first_contact_description, case.file.order
    )
    return bool(passage.hear(case.rules.consistency.cues["unreached"].when))


def _citizen_opening(call: int, inspection: Inspection) -> list[OrderQuote]:
    return [said(call, inspection, turn) for turn in inspection.transcript.citizen_turns[:2]]


def _check_claims(case: Case) -> Iterator[OrderFinding]:
    """Things that a filed text says were done in the call, and that the call does not hold."""
    for claim in case.rules.consistency.claims:
        kind = (
            CallKind.FIRST_CONTACT if claim.field == "first_contact_description" else CallKind.REPLY
        )
        text_filed = getattr(case.filing, claim.field)
        passage = field_passage(claim.field, text_filed, case.file.order, CLAUSE)
        claimed = passage.hear(claim.when)
        calls = case.calls(kind)
        if not claimed or not calls or any(_bears_out(claim, call) for _, call in calls):
            continue
        call, inspection = calls[-1]
        spoken = (
            _citizen_opening(call, inspection)
            if claim.answered_by
            else [said(call, inspection, t) for t in inspection.transcript.agent_turns[:3]]
        )
        text = f"{claimed[0].where}写“{claim.title}”，{KIND_TITLES[kind]}录音里没有。"
        yield case.finding("cs.claim_unheard", text, [claimed[0], *spoken])


def _bears_out(claim: Claim, inspection: Inspection) -> bool:
    if claim.answered_by:
        return inspection.answered_by in claim.answered_by
    found = [element(inspection, name) for name in claim.elements]
    return any(e is not None and e.status in claim.unless for e in found)


def _check_fact_finding(case: Case) -> Iterator[OrderFinding]:
    """属实 or 不属实 as ticked, against what the handler told the citizen in the reply."""
    ticked = case.filing.fact_finding
    if ticked not in ("属实", "不属实"):
        return
    cues = case.rules.consistency.cues
    replies = [
        call_passage(i, call, SENTENCE, Role.AGENT) for i, call in case.reached(CallKind.REPLY)
    ]
    confirmed = [q for passage in replies for q in passage.hear(cues["confirmed"].when)]
    denied = [q for passage in replies for q in passage.hear(cues["denied"].when)]
    against, agreeing = (denied, confirmed) if ticked == "属实" else (confirmed, denied)
    if against and not agreeing:
        told = "问题不存在" if ticked == "属实" else "问题确实存在"
        text = f"事实认定填“{ticked}”，回复时却对市民说{told}。"
        field = quote_field(case.filing, "fact_finding")
        yield case.finding("cs.fact_finding", text, [field, *against[:3]])


def _check_fact_against_result(case: Case) -> Iterator[OrderFinding]:
    """The filing against itself: 不属实 with a result that admits the problem, and the reverse."""
    ticked = case.filing.fact_finding
    if ticked not in ("属实", "不属实"):
        return
    cues = case.rules.consistency.cues
    confirmed: list[OrderQuote] = []
    denied: list[OrderQuote] = []
    for field in ("handling_result", "reply_summary", "closing_report"):
        passage = field_passage(field, getattr(case.filing, field), case.file.order)
        confirmed += passage.hear(cues["confirmed"].when)
        denied += passage.hear(cues["denied"].when)
    against, agreeing = (denied, confirmed) if ticked == "属实" else (confirmed, denied)
    if against and not agreeing:
        text = f"事实认定填“{ticked}”，{against[0].where}的写法与此相反。"
        field_quote = quote_field(case.filing, "fact_finding")
        yield case.finding("cs.fact_against_result", text, [field_quote, *against[:2]])


def _check_slots(case: Case) -> Iterator[OrderFinding]:
    """A date, address or name that the handler verified and that differs from the order."""
    for call, inspection in enumerate(case.inspections):
        for mismatch in inspection.mismatches:
            quotes = [said(call, inspection, mismatch.turn)]
            yield case.finding("cs.verified_otherwise", f"{mismatch.text}。", quotes)


def _check_return(case: Case) -> Iterator[OrderFinding]:
    """An order sent back: was the petitioner contacted first, and not simply turned away?"""
    filing = case.filing
    if filing.returned_at is None:
        return
    field = quote_field(filing, "returned_at")
    turned_away = _turned_away(case)
    if turned_away:
        text = "电话里对市民说不归本单位管，没有说明转给谁，工单随后退单。"
        yield case.finding("cs.returned_shirk", text, [field, *turned_away])
    tried = any(
        a.kind is CallKind.FIRST_CONTACT and a.at <= filing.returned_at for a in filing.attempts
    )
    contacted = filing.first_contact_at and filing.first_contact_at <= filing.returned_at
    if not case.calls(CallKind.FIRST_CONTACT) and not tried and not contacted:
        text = "退单前没有先行联系的录音、时间或拨打记录。"
        yield case.finding("cs.returned_without_contact", text, [field])


def _turned_away(case: Case) -> list[OrderQuote]:
    """Words by which the handler disowned the matter, with no hand-over anywhere in that call."""
    cues = case.rules.consistency.cues
    quotes: list[OrderQuote] = []
    for call, inspection in enumerate(case.inspections):
        passage = call_passage(call, inspection, SENTENCE, Role.AGENT)
        shirked = [
            said(call, inspection, quote.turn)
            for behaviour in inspection.behaviours
            if behaviour.id == "bh.shirk"
            for quote in behaviour.quotes
            if "cue" in quote.layers or quote.confidence >= SURE
        ]
        disowned = list(passage.hear(cues["disowned"].when))
        turns = {quote.turn for quote in disowned}
        heard = disowned + [quote for quote in shirked if quote.turn not in turns]
        if heard and not passage.hear(cues["handed_over"].when):
            quotes += heard
    return quotes
