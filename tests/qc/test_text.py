"""Text as the checks see it."""

from hypothesis import given
from hypothesis import strategies as st

from qc.text import folded, plain, simplify, syllables

CHINESE = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), max_size=30)


@given(st.text(max_size=60))
def test_plain_text_is_stable(text: str) -> None:
    assert plain(plain(text)) == plain(text)


@given(CHINESE)
def test_punctuation_and_spaces_do_not_matter(text: str) -> None:
    assert plain(f"，{text}。 ") == plain(text)


@given(CHINESE)
def test_one_syllable_a_character(text: str) -> None:
    assert len(syllables(text)) == len(text)


def test_traditional_and_full_width_become_simplified_and_half_width() -> None:
    assert simplify("裡面１２３４５") == "里面12345"


def test_homophones_share_their_syllables() -> None:
    assert syllables("潍坊新村街道") == syllables("维坊新村接到")


def test_numbers_look_alike_however_they_are_written() -> None:
    assert folded("六月十一号打的") == folded("6月11号打的") == "#月#号打的"


def test_numerals_in_ordinary_words_stay() -> None:
    assert folded("一直不满意，打扰一下") == "一直不满意打扰一下"
