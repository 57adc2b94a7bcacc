"""How written Chinese is said: digits become characters, signs become `，。？！` or nothing."""

import re

HAN = "\u4e00-\u9fff"
PAUSES = "，。？！"
DIGITS = "零一二三四五六七八九"
UNIT_POWERS = ("", "十", "百", "千")

# A number before one of these is read as a quantity when it is short (3 天 → 三天), digit by digit
# when it is long (1090 号 → 一零九零号), as people read house numbers.
SHORT_UNITS = "月|号|日|点|个|天|年级|楼|分|岁|次|户|弄|幢|栋|层|度|米|斤|小时|周|位|室"
# A number before one of these is always a quantity (120 元 → 一百二十元).
LONG_UNITS = "元|块|万|平方|平米|公里|分贝|人次|分钟|吨|人"

# Two of these is 两, not 二.
COUNTED = "点|个|天|次|户|米|斤|小时|周|位|元|块|万|平方|平米|公里|人次|分钟|吨|人"

LETTERS = {
    "A": "诶", "B": "比", "C": "西", "D": "弟", "E": "伊", "F": "艾付", "G": "记", "H": "艾曲",
    "I": "爱", "J": "接", "K": "开", "L": "艾欧", "M": "艾姆", "N": "恩", "O": "欧", "P": "批",
    "Q": "扣", "R": "阿", "S": "艾丝", "T": "提", "U": "优", "V": "微", "W": "达不溜",
    "X": "埃克斯", "Y": "外", "Z": "贼",
}  # fmt: skip

SIGNS = str.maketrans(
    {
        **dict.fromkeys("；、：—,～~（）()[]【】/;:-", "，"),
        **dict.fromkeys("…!！", "！"),
        **dict.fromkeys("?", "？"),
        **dict.fromkeys("“”《》·‘’\"'「」", None),
        "…": "。",
        ".": "。",
    }
)


def say_quantity(number: int) -> str:
    """Read a whole number below ten thousand as a quantity: 120 → 一百二十."""
    if number == 0:
        return DIGITS[0]
    said, skipped = "", False
    for power in range(3, -1, -1):
        digit = number // 10**power % 10
        if digit == 0:
            skipped = bool(said)
            continue
        said += (DIGITS[0] if skipped else "") + DIGITS[digit] + UNIT_POWERS[power]
        skipped = False
    return said.removeprefix("一") if said.startswith("一十") else said


def say_digits(digits: str) -> str:
    """Read digit by digit: 12345 → 一二三四五."""
    return "".join(DIGITS[int(digit)] for digit in digits)


def _say_number(match: re.Match[str]) -> str:
    digits, unit = match[1], match[2]
    if digits == "2" and re.fullmatch(COUNTED, unit):
        return "两" + unit
    limit = 2 if re.fullmatch(SHORT_UNITS, unit) else 4
    said = say_quantity(int(digits)) if len(digits) <= limit else say_digits(digits)
    return said + unit


def _say_decimal(whole: str, fraction: str) -> str:
    return f"{say_quantity(int(whole))}点{say_digits(fraction)}"


def spoken(text: str) -> str:
    """Rewrite a text as it is said.

    Args:
        text: Chinese with digits, Latin letters and any signs.

    Returns:
        Chinese characters and `，。？！` only; what cannot be said is left out.
    """
    text = re.sub(r"\s", "", text)
    text = re.sub(r"(\d+)[-~～—](\d+)", r"\1到\2", text)
    text = re.sub(r"(\d{1,2})[:：](\d{2})", r"\1点\2分", text)
    text = re.sub(
        r"(\d+)\.(\d+)", lambda m: f"{say_quantity(int(m[1][-4:]))}点{say_digits(m[2])}", text
    )
    text = re.sub(r"(\d{1,4})%", lambda m: "百分之" + say_quantity(int(m[1])), text)
    text = re.sub(rf"(\d+)({LONG_UNITS}|{SHORT_UNITS})", _say_number, text)
    text = re.sub(r"\d", lambda m: DIGITS[int(m[0])], text)
    text = re.sub(r"[A-Za-z]", lambda m: LETTERS[m[0].upper()], text)
    text = re.sub(rf"[^{HAN}{PAUSES}]", "", text.translate(SIGNS))
    text = re.sub(r"[，。？！]*([。？！])[，。？！]*", r"\1", text)
    return re.sub("，+", "，", text).lstrip(PAUSES)


def han_only(text: str) -> str:
    """Keep the characters that are said: what the error rates compare."""
    return re.sub(rf"[^{HAN}]", "", spoken(text))


def utterances(text: str, longest: int = 26) -> list[str]:
    """Cut a spoken text at its full stops, and at commas where it is longer than `longest`."""
    parts: list[str] = []
    for sentence in re.findall(r"[^。？！]+[。？！]?", text):
        current = ""
        for clause in re.findall(r"[^，]+，?", sentence):
            if current and len(current) + len(clause) > longest:
                parts.append(current)
                current = ""
            current += clause
        parts.append(current)
    return [part for part in parts if re.search(f"[{HAN}]", part)]
