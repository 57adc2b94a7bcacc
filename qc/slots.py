"""Slots: the date, address, issue and names that a turn says, compared with the order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import cn2an
from rapidfuzz import fuzz

from qc.order import Order
from qc.text import NUMERAL, plain, simplify, syllables

SlotName = Literal["date", "address", "issue", "name", "department"]

SLOT_TITLES: dict[SlotName, str] = {
    "date": "日期",
    "address": "地址",
    "issue": "诉求",
    "name": "姓名",
    "department": "部门",
}
MIN_ADDRESS_SIMILARITY = 80  # of the pinyin of the place name, 0..100
MIN_ISSUE_SIMILARITY = 0.5  # share of the filed issue's syllable pairs that were said
MIN_NAME_SIMILARITY = 85
# Words of a filed issue that carry no matter of their own.
ISSUE_FILLERS = re.compile("问题|情况|反映|投诉|咨询|建议|请求|要求|希望|相关|严重|长期|多次")
RELATIVE_DATE = re.compile(
    "大前天|前天|昨天|昨日|今天|今日|上上?个?(?:周|星期|礼拜)[一二三四五六日天末]?"
    "|(?:这|本)?个?(?:周|星期|礼拜)[一二三四五六日天]|上个?月|月初|月底|前几天|前两天"
)
_MONTH_DAY = re.compile(
    r"(?<!\d)(?:(\d{1,2})月份? ?)?(?<!\d)(\d{1,2})[号日](?![楼线机口门店桩井弄院梯地室房码])"
)
_MARKS = re.compile(r"[\W_]+")
_NUMERAL_RUN = re.compile(rf"[{NUMERAL}]+")
# A date that is no house number: with its month, or with what was done that day.
_SURE_DATE = re.compile(
    r"\d{1,2}月份? ?\d{1,2}[号日]"
    r"|\d{1,2}[号日](?=反映|反应|打|说|讲|报|投诉|来电|那天|上午|下午|早|晚)"
)
_REPORTED = re.compile(r".{0,4}(反映|反应|打|来电|投诉|报|提)")
_HOUSE_NUMBER = re.compile(r"(\d+)([号弄栋幢室])")


@dataclass(frozen=True)
class Slot:
    """What was said for one field of the order; `agrees` is None where nothing can be compared."""

    name: SlotName
    said: str
    filed: str | None
    agrees: bool | None


@lru_cache(maxsize=65536)
def with_digits(text: str) -> str:
    """Text with Chinese numerals as digits and every mark a space: 一百零五号六零二 → 105号602.

    For slots only: it also turns 一直 into 1直, so it must never be shown or searched for cues.
    """
    words = _MARKS.sub(" ", simplify(text)).strip()
    return _NUMERAL_RUN.sub(lambda run: _digits(run.group()), words)


def _digits(numeral: str) -> str:
    numeral = numeral.replace("两", "二").replace("〇", "零").replace("幺", "一")
    if not re.search("[十百千万]", numeral):
        return "".join(str("零一二三四五六七八九".index(character)) for character in numeral)
    try:
        return str(cn2an.cn2an(numeral, "smart"))
    except (ValueError, KeyError):  # 两千零十八十一: two numbers run together
        return numeral


def find_slots(text: str, order: Order) -> Iterator[Slot]:
    """Yield every slot that a turn says, in the order date, address, issue, name, department."""
    for slot in (
        find_date(text, order.reported_on),
        find_address(text, order.address),
        find_issue(text, order.issue),
        find_name(text, order.petitioner),
        find_department(text, order.department),
    ):
        if slot is not None:
            yield slot


def find_date(text: str, reported_on: date | None) -> Slot | None:
    """The day that a turn names: 6月11号, 六月十一日, 11号, or relative (昨天, 上周三)."""
    filed = reported_on.isoformat() if reported_on else None
    match = _MONTH_DAY.search(with_digits(text))
    if match and 1 <= int(match[2]) <= 31:
        agrees = None
        if reported_on:
            same_month = match[1] is None or int(match[1]) == reported_on.month
            same = same_month and int(match[2]) == reported_on.day
            # another day is a mismatch only where it is said to be the day of the report
            reported = _REPORTED.match(with_digits(text)[match.end() :])
            agrees = True if same else False if reported else None
        return Slot("date", match.group(), filed, agrees)
    relative = RELATIVE_DATE.search(plain(text))
    return Slot("date", relative.group(), filed, None) if relative else None


def find_address(text: str, address: str | None) -> Slot | None:
    """The filed address in a turn: its place name by sound, its numbers by value."""
    if not address:
        return None
    said, filed = _SURE_DATE.sub(" ", with_digits(text)), with_digits(address)
    place = _place_name(filed)
    heard_place = bool(place) and _sounds_in(place, said) >= MIN_ADDRESS_SIMILARITY
    said_numbers, filed_numbers = _house_numbers(said), _house_numbers(filed)
    common = set(re.findall(r"\d+", filed)) & set(re.findall(r"\d+", said))
    if not heard_place and not any(len(number) >= 2 for number in common):
        return None
    differs = heard_place and any(
        said_numbers[unit].isdisjoint(numbers)
        for unit, numbers in filed_numbers.items()
        if unit in said_numbers
    )
    told = differs and "".join(f"{min(n)}{unit}" for unit, n in said_numbers.items())
    quote = (place if heard_place else "") + (told or "、".join(sorted(common)))
    vague = bool(filed_numbers) and not common
    return Slot("address", quote, address, None if vague and not differs else not differs)


def _house_numbers(text: str) -> dict[str, set[str]]:
    """Numbers by their unit: {"号": {"105"}, "室": {"602"}}."""
    numbers: dict[str, set[str]] = {}
    for number, unit in _HOUSE_NUMBER.findall(text):
        numbers.setdefault(unit, set()).add(number)
    return numbers


def _place_name(filed: str) -> str:
    """The part of an address that names the place: what stands before its first number."""
    words = [part for part in re.split(r"\d+[弄号室楼栋幢层]", filed) if len(part) >= 2]
    name = words[0] if words else ""
    return re.sub("^.*?(?:街道|镇|区|市)", "", name) or name


def _sounds_in(words: str, text: str) -> float:
    if len(text) < len(words):
        return 0.0
    return fuzz.partial_ratio(" ".join(syllables(words)), " ".join(syllables(text)))


def issue_similarity(text: str, issue: str | None) -> float:
    """Share (0..1) of the filed issue's pairs of syllables that a turn says, in any order."""
    if not issue:
        return 0.0
    filed = syllables(ISSUE_FILLERS.sub("", with_digits(issue)))
    if len(filed) < 2:
        return 0.0
    said = syllables(with_digits(text))
    said_pairs = set(pairwise(said))
    pairs = list(pairwise(filed))
    return sum(pair in said_pairs for pair in pairs) / len(pairs)


