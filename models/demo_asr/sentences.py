"""What the demo recogniser is trained to write: passages of domain text in spoken characters."""

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import jieba
import yaml

from models.demo_asr.spoken import DIGITS, HAN, say_digits, say_quantity, spoken, utterances

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "samples" / "corpus"  # labelled calls and turns, JSON Lines
DOCUMENTS = ROOT / "scripts_catalog" / "sources"  # the published service standards, plain text
SCENES = Path(__file__).with_name("texts")  # invented calls: a turn a line, calls apart by blanks
PATTERNS = Path(__file__).with_name("patterns.yaml")

# Never trained on: the calls by which the error rates are measured.
HELD_OUT = frozenset(f"dev-a-{number:03d}" for number in range(41, 51))

COMMON_WORD = 60  # least frequency in jieba's dictionary of a word that is drawn
UNPUNCTUATED = 14  # characters; a longer line without a sign is imitated recogniser output

Passage = tuple[str, ...]  # utterances in order, each at most about 28 characters


@dataclass(frozen=True)
class Texts:
    """Where the text is drawn from."""

    calls: tuple[Passage, ...]
    turns: tuple[Passage, ...]
    documents: tuple[Passage, ...]


def is_clean(text: str) -> bool:
    """Whether a line is written as people write, not in the style of a recogniser's output.

    Such lines are in the corpus for other models; their wrong homophones would be learned here.
    """
    if re.search(rf"[{HAN}]\s+[{HAN}]", text):
        return False
    return len(text) <= UNPUNCTUATED or re.search("[，。？！]", text) is not None


def _passage(lines: Iterable[str]) -> Passage:
    return tuple(part for line in lines if is_clean(line) for part in utterances(spoken(line)))


def read_calls(path: Path, *, held_out: bool = False) -> Iterator[tuple[str, list[dict]]]:
    """Calls of one file as (call_id, turns); only those held out, or only the others."""
    for line in path.read_text(encoding="utf8").splitlines():
        call = json.loads(line)
        if "turns" in call and (call["call_id"] in HELD_OUT) == held_out:
            yield call["call_id"], call["turns"]


def read_texts(
    corpora: Iterable[Path] = (CORPUS,), documents: Path = DOCUMENTS, scenes: Path = SCENES
) -> Texts:
    """Read every call, labelled turn and document that may be trained on."""
    calls: list[Passage] = []
    turns: list[Passage] = []
    for path in sorted(path for folder in corpora for path in folder.glob("*.jsonl")):
        calls += [_passage(turn["text"] for turn in call) for _, call in read_calls(path)]
        for line in path.read_text(encoding="utf8").splitlines():
            item = json.loads(line)
            if "text" in item:
                before = [said.split(":", 1)[-1] for said in item.get("prev") or ()]
                turns.append(_passage([*before, item["text"]]))
    for path in sorted(scenes.glob("*.txt")):
        for call in path.read_text(encoding="utf8").split("\n\n"):
            calls.append(_passage(call.split()))
    texts = []
    for path in sorted(documents.glob("*.txt")):
        plain = re.sub(r"\s", "", path.read_text(encoding="utf8"))
        texts.append(_passage(re.findall("[^。！？；]+[。！？；]?", plain)))
    return Texts(tuple(filter(None, calls)), tuple(filter(None, turns)), tuple(filter(None, texts)))


@cache
def _patterns() -> dict[str, list[str]]:
    read = yaml.safe_load(PATTERNS.read_text(encoding="utf8"))
    lists = {name: lines.split() for name, lines in read.items()}
    for name in ("surnames", "given"):
        lists[name] = list("".join(lists[name]))
    return lists


def person(random: Random) -> str:
    """A full name."""
    return random.choice(_patterns()["surnames"]) + given_name(random)


def given_name(random: Random) -> str:
    return "".join(random.sample(_patterns()["given"], random.choice([1, 2, 2])))


def address(random: Random) -> str:
    """A place as callers name it."""
    lists = _patterns()
    kind, number = random.random(), say_quantity(random.randint(1, 99))
    if kind < 0.35:
        room = say_digits(str(random.randint(1, 18) * 100 + random.randint(1, 6)))
        return f"{random.choice(lists['estates'])}{number}号{room}室"
    road = random.choice(lists["roads"])
    if kind < 0.55:
        return f"{road}{_house(random)}弄{number}号"
    if kind < 0.75:
        return f"{road}{_house(random)}号"
    return random.choice(lists["estates"] + lists["roads"]) + random.choice(lists["spots"])


def _house(random: Random) -> str:
    number = random.randint(1, 1999)
    return say_quantity(number) if number < 100 else say_digits(str(number))


