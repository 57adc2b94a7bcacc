"""Text as the checks see it: Simplified, half width, without marks, numerals folded; and pinyin."""

import re
import unicodedata
from functools import lru_cache

from pypinyin import Style, lazy_pinyin

NUMERAL = "〇零一二两三四五六七八九十百千万幺"
# Words after which a single Chinese numeral counts something (六月, 三号楼, 两次).
COUNTED = "月号日点楼弄室栋幢层户次个天年周岁块元米遍趟位名单组区村期度分小"
_NUMBERS = re.compile(
    rf"\d+(?:\.\d+)?|[{NUMERAL}]{{2,}}|[{NUMERAL}](?=[{COUNTED}])|(?<=[月号第礼拜])[{NUMERAL}]"
)
_NOT_TEXT = re.compile(r"[^\w#]+|_")
NUMBER_SIGN = "#"


@lru_cache(maxsize=1)
def _to_simplified():
    import opencc

    return opencc.OpenCC("t2s")


def simplify(text: str) -> str:
    """Half width and Simplified characters; punctuation and spacing stay."""
    text = unicodedata.normalize("NFKC", text)
    return text if text.isascii() else _to_simplified().convert(text)


@lru_cache(maxsize=65536)
def plain(text: str) -> str:
    """Simplified text without punctuation or spaces, lower case: what cues are searched in."""
    return _NOT_TEXT.sub("", simplify(text)).lower()


@lru_cache(maxsize=65536)
def folded(text: str) -> str:
    """`plain` text with every number written as `#`, so that 六月十一号 and 6月11号 look alike."""
    return _NUMBERS.sub(NUMBER_SIGN, plain(text))


@lru_cache(maxsize=16384)
def syllable(character: str) -> str:
    """Toneless pinyin of one character by its commonest reading; other signs stand for themselves.

    One reading a character, whatever its neighbours: a recogniser's homophone then always has the
    same syllable as the character that it replaced.
    """
    return lazy_pinyin(character, style=Style.NORMAL)[0]


def syllables(text: str) -> list[str]:
    """Toneless pinyin of `text`, one item a character."""
    return [syllable(character) for character in text]


def is_unfinished(text: str) -> bool:
    """Whether a sentence breaks off: a trailing comma, or no closing mark in a text with marks."""
    stripped = text.rstrip()
    if stripped.endswith(("，", ",", "—", "、", "-")):
        return True
    has_marks = bool(re.search(r"[，。？！,?!]", stripped))
    return has_marks and not stripped.endswith(
        ("。", "？", "！", "?", "!", "…", "”", ".", "~", "～")
    )