def find_issue(text: str, issue: str | None) -> Slot | None:
    """The filed issue in a turn, in the same or nearly the same words."""
    similarity = issue_similarity(text, issue)
    if similarity < MIN_ISSUE_SIMILARITY:
        return None
    return Slot("issue", issue or "", issue, True)


def find_name(text: str, petitioner: str | None) -> Slot | None:
    """The petitioner's full name, or surname with a form of address, by sound."""
    if not petitioner:
        return None
    said = plain(text)
    form = re.search(
        "(.{1,2})(先生|女士|小姐|阿姨|老师|师傅|叔叔|爷叔|伯伯|大姐|同志|奶奶|大哥)", said
    )
    if len(petitioner) >= 2 and _sounds_in(petitioner, said) >= MIN_NAME_SIMILARITY:
        return Slot("name", petitioner, petitioner, True)
    if form:
        surname = syllables(petitioner[:1])[0]
        agrees = surname in syllables(form[1])
        return Slot("name", form.group(), petitioner, agrees or None)
    return None


def find_department(text: str, department: str | None) -> Slot | None:
    """The department's name or a short form of it (its last four characters), by sound."""
    if not department:
        return None
    said = plain(text)
    for words in (department, department[-4:], department[:-2]):
        if len(words) >= 3 and _sounds_in(words, said) >= MIN_NAME_SIMILARITY:
            # 城管中队 alone may be another street's
            return Slot("department", words, department, True if words == department else None)
    return None