def past_day(random: Random) -> str:
    if random.random() < 0.5:
        return random.choice(_patterns()["past"])
    month, day = random.randint(1, 12), random.randint(1, 31)
    return f"{say_quantity(month)}月{say_quantity(day)}{random.choice('号日号')}"


def phone(random: Random) -> str:
    return "一" + "".join(random.choice(DIGITS) for _ in range(10))


def fill(pattern: str, random: Random) -> str:
    """Put names, places, days and numbers into a pattern's `{slots}`."""
    lists = _patterns()
    fillers = {
        "n": person,
        "x": address,
        "a": past_day,
        "p": phone,
        "k": lambda r: r.choice(["两", *map(say_quantity, [1, *range(3, 13), r.randint(13, 99)])]),
        "h": lambda r: say_quantity(r.randint(1, 12)),
        "m": lambda r: say_quantity(r.choice([r.randint(2, 90) * 10, r.randint(100, 9999)])),
        "q": lambda r: say_digits(f"{r.randint(0, 9999):04d}"),
    }
    names = {"g": "given", "d": "departments", "o": "streets",
             "i": "issues", "e": "estates", "r": "roads", "y": "coming", "c": "causes",
             "w": "deeds", "f": "feelings", "b": "things"}  # fmt: skip
    # The same person throughout: {s}{t}您好，是{s}{t}吗
    same = {"s": random.choice(lists["surnames"]), "t": random.choice(lists["titles"])}

    def drawn(match: re.Match[str]) -> str:
        slot = match[1]
        if slot in same:
            return same[slot]
        return fillers[slot](random) if slot in fillers else random.choice(lists[names[slot]])

    filled = pattern
    while re.search(r"\{\w\}", filled):  # a filler may hold slots itself
        filled = re.sub(r"\{(\w)\}", drawn, filled)
    return filled


def pattern_passage(random: Random) -> Passage:
    """A few filled patterns, as a stretch of a call."""
    chosen = random.choices(_patterns()["patterns"], k=random.randint(1, 4))
    return tuple(part for p in chosen for part in utterances(spoken(fill(p, random))))


@cache
def _common_words() -> tuple[list[str], list[float]]:
    jieba.setLogLevel(60)
    jieba.initialize()
    words = [
        (word, count)
        for word, count in jieba.dt.FREQ.items()
        if count > COMMON_WORD and re.fullmatch(f"[{HAN}]{{1,4}}", word)
    ]
    # The root flattens the frequencies: rare words are what this is for. Single characters
    # say little about which homophone is meant, so they are drawn less.
    weights = (count**0.6 * (1.5 if len(word) > 1 else 0.4) for word, count in words)
    return [word for word, _ in words], list(itertools.accumulate(weights))


def salad_passage(random: Random) -> Passage:
    """Random words by frequency, so that no character of the language is unseen."""
    words, weights = _common_words()
    said = random.choices(words, cum_weights=weights, k=random.randint(2, 7))
    return ("".join(said) + random.choice("，。。？"),)


def vary(passage: Passage, random: Random) -> Passage:
    """Other surnames and digits, the same throughout: names are not to be learned by heart."""
    lists = _patterns()
    surnames: dict[str, str] = {}
    titles = "|".join(sorted(set(lists["titles"])))
    known = "".join(lists["surnames"])

    def rename(match: re.Match[str]) -> str:
        if match[1] not in surnames:
            keep = random.random() < 0.5
            surnames[match[1]] = match[1] if keep else random.choice(lists["surnames"])
        return surnames[match[1]] + match[2]

    def renumber(match: re.Match[str]) -> str:
        return "".join(random.choice(DIGITS) for _ in match[0])

    return tuple(
        re.sub(rf"[{DIGITS}]{{3,}}", renumber, re.sub(rf"([{known}])({titles})", rename, part))
        for part in passage
    )


SHARES = {"calls": 0.42, "turns": 0.25, "patterns": 0.18, "documents": 0.05, "salad": 0.10}


def draw_passage(texts: Texts, random: Random) -> Passage:
    """Draw a stretch of text of one kind; calls and documents begin anywhere."""
    kind = random.choices(list(SHARES), list(SHARES.values()))[0]
    if kind == "patterns":
        return pattern_passage(random)
    if kind == "salad":
        return salad_passage(random)
    passage = random.choice(getattr(texts, kind))
    if kind == "turns":
        return vary(passage, random)
    first = 0 if random.random() < 0.2 else random.randrange(len(passage))
    return vary(passage[first : first + random.randint(3, 14)], random)
