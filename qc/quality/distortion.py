"""The same call as another recogniser might have written it, to see whether the judgement holds.

Only the turns are distorted; the order stays as it was filed. Every distortion is reproducible: the
homophones depend on the call's id, the turn and `SEED` alone.

Homophones: each Chinese character is replaced with the given probability by another one of the
same syllable, tone disregarded. The syllable is the character's reading in its sentence (行 in
银行 is hang); the substitutes, drawn evenly, are the 3,755 common characters (level 1 of GB 2312)
whose commonest reading is that syllable. Characters without such a homophone stay.
"""

import random
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial

import cn2an
from pypinyin import Style, lazy_pinyin

from qc.order import Call
from qc.text import NUMERAL

SEED = 20240611
HOMOPHONE_SHARES = (0.05, 0.10, 0.20)
LEVEL_1 = range(0xB0, 0xD8)  # first bytes of the common characters in GB 2312
CELLS = range(0xA1, 0xFF)  # second bytes

Distortion = Callable[[str, random.Random], str]

_HAN = re.compile(r"[一-鿿]")
_DIGITS = "零一二三四五六七八九"
# Arabic: with decimals; time of day and versions (14:30, 3.2.1) are left alone.
_ARABIC = re.compile(r"(?<![\d.:：])\d+(?:\.\d+)?(?![\d:：]|\.\d)")
_MEASURE_OF_TWO = tuple("个次天家位户条件张年周遍趟")  # 两个, not 二个
# 900弄, 1200元 are read as numbers; 602, 110 and the pieces of a telephone number digit by digit.
_MEASURE = tuple("弄号元块米人个次户天路平斤度分公万多只")
# Chinese numerals: numbers with units (一百零五, 十一), digits read out (六零二, 一三八…), and a
# single digit before what is surely counted or named by it.
_RUN = re.compile(rf"[{NUMERAL}]+")
_ONE = "[一二三四五六七八九]"
_NUMBER = re.compile(rf"{_ONE}?十{_ONE}?|(?:两|{_ONE})[百千万].*")
_READ_OUT = re.compile("[〇零一二三四五六七八九幺]{3,}")
_NAMED_AFTER = tuple("月号日弄室栋幢层楼")
_NO_NUMBER_AFTER = ("几", "多", "来", "分感", "分抱", "分理", "分重", "足", "全", "万火", "有八九")
_IDIOMS = re.compile("千万(?!元|块|人)|万一|一一|一五一十|七七八八|乱七八糟|三三两两")


def homophones(text: str, rng: random.Random, share: float) -> str:
    """Characters replaced by others of the same syllable, each with probability `share`."""
    places = [match.start() for match in _HAN.finditer(text)]
    sounds = lazy_pinyin("".join(text[place] for place in places))
    characters = list(text)
    for place, sound in zip(places, sounds, strict=True):
        others = [c for c in _same_syllable().get(sound, ()) if c != text[place]]
        if rng.random() < share and others:
            characters[place] = rng.choice(others)
    return "".join(characters)


@lru_cache(maxsize=1)
def _same_syllable() -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for row in LEVEL_1:
        for cell in CELLS:
            try:
                character = bytes((row, cell)).decode("gb2312")
            except UnicodeDecodeError:  # the last five cells of level 1 are empty
                continue
            found[lazy_pinyin(character, style=Style.NORMAL)[0]].append(character)
    return found


def without_punctuation(text: str, rng: random.Random) -> str:
    """As recognisers write that know no punctuation."""
    return "".join(c for c in text if not unicodedata.category(c).startswith(("P", "Z")))


@lru_cache(maxsize=1)
def _to_traditional():
    import opencc

    return opencc.OpenCC("s2t")


def traditional(text: str, rng: random.Random) -> str:
    """In Traditional characters."""
    return _to_traditional().convert(text)


def other_numerals(text: str, rng: random.Random) -> str:
    """Numbers in the other script: 105号602室 ↔ 一百零五号六零二室; telephone digits one by one.

    Only numbers change: 一下, 千万别 and 两三天 stay.
    """
    parts = []
    end = 0
    for match in re.finditer(rf"{_ARABIC.pattern}|{_RUN.pattern}", text):
        number, after = match.group(), text[match.end() :]
        written = _in_chinese(number, after) if number[0].isascii() else _in_digits(text, match)
        parts += [text[end : match.start()], written]
        end = match.end()
    return "".join(parts) + text[end:]


def _in_chinese(number: str, after: str) -> str:
    """An Arabic number in Chinese; years, rooms and telephone numbers are read digit by digit."""
    read_out = number.isdecimal() and (
        (number.startswith("0") and len(number) > 1)
        or (len(number) > 2 and not after.startswith(_MEASURE))
    )
    if read_out:
        return "".join(_DIGITS[int(digit)] for digit in number)
    if number == "2" and after.startswith(_MEASURE_OF_TWO):
        return "两"
    try:
        return cn2an.an2cn(number, "low")
    except ValueError:  # longer than anything that is read as one number
        return number


def _in_digits(text: str, match: re.Match[str]) -> str:
    """A run of Chinese numerals in Arabic digits; as it was where it is no number."""
    run, after = match.group(), text[match.end() :]
    if text[: match.start()].endswith("百分之") or _IDIOMS.search(
        text[max(0, match.start() - 1) : match.end() + 1]
    ):
        return run
    if _READ_OUT.fullmatch(run):
        digits = run.replace("〇", "零").replace("幺", "一")
        return "".join(str(_DIGITS.index(digit)) for digit in digits)
    single = len(run) == 1 and run in _DIGITS and after.startswith(_NAMED_AFTER)
    if not single and (not _NUMBER.fullmatch(run) or after.startswith(_NO_NUMBER_AFTER)):
        return run
    try:
        return str(cn2an.cn2an(run.replace("两", "二").replace("〇", "零"), "smart"))
    except (ValueError, KeyError):  # two numbers run together
        return run


DISTORTIONS: Mapping[str, Distortion] = {
    **{f"同音字 {share:.0%}": partial(homophones, share=share) for share in HOMOPHONE_SHARES},
    "无标点": without_punctuation,
    "繁体字": traditional,
    "数字换写": other_numerals,
}


def distort(call: Call, title: str, seed: int = SEED) -> Call:
    """The call with every turn distorted; `title` is a key of `DISTORTIONS`."""
    change = DISTORTIONS[title]
    turns = tuple(
        turn.model_copy(
            update={"text": change(turn.text, random.Random(f"{seed} {call.call_id} {index}"))}
        )
        for index, turn in enumerate(call.turns)
    )
    return call.model_copy(update={"turns": turns})
