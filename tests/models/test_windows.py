"""Every stretch of speech is in one window, and every time finds its way back."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.voice_activity import SAMPLE_RATE, Span
from models.windows import GAP, Window, group_by_stretch, pack

LIMIT = 20.0
QUIET = np.zeros(400 * SAMPLE_RATE, np.float32)


@st.composite
def stretches(draw) -> list[Span]:
    spans, now = [], 0.0
    for pause, seconds in draw(
        st.lists(st.tuples(st.floats(0, 9), st.floats(0.2, 45)), max_size=7)
    ):
        spans.append(Span(now + pause, now + pause + seconds))
        now += pause + seconds
    return spans


@given(stretches())
def test_windows_hold_all_speech_once_and_keep_the_limit(speech):
    windows = pack(speech, QUIET, LIMIT)
    packed = [stretch for window in windows for stretch in window.stretches]
    assert sum(s.seconds for s in packed) == pytest.approx(sum(s.seconds for s in speech))
    assert all(a.end <= b.start + 1e-9 for a, b in itertools.pairwise(packed))
    assert all(window.seconds <= LIMIT + 1e-6 for window in windows)


@given(stretches(), st.floats(0, 1))
def test_times_find_their_way_back(speech, share):
    for window in pack(speech, QUIET, LIMIT):
        for i, (stretch, offset) in enumerate(zip(window.stretches, window.offsets, strict=True)):
            time = offset + share * stretch.seconds
            assert window.stretch_at(time) == i
            expected = stretch.start + share * stretch.seconds
            assert window.in_recording(time, i) == pytest.approx(expected)


def test_the_sound_is_that_of_the_stretches():
    samples = np.arange(10 * SAMPLE_RATE, dtype=np.float32)
    window = Window((Span(1.0, 2.0), Span(5.0, 5.5)))
    sound = window.cut_from(samples)
    assert len(sound) == round(window.seconds * SAMPLE_RATE)
    assert sound[0] == SAMPLE_RATE
    assert not sound[SAMPLE_RATE : round((1 + GAP) * SAMPLE_RATE)].any()
    assert sound[round((1 + GAP) * SAMPLE_RATE)] == 5 * SAMPLE_RATE


def test_a_long_stretch_is_cut_where_it_is_quiet():
    samples = np.random.default_rng(0).standard_normal(60 * SAMPLE_RATE).astype(np.float32)
    samples[round(17.0 * SAMPLE_RATE) : round(17.2 * SAMPLE_RATE)] *= 0.01
    first, *_ = pack([Span(0.0, 60.0)], samples, LIMIT)
    assert 17.0 < first.stretches[0].end < 17.2


def test_words_never_go_back_in_time():
    window = Window((Span(0.0, 1.0), Span(5.0, 6.0)))
    assert group_by_stretch([(0, 0.4), (1.3, 1.5), (0.9, 1.0)], window) == [0, 1, 1]
    assert group_by_stretch([], window) == []
