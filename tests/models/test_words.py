"""Tokens become words of one character, punctuation stays with the word before it."""

from hypothesis import given
from hypothesis import strategies as st

from models.recogniser import Word
from models.words import (
    merge_words,
    simplify,
    split_characters,
    split_sentences,
    split_tokens,
)


def word(text: str, start: float = 0.0, end: float = 0.2) -> Word:
    return Word(text, start, end, 0.9)


def texts(words) -> list[str]:
    return [word.text for word in words]


def test_traditional_becomes_simplified_and_keeps_its_pieces():
    assert simplify(["請", "問", "裡面", "的", "髮型"]) == ["请", "问", "里面", "的", "发型"]


def test_a_token_of_two_characters_shares_its_time():
    first, second = split_characters(word("先生", 1.0, 1.6))
    assert (first.text, second.text) == ("先", "生")
    assert first.end == second.start == 1.3


def test_latin_and_numbers_stay_whole():
    assert texts(split_characters(word("A12号"))) == ["A12", "号"]


def test_punctuation_joins_the_word_before():
    merged = merge_words([word("好", 0, 0.2), word("，", 0.2, 0.9), word("我", 0.9, 1.0)])
    assert texts(merged) == ["好，", "我"]
    assert merged[0].end == 0.2


def test_pieces_of_a_number_are_one_word():
    assert texts(merge_words([word("123"), word("45"), word("热")])) == ["12345", "热"]


def test_two_latin_words_stay_two():
    assert texts(merge_words([word("OK"), word(" bye")])) == ["OK", " bye"]


def test_blank_tokens_vanish():
    assert merge_words([word(" "), word("")]) == []


def test_segments_end_with_a_sentence_a_stretch_or_a_pause():
    words = [
        word("您", 0.0, 0.2),
        word("好。", 0.2, 0.4),
        word("我", 0.4, 0.6),
        word("是", 0.6, 0.8),
        word("对", 2.0, 2.2),
        word("的", 2.2, 2.4),
    ]
    parts = split_sentences(words, [0, 0, 0, 1, 1, 1])
    assert ["".join(texts(part)) for part in parts] == ["您好。", "我", "是", "对的"]


def test_no_words_no_segments():
    assert list(split_sentences([], [])) == []


@given(st.text("您好A1，😀窨", max_size=12), st.lists(st.integers(1, 4), min_size=1))
def test_tokens_that_cut_characters_are_put_together(text, sizes):
    data, tokens = text.encode(), []
    for size in sizes:
        tokens.append(data[:size])
        data = data[size:]
    split = list(split_tokens(filter(None, tokens)))
    whole = b"".join(tokens).decode("utf-8", "ignore")
    assert "".join(part for part, _ in split) == whole
    assert sum(count for _, count in split) <= len(list(filter(None, tokens)))


def test_bytes_that_are_no_text_are_left_out():
    good, broken = "您".encode(), b"\xff\xfe"
    assert [t for t, _ in split_tokens([good, broken, good[:2], good, good[:1]])] == [
        "您",
        "",
        "您",
    ]
