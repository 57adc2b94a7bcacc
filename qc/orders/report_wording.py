"""How the closing report and the other filed texts are worded (report_wording.yaml)."""

from collections.abc import Iterator, Sequence

from qc.order import Order
from qc.orders.due_dates import find_due
from qc.orders.evidence import Case
from qc.orders.figures_said import days_said
from qc.orders.finding import OrderFinding, OrderQuote, filed
from qc.orders.matter import shares_matter
from qc.orders.passages import FIELD_TITLES, SENTENCE, Passage, field_passage
from qc.orders.rules import FiledExample, WordingRule

MAX_QUOTES = 3


def check_wording(case: Case) -> Iterator[OrderFinding]:
    """Ask every wording rule of the street's document of the filed texts.

    宜川路街道 2023 附件4: a closing report that lacks an element is sent back. The report is made
    of 回复内容, 答复要点 and attachments (二、（三）3), so each rule names the fields it reads.
    """
    if not case.inspections and not any(getattr(case.filing, f) for f in FIELD_TITLES):
        return
    for rule in case.rules.wording:
        quotes = _violations(rule, case)
        if quotes:
            yield OrderFinding(
                id=rule.id,
                title=rule.title,
                severity=rule.severity,
                text=_text(rule, quotes),
                source=rule.source,
                advice=rule.advice,
                quotes=quotes,
            )


def _text(rule: WordingRule, quotes: Sequence[OrderQuote]) -> str:
    if rule.demand == "must_not":
        return f"{quotes[0].where}里有不该有的话：{rule.title}。"
    return f"{quotes[0].where}里没有找到：{rule.title}。"


def _violations(rule: WordingRule, case: Case) -> tuple[OrderQuote, ...]:
    """What shows that a rule is broken; nothing where it does not apply or is kept."""
    filing, order = case.filing, case.file.order
    if rule.fact_finding and filing.fact_finding not in rule.fact_finding:
        return ()
    if rule.resolved is not None and order.resolved is not rule.resolved:
        return ()
    if getattr(filing, rule.fields[0]) is None:  # the text that the rule is about is not filed
        return ()
    passages = [field_passage(f, getattr(filing, f), order) for f in rule.fields]
    if rule.only_if is not None and not any(p.hear(rule.only_if) for p in passages):
        return ()
    if rule.unless is not None and any(p.hear(rule.unless) for p in passages):
        return ()
    said = [quote for passage in passages for quote in sentences_that_hold(rule, passage)]
    if rule.demand == "must_not":
        return tuple(said[:MAX_QUOTES])
    return () if said else (_whole(rule, case),)


def sentences_that_hold(rule: WordingRule, passage: Passage) -> list[OrderQuote]:
    """The sentences for which a rule's condition holds; `dated` asks for, or excuses, a day."""
    issue = passage.scene.order.issue or ""
    return [
        quote
        for quote in passage.hear(rule.when)
        if (not rule.dated or names_day(quote.text) == (rule.demand == "must"))
        and (not rule.about_issue or not issue or shares_matter(issue, quote.text))
    ]


def names_day(sentence: str) -> bool:
    """Whether a sentence gives a time node (时间节点): a day, a month's end, a number of days."""
    return find_due(sentence, None) is not None or bool(days_said(sentence))


def _whole(rule: WordingRule, case: Case) -> OrderQuote:
    """The filed text that lacks something, shortened."""
    field = rule.fields[0]
    text = str(getattr(case.filing, field))
    return filed(field, FIELD_TITLES[field], text if len(text) <= 60 else text[:60] + "……")


def holds_for_example(rule: WordingRule, example: str | FiledExample) -> bool:
    """Whether a rule's condition holds for one of its own examples, its exceptions counted."""
    text = example if isinstance(example, str) else example.text
    order = Order() if isinstance(example, str) else Order(issue=example.issue)
    passage = field_passage(rule.fields[0], text, order, SENTENCE)
    if rule.demand == "must_not" and rule.unless is not None and passage.hear(rule.unless):
        return False
    return bool(sentences_that_hold(rule, passage))
