"""Personal data: finding it in what was said or filed, and hiding it; the two meet in `Span`.

Hides too much rather than too little: what looks like a part of a phone number is hidden even
where it may be something else. Dates, hotline numbers, floors, lanes and villages stay readable.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from qc.inspection import Inspection, Quote
from qc.order import Order
from qc.slots import Slot, with_digits
from qc.text import syllables
from qc.transcript import Turn


class PersonalData(StrEnum):
    PHONE = "phone"
    IDENTITY = "identity"
    NAME = "name"
    HOUSE = "house"


@dataclass(frozen=True)
class Span:
    """Characters `start` to `end` of a text that hold personal data."""

    start: int
    end: int
    kind: PersonalData


MASK = "*"
_DIGIT = r"[\d零〇一二三四五六七八九幺两]"
_GAP = r"(?:[\s\-‐-―－_·•.,，、。；;()（）+/]|嗯|啊|呃|哦|额|然后)"  # between two digits
_SPOKEN_NUMBER = re.compile(
    rf"{_DIGIT}(?:{_GAP}{{0,3}}{_DIGIT}){{2,}}(?:{_GAP}?[Xx叉](?![A-Za-z]))?"
)
MIN_DIGITS = 7  # a landline number without its area code; shorter runs are years, rooms, amounts
_PHONE = re.compile(
    r"(?:00)?(?:86)?(?:0?1[3-9]\d{9}|0\d{2,3}[2-8]\d{6,7}|[48]00\d{7}|[2-8]\d{6,7})\d{0,4}"
)
# 12345 and its like are nobody's own number.
_HOTLINE = re.compile(
    rf"(?<!{_DIGIT})(?:12(?:3\d\d|[0-2]|110)|11\d|96\d{{3,4}}|一二三四五|一二三一五|一一[零九幺二])"
    rf"(?!{_DIGIT})"
)
_DATE = re.compile(
    r"(?<![\d./-])(?:19|20)\d\d([-./])(?:0?[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01]|[1-9])(?![./-]?\d)"
)
_ABOUT_NUMBER = re.compile(
    r"(?:电话|手机|号码|尾号|微信|联系方式)[号码是为就:：，, 后尾四三位数的]{0,6}$"
)
# A turn that is digits only is a part of a number that is being told piece by piece.
_PIECE_REST = re.compile(rf"{_GAP}|[嗯啊对是好哦呃吧吗？?！!的您请讲说一下]|{_DIGIT}")

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999
_ID_CHECKS = "10X98765432"

_NUMERAL = r"(?:\d+|[零〇一二三四五六七八九十百千幺两]+)"
_NUMBER = re.compile(_NUMERAL)
_PLACE_BEFORE = re.compile(r"[路弄村苑街巷坊园里城湾庭邸区道墅寓厦场邨宅队组桥浜院楼幢栋座]\s*$")
_DATE_BEFORE = re.compile(r"(?:月份?|上个?月|本月|这个?月|今天是?)\s*$")
_NOT_HOUSE_AFTER = re.compile(r"号(?:线|机|口|桌|窗|车|病|文|令|键|员|公告)")
_HOUSE_AFTER = re.compile(rf"号\s*(?:楼|门|院|底|甲|乙|丙|室|{_NUMERAL}(?!年|月|点|日))")
_FLAT_AFTER = re.compile(r"[一二两三四\d户厅]")  # 两室一厅, 一室户: a kind of flat
_ROOM_BEFORE = re.compile(
    r"(?:号楼?|幢|栋|座|单元|楼|层|家|住|楼上|楼下|隔壁|对门|对面|房间|房号|门牌)"
    r"(?:的|是|在|就是|住在|门牌|号码|那个|那家)*[\s，,、]*$"
)
_ROOM_AFTER = re.compile(r"(?:那|这|的)?(?:户|家|住户|邻居|房间|房东|租客)|是我们?家|号?房")
# Three or four digits with the 0 of a room number: 601, 1203, 六零一.
_ROOM_SHAPED = re.compile(r"\d{1,2}0[1-9]")
_MEASURE_AFTER = re.compile(
    r"年|月|日|天|元|块|米|平|次|个|人|户[^的]|路|弄|%|度|分|点|小时|公里|件|起|棵|辆|条|遍|多|页|斤"
)
_AREA_AFTER = re.compile(r"\s*(?:弄|路|街|村|期|区|坊|镇|队|组|大道|号线|巷|里|公里)")
_HOUSE_UNIT = re.compile(r"\s*(?:号|室|幢|栋|单元|楼|层|座|房)")

_COMPOUND_SURNAMES = (
    *("欧阳", "上官", "司马", "诸葛", "司徒", "东方", "皇甫", "夏侯", "令狐", "尉迟"),
    *("申屠", "公孙", "慕容", "端木", "钟离", "宇文", "长孙", "司空", "淳于", "濮阳"),
)
_SURNAME = (
    "(?:"
    + "|".join(_COMPOUND_SURNAMES)
    + "|(?<!谢)谢(?!谢)|[王李张刘陈杨黄赵周吴徐孙朱马胡郭林何高梁郑罗宋唐韩"
    "曹许邓萧冯曾程蔡彭潘袁于董余苏叶吕魏蒋田杜丁沈姜范江傅钟卢汪戴崔任陆廖姚方金邱夏谭韦贾邹石熊"
    "孟秦阎薛侯雷白龙段郝孔邵史毛常万顾赖武康贺严尹钱施牛洪龚汤陶黎温莫易樊乔文安殷颜庄章鲁倪庞邢俞"
    "翟蓝聂齐柴])"
)
_GIVEN = "[^\\W\\d_A-Za-z是的吗请问这那位您你我他她们好了和跟与给找在有叫姓啊呢吧嘛哦先女小老]{1,2}"
_TITLES = "先生|女士|小姐|阿姨|老师|师傅|叔叔|爷叔|伯伯|大姐|大哥|同志|奶奶|大爷|老伯"
_STRANGER = re.compile(
    rf"{_SURNAME}(?P<given>{_GIVEN})(?=先生|女士|小姐)"
    rf"|(?:我叫|名字叫|名叫|姓名是|姓名叫){_SURNAME}(?!{_TITLES})(?P<told>{_GIVEN})"
)
_NAME_BEFORE = re.compile("(?:是|叫|找|姓名|本人)$")
_FILED_TITLE = re.compile(rf"(?:{_TITLES})$")
_FILE_PHONE = re.compile(r"(?<!\d)(?:(?:86)?1[3-9]\d{9}|0\d{2,3}[-_ ]?[2-8]\d{6,7})(?!\d)")
_FILE_IDENTITY = re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)")


def find_personal(text: str, order: Order | None = None) -> tuple[Span, ...]:
    """Every piece of personal data of a text, in order, none overlapping another.

    Args:
        text: what was said or written, digits in any script.
        order: tells the petitioner's name and house number, which are then known by value.
    """
    found = [*_numbers(text), *_names(text, order), *_houses(text, order)]
    spans: list[Span] = []
    for span in sorted(found, key=lambda s: (s.start, -s.end)):
        if spans and span.start < spans[-1].end:
            if span.end > spans[-1].end:
                spans[-1] = replace(spans[-1], end=span.end)
        else:
            spans.append(span)
    return tuple(spans)


def hide(text: str, spans: Sequence[Span]) -> str:
    """The text with letters and digits of the spans as asterisks; its length is kept."""
    characters = list(text)
    for span in spans:
        for i in range(span.start, span.end):
            if characters[i].isalnum():
                characters[i] = MASK
    return "".join(characters)


def mask(text: str, order: Order | None = None) -> str:
    """The text without personal data."""
    return hide(text, find_personal(text, order))


def mask_name(name: str) -> str:
    """A filed name with only its surname: 顾海峰 → 顾**."""
    if _FILED_TITLE.search(name):
        return mask(name)
    kept = _surname_length(name)
    return name[:kept] + MASK * (len(name) - kept)


def surname_of(name: str) -> str:
    """The surname of a filed name: 欧阳明 → 欧阳."""
    return name[: _surname_length(name)]


def mask_address(address: str) -> str:
    """A filed address without house and room: 南泉新苑12号501室 → 南泉新苑**号***室."""
    return mask(hide(address, _address_numbers(address)))


def mask_file_name(name: str, order: Order | None = None) -> str:
    """The name of a recording: unlike in speech, long numbers are dates and order ids and stay."""
    spans = [Span(*m.span(), PersonalData.PHONE) for m in _FILE_PHONE.finditer(name)]
    spans += [
        Span(*m.span(), PersonalData.IDENTITY)
        for m in _FILE_IDENTITY.finditer(name)
        if is_identity_number(m.group())
    ]
    return hide(name, [*spans, *_names(name, order)])


def masked_order(order: Order) -> Order:
    """The order as a reader without special rights may see it; the handler is staff and stays."""
    update: dict[str, str] = {}
    if order.petitioner:
        update["petitioner"] = mask_name(order.petitioner)
    if order.address:
        update["address"] = mask_address(order.address)
    if order.issue:
        update["issue"] = mask(order.issue, order)
    return order.model_copy(update=update)


def masked(inspection: Inspection) -> Inspection:
    """The inspection as a reader without special rights may see it, every word of it."""
    order = inspection.order

    def turn(spoken: Turn) -> Turn:
        return replace(spoken, text=mask(spoken.text, order))

    def quotes(spoken: Sequence[Quote]) -> tuple[Quote, ...]:
        return tuple(replace(q, turn=turn(q.turn), text=mask(q.text, order)) for q in spoken)

    reasons = tuple(
        replace(r, text=mask(r.text, order), turn=turn(r.turn) if r.turn else None)
        for r in inspection.attitude.reasons
    )
    transcript = inspection.transcript
    return replace(
        inspection,
        call_id=mask_file_name(inspection.call_id, order),
        order=masked_order(order),
        transcript=replace(transcript, turns=tuple(turn(t) for t in transcript.turns)),
        elements=tuple(
            replace(
                e,
                evidence=quotes(e.evidence),
                slots=tuple(_masked_slot(slot, order) for slot in e.slots),
            )
            for e in inspection.elements
        ),
        behaviours=tuple(replace(b, quotes=quotes(b.quotes)) for b in inspection.behaviours),
        citizen=tuple(replace(s, quotes=quotes(s.quotes)) for s in inspection.citizen),
        attitude=replace(inspection.attitude, reasons=reasons),
        mismatches=tuple(
            replace(m, slot=_masked_slot(m.slot, order), turn=turn(m.turn))
            for m in inspection.mismatches
        ),
        cause=inspection.cause
        and replace(inspection.cause, quotes=quotes(inspection.cause.quotes)),
        doubtful=tuple(replace(b, quotes=quotes(b.quotes)) for b in inspection.doubtful),
        praise=tuple(replace(p, turn=turn(p.turn)) for p in inspection.praise),
        warnings=tuple(mask(warning, order) for warning in inspection.warnings),
        opinions=tuple(
            replace(o, turn=turn(o.turn), reason=mask(o.reason, order)) for o in inspection.opinions
        ),
    )


def _masked_slot(slot: Slot, order: Order) -> Slot:
    if slot.name == "address":
        return replace(
            slot, said=mask_address(slot.said), filed=mask_address(slot.filed or "") or None
        )
    if slot.name == "name":
        return replace(slot, said=mask(slot.said, order), filed=mask_name(slot.filed or "") or None)
    return replace(
        slot, said=mask(slot.said, order), filed=mask(slot.filed, order) if slot.filed else None
    )


def is_identity_number(digits: str) -> bool:
    """Whether 18 characters are a resident identity number, by its check digit."""
    if not re.fullmatch(r"[1-8]\d{16}[\dXx]", digits):
        return False
    total = sum(int(d) * w for d, w in zip(digits, _ID_WEIGHTS, strict=False))
    return _ID_CHECKS[total % 11] == digits[-1].upper()


def _numbers(text: str) -> Iterator[Span]:
    """Phone and identity numbers, written or spoken digit by digit, whole or piece by piece."""
    for run in _SPOKEN_NUMBER.finditer(text):
        digits = _digits(run.group())
        if len(digits) in (15, 18):
            yield Span(*run.span(), PersonalData.IDENTITY)
        elif _PHONE.fullmatch(digits) and not _DATE.search(run.group()):
            yield Span(*run.span(), PersonalData.PHONE)
        else:
            yield from _other_numbers(text, run.start(), run.end())


def _other_numbers(text: str, start: int, end: int) -> Iterator[Span]:
    """What is left of a run of digits without dates and hotlines, where it may be a phone."""
    run = text[start:end]
    known = [m.span() for pattern in (_DATE, _HOTLINE) for m in pattern.finditer(run)]
    edges = [0, *(edge for span in sorted(known) for edge in span), len(run)]
    rest = list(zip(edges[::2], edges[1::2], strict=True))
    alone = not _PIECE_REST.sub("", text)
    told = bool(_ABOUT_NUMBER.search(text[:start]))
    if sum(len(_digits(run[a:b])) for a, b in rest) >= MIN_DIGITS or alone or told:
        for a, b in rest:
            if _digits(run[a:b]):
                yield Span(start + a, start + b, PersonalData.PHONE)


def _digits(run: str) -> str:
    """The digits of a run as ASCII; an X of an identity number stays."""
    kept = re.findall(rf"{_DIGIT}|[Xx叉]", run)
    return "".join(
        "X" if c in "Xx叉" else str(int(c)) if c.isdecimal() else _CHINESE_DIGITS[c] for c in kept
    )


_CHINESE_DIGITS = dict(zip("零一二三四五六七八九", "0123456789", strict=True)) | {
    "〇": "0",
    "幺": "1",
    "两": "2",
}


def _names(text: str, order: Order | None) -> Iterator[Span]:
    for match in _STRANGER.finditer(text):
        group = "given" if match["given"] else "told"
        yield Span(*match.span(group), PersonalData.NAME)
    name = (order.petitioner or "").strip() if order else ""
    if len(name) < 2 or _FILED_TITLE.search(name):
        return
    kept = _surname_length(name)
    for match in re.finditer(re.escape(name), text, re.IGNORECASE):
        yield Span(match.start() + kept, match.end(), PersonalData.NAME)
    if len(name) - kept >= 2:  # 海峰 alone is the name, 强 alone is a word
        for match in re.finditer(re.escape(name[kept:]), text, re.IGNORECASE):
            yield Span(*match.span(), PersonalData.NAME)
    yield from _sounding_names(text, name, kept)


def _sounding_names(text: str, name: str, kept: int) -> Iterator[Span]:
    """The name as the recogniser may have misheard it: the same syllables in other characters.

    Two syllables are also ordinary words, so they must stand where a name stands.
    """
    wanted, heard = syllables(name), syllables(text)
    for start in range(len(text) - len(name) + 1):
        end = start + len(name)
        if heard[start:end] != wanted:
            continue
        named = _NAME_BEFORE.search(text[:start]) or re.match(_TITLES, text[end:])
        if len(name) > 2 or named:
            yield Span(start + kept, end, PersonalData.NAME)


def _surname_length(name: str) -> int:
    return 2 if name.startswith(_COMPOUND_SURNAMES) and len(name) > 2 else 1


def _houses(text: str, order: Order | None) -> Iterator[Span]:
    """House and room numbers; those of the order also where they stand alone."""
    address = (order.address or "") if order else ""
    filed = {with_digits(address[s.start : s.end]) for s in _address_numbers(address)}
    for number in _NUMBER.finditer(text):
        before, after = text[: number.start()], text[number.end() :]
        value = with_digits(number.group())
        if _is_house(before, value, after, value in filed):
            yield Span(*number.span(), PersonalData.HOUSE)


def _is_house(before: str, value: str, after: str, filed: bool) -> bool:
    if after.startswith("室"):
        return not (len(value) == 1 and _FLAT_AFTER.match(after[1:]))
    if after.startswith("号"):
        if _DATE_BEFORE.search(before) or _NOT_HOUSE_AFTER.match(after):
            return False
        return bool(filed or _HOUSE_AFTER.match(after) or _PLACE_BEFORE.search(before))
    if len(value) < 3 or not value.isdecimal() or _MEASURE_AFTER.match(after):
        return False
    in_place = _ROOM_BEFORE.search(before) or _ROOM_AFTER.match(after)
    return filed or bool(_ROOM_SHAPED.fullmatch(value) or (in_place and len(value) <= 4))


def _address_numbers(address: str) -> list[Span]:
    """Numbers of a filed address but those of lanes, streets and villages."""
    return [
        Span(*number.span(), PersonalData.HOUSE)
        for number in _NUMBER.finditer(address)
        if not _AREA_AFTER.match(address[number.end() :])
        and (number.group().isdecimal() or _HOUSE_UNIT.match(address[number.end() :]))
    ]
