"""Distorted calls: as much changed as was asked for, and nothing else."""

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypinyin import lazy_pinyin

from qc.order import Call, read_call, read_lines
from qc.quality.distortion import (
    DISTORTIONS,
    distort,
    homophones,
    other_numerals,
    traditional,
    without_punctuation,
)
from qc.text import plain, simplify

CORPUS = Path(__file__).parents[3] / "samples" / "corpus"
RNG = random.Random(0)


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    return [read_call(line, "dev-a") for _, line in read_lines(CORPUS / "dev-a.jsonl")]


def share_changed(before: list[Call], after: list[Call]) -> float:
    pairs = [
        (x, y)
        for a, b in zip(before, after, strict=True)
        for s, t in zip(a.turns, b.turns, strict=True)
        for x, y in zip(s.text, t.text, strict=True)
        if "一" <= x <= "鿿"
    ]
    return sum(x != y for x, y in pairs) / len(pairs)


@pytest.mark.parametrize("share", [0.05, 0.10, 0.20])
def test_the_share_of_wrong_characters_is_the_one_asked_for(calls, share: float) -> None:
    changed = share_changed(calls, [distort(call, f"同音字 {share:.0%}") for call in calls])
    assert changed == pytest.approx(share, abs=0.01)


def test_a_homophone_sounds_like_what_it_replaces() -> None:
    for text in ("您反映的问题我们已经处理好了", "银行旁边的路灯", "重新装修"):
        wrong = homophones(text, random.Random(1), 1.0)
        assert wrong != text
        for sound, character in zip(lazy_pinyin(text), wrong, strict=True):
            assert sound in lazy_pinyin(character)


def test_the_same_call_is_always_distorted_alike(calls) -> None:
    for title in DISTORTIONS:
        assert distort(calls[0], title) == distort(calls[0], title)
    assert distort(calls[0], "同音字 20%") != distort(calls[0], "同音字 20%", seed=1)


def test_only_the_words_of_the_turns_change(calls) -> None:
    for title in DISTORTIONS:
        changed = distort(calls[3], title)
        same = {"turns": calls[3].turns}
        assert changed.model_copy(update=same) == calls[3]
        assert [t.role for t in changed.turns] == [t.role for t in calls[3].turns]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("您6月11号反映的105号602室", "您六月十一号反映的一百零五号六零二室"),
        ("一百零五号六零二室", "105号602室"),
        ("二零二四年六月", "2024年6月"),
        ("打12345，1200元，2个", "打一二三四五，一千二百元，两个"),
        ("尾号幺三八零零", "尾号13800"),
    ],
)
def test_numbers_are_written_the_other_way(before: str, after: str) -> None:
    assert other_numerals(before, RNG) == after


@pytest.mark.parametrize(
    "text", ["等一下，我一定转告", "千万别急", "万一", "两三天", "十分感谢", "百分之五十", "14:30"]
)
def test_what_is_no_number_stays(text: str) -> None:
    assert other_numerals(text, RNG) == text


def test_traditional_characters_come_back(calls) -> None:
    texts = [turn.text for call in calls for turn in call.turns]
    changed = [traditional(text, RNG) for text in texts]
    assert changed != texts
    assert [simplify(t) for t in changed[:50]] == [simplify(t) for t in texts[:50]]


@given(st.text())
def test_any_text_survives_every_distortion(text: str) -> None:
    for change in DISTORTIONS.values():
        assert isinstance(change(text, random.Random(0)), str)
    assert not re.search(r"[，。？！,.?! ]", without_punctuation(text, RNG))


@given(st.from_regex(r"[0-9零一二三四五六七八九十百千万幺两.]{0,12}[号室年元]?", fullmatch=True))
def test_any_number_survives(text: str) -> None:
    assert bool(plain(other_numerals(text, RNG))) == bool(plain(text))
