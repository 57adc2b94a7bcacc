"""What was heard right and written wrong is written right; nothing that was heard is changed."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypinyin import lazy_pinyin

from models.homophones.rewrite import HomophoneRewriter
from models.homophones.train import count
from models.homophones.word_model import WordModel
from models.recogniser import Segment, Word


@cache
def rewriter() -> HomophoneRewriter:
    return HomophoneRewriter(WordModel.load())


def segment(text: str, confidence: float = 0.6) -> Segment:
    """One word a character, with the sign after it."""
    words: list[Word] = []
    for character in text:
        if words and character in "，。？！":
            words[-1] = Word(words[-1].text + character, *_times(len(words) - 1), confidence)
        else:
            words.append(Word(character, *_times(len(words)), confidence))
    return Segment(text, 0.0, len(words) / 5, tuple(words), confidence, 0.0, 1.0)


def _times(number: int) -> tuple[float, float]:
    return number / 5, (number + 1) / 5


def rewritten(text: str, *hot_words: str, confidence: float = 0.6) -> str:
    (found,) = rewriter().rewrite([segment(text, confidence)], hot_words)
    assert found.text == "".join(word.text for word in found.words)
    return found.text


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("后出卫生不达标，要求整该。", "后厨卫生不达标，要求整改。"),
        ("垃及桶满了没人清云", "垃圾桶满了没人清运"),
        ("居住正积分需要设保", "居住证积分需要社保"),
    ],
)
def test_the_words_of_the_field_are_written_as_they_are_meant(heard: str, meant: str) -> None:
    assert rewritten(heard) == meant


def test_what_the_recogniser_is_sure_of_stays() -> None:
    assert rewritten("他是通情达理的人", confidence=0.999) == "他是通情达理的人"


def test_the_order_tells_which_name_was_meant() -> None:
    heard = "民先生，请问您是民见国吗？"
    assert rewritten(heard, "闵建国", "闵先生") == "闵先生，请问您是闵建国吗？"
    assert "闵建国" not in rewritten(heard)


def test_places_of_the_order_lend_their_words_but_not_their_numbers() -> None:
    assert rewritten("我们到秒境路看过了", "妙境路512弄3号") == "我们到妙境路看过了"


@settings(max_examples=60, deadline=None)
@given(st.text("的是不了我你他这那有在人到说去要会么没事情问题解决，。？！A5 \u9fa5", max_size=20))
def test_sounds_signs_and_times_stay(text: str) -> None:
    before = segment(text.lstrip("，。？！ "))
    (after,) = rewriter().rewrite([before], ())
    assert [w.start for w in after.words] == [w.start for w in before.words]
    assert [w.text[1:] for w in after.words] == [w.text[1:] for w in before.words]
    for old, new in zip(before.words, after.words, strict=True):
        if old.text != new.text:
            readings = {s for w in (old, new) for s in lazy_pinyin(w.text[0])}
            assert len(readings) == 1 or lazy_pinyin(after.text) == lazy_pinyin(before.text)


def test_a_model_is_counted_kept_and_read(tmp_path) -> None:
    model = count(["窨井盖坏了", "窨井堵了", "水管坏了"])
    model.save(tmp_path / "words.npz")
    again = WordModel.load(tmp_path / "words.npz")
    number = {word: n for n, word in enumerate(again.words)}
    assert again.log_chance(number["水管"], number["坏"]) == pytest.approx(
        model.log_chance(number["水管"], number["坏"]), rel=1e-5
    )
    assert again.log_chance(0, number["窨井"]) > again.log_chance(0, number["城市"])
    assert number["水管"] in again.alike["shui", "guan"]
