"""The words of a notice: short, masked, with quotes, seconds and a place for the link."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

from qc.catalogue import Source
from qc.notices.rules import LEVEL_TITLES, NoticeRule, NoticeRules
from qc.order import Order
from qc.privacy import mask, masked_order
from qc.report import Saying, clock

LINK = "{链接}"  # the sender puts the address of the order's page here
LINK_LINE = f"\n详情：{LINK}"
MAX_BYTES = 2048  # of a text message of a WeCom group robot, in UTF-8
LINK_BYTES = 320  # kept free for its line: an address of 300 bytes fits
QUOTES = 3  # shown at most
QUOTE_LENGTH = 60  # characters
FIELD_LENGTH = 40  # characters of an order's field
TITLE_LENGTH = 60  # characters
TIME_FORMAT = "%Y-%m-%d %H:%M"


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parents[1] / "templates"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # plain text
    )


def short(text: str, length: int) -> str:
    """One line of at most `length` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def clause(source: Source, rules: NoticeRules) -> str:
    """On what a notice rests: 依据：佘府〔2025〕44号 二、（四）; 参照 another street's document."""
    document = rules.documents.get(source.document, source.document)
    own = "依据" if source.document == rules.document else "参照"
    return f"{own}：{document.split('《')[0]} {source.clause}"


def quoted(sayings: Iterable[tuple[str, Saying]], order: Order) -> str:
    """Words of a call, one a line, masked, with their second and what they show."""
    lines = []
    for title, saying in list(sayings)[:QUOTES]:
        at = clock(saying.start)
        words = short(mask(saying.text, order), QUOTE_LENGTH)
        lines.append(f"· {title}：“{words}”" + (f"（{at}）" if at else ""))
    return "\n".join(lines)


def notice_text(
    rule: NoticeRule, rules: NoticeRules, facts: Mapping[str, Any], order: Order | None = None
) -> str:
    """The text of a notice about an order, or about a group of orders where there is none.

    Args:
        facts: what the rule's template names, already masked.
    """
    shown = masked_order(order) if order else None
    body = _environment().from_string(rule.text).render(facts)
    frame = {
        "level": LEVEL_TITLES[rule.level],
        "title": rule.title,
        "order_id": short(shown.order_id, FIELD_LENGTH) if shown else "",
        "department": short(shown.department or "", FIELD_LENGTH) if shown else "",
        "matter": _matter(shown) if shown else "",
        "clause": clause(rule.source, rules),
    }
    return framed("notice.txt.jinja", {**frame, "body": without_blank_lines(body)})


def framed(template: str, facts: Mapping[str, Any]) -> str:
    """A text template with the line of the link, short enough for every channel."""
    text = without_blank_lines(_environment().get_template(template).render(facts))
    return cut(text, MAX_BYTES - LINK_BYTES) + LINK_LINE


def cut(text: str, size: int) -> str:
    """The text in at most `size` bytes of UTF-8; the lines before the last give way."""
    if len(text.encode()) <= size:
        return text
    body, _, last = text.rpartition("\n")
    room = size - len(f"…\n{last}".encode())
    return body.encode()[: max(room, 0)].decode(errors="ignore") + f"…\n{last}"


def without_blank_lines(text: str) -> str:
    return re.sub(r"\n\s*\n+", "\n", text).strip()


def _matter(order: Order) -> str:
    parts: Sequence[str | None] = (order.issue, order.address)
    return "，".join(short(part, FIELD_LENGTH) for part in parts if part)
