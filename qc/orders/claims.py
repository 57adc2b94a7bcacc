"""What the filed texts say was done or found, against what the citizen was told in the reply."""

from collections.abc import Iterator

from qc.order import CallKind
from qc.orders.evidence import Case, element
from qc.orders.figures_said import AmountSaid, DaySaid, amounts_said, days_said
from qc.orders.finding import OrderFinding, OrderQuote, said
from qc.orders.matter import content_words, pairs_heard, shares_deed, shares_matter, words_heard
from qc.orders.passages import CLAUSE, SENTENCE, Passage, call_passage, field_passage
from qc.transcript import Role

FIELDS = ("handling_result", "reply_summary")
MIN_WORDS = 2  # content words that a clause must have before its absence says anything
MAX_PAIRS_HEARD = 0.12  # share of syllable pairs up to which nothing similar was said
# Units that tell by themselves what was counted or measured.
TELLING_UNITS = frozenset({"分贝", "平方米", "棵", "辆", "户", "盏", "吨"})


def check_claims(case: Case) -> Iterator[OrderFinding]:
    """Clauses of the filed result that nothing in the reply resembles, and differing figures."""
    replies = [call_passage(i, call, CLAUSE, None) for i, call in case.reached(CallKind.REPLY)]
    handlers = [
        call_passage(i, call, SENTENCE, Role.AGENT) for i, call in case.reached(CallKind.REPLY)
    ]
    if not replies:
        return
    heard = "".join(passage.text for passage in replies)
    spoken = [quote for passage in handlers for quote in passage.quotes]
    deed = case.rules.consistency.cues["deed"].when
    unheard: list[OrderQuote] = []
    for field in FIELDS:
        filed = field_passage(field, getattr(case.filing, field), case.file.order, CLAUSE)
        unheard += [quote for quote in filed.hear(deed) if _is_unheard(quote.text, heard)]
        yield from _differing(case, filed, spoken)
    if unheard and spoken:
        told = _handling(case) or sorted(spoken, key=lambda quote: -len(quote.text))[:2]
        text = f"{unheard[0].where}写“{_bare(unheard[0].text)}”，回复录音里没有类似的话。"
        yield case.finding("cs.result_unheard", text, [*unheard[:3], *told])


def _handling(case: Case) -> list[OrderQuote]:
    """What the reply did say of the handling."""
    return [
        said(i, call, quote.turn)
        for i, call in case.reached(CallKind.REPLY)
        if (found := element(call, "rp.handling")) is not None
        for quote in found.evidence[:2]
    ]


def _is_unheard(clause: str, heard: str) -> bool:
    """Whether nothing like a filed deed was said: no content word, hardly a sound of it."""
    words = content_words(clause)
    return (
        len(words) >= MIN_WORDS
        and not words_heard(words, heard)
        and not shares_deed(clause, heard)
        and pairs_heard(clause, heard) <= MAX_PAIRS_HEARD
    )


def _differing(case: Case, filed: Passage, spoken: list[OrderQuote]) -> Iterator[OrderFinding]:
    """Days and amounts: the filed one is never said, and the same matter has another one."""
    days = [(quote, day) for quote in spoken for day in days_said(quote.text)]
    amounts = [(quote, amount) for quote in spoken for amount in amounts_said(quote.text)]
    for clause in filed.quotes:
        for day in days_said(clause.text):
            if not any(day.agrees(other) for _, other in days):
                others = [q for q, _ in days if shares_matter(clause.text, q.text)]
                told = [_day_text(d) for q, d in days if q in others]
                yield from _figure(case, clause, others, _day_text(day), told)
        for amount in amounts_said(clause.text):
            same = [(q, a) for q, a in amounts if a.unit == amount.unit]
            if same and not any(a.value == amount.value for _, a in same):
                telling = amount.unit in TELLING_UNITS and len({a.value for _, a in same}) == 1
                others = [q for q, _ in same if telling or shares_matter(clause.text, q.text)]
                told = [_amount_text(a) for q, a in same if q in others]
                yield from _figure(case, clause, others, _amount_text(amount), told)


def _figure(
    case: Case, clause: OrderQuote, others: list[OrderQuote], figure: str, told: list[str]
) -> Iterator[OrderFinding]:
    if others:
        text = f"{clause.where}写“{figure}”，回复录音里说的是“{'、'.join(dict.fromkeys(told))}”。"
        yield case.finding("cs.figure", text, [clause, *others[:2]])


def _bare(clause: str) -> str:
    return clause.rstrip("，。！？；,!?;")


def _day_text(day: DaySaid) -> str:
    return f"{day.month}月{day.day}日" if day.month else f"{day.day}日"


def _amount_text(amount: AmountSaid) -> str:
    return f"{amount.value:g}{amount.unit}"
