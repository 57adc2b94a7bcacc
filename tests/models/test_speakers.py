"""Two voices in one channel are told apart, one voice stays one."""

import numpy as np
import pytest
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from models.demo_asr.channel import send
from models.demo_asr.dialogue import SpokenCall, Turn, Voice, render
from models.speakers import MOST_WINDOWS, separate, smooth
from models.voice_activity import Span, find_speech

MAN, OTHER_MAN, WOMAN, OTHER_WOMAN = Voice("m3"), Voice("m7"), Voice("f2"), Voice("f4", 200, 60)
WINDOW_SECONDS = 1.6
TURNS = (
    Turn("agent", "您好，请问是王建国先生吗？我是街道城管的热线工作人员。"),
    Turn("citizen", "对，是我，你们总算打电话来了，我都等了三天了。"),
    Turn("agent", "您反映楼上空调外机噪音的问题，我们收到了，跟您核对一下地址。"),
    Turn("citizen", "就是四村一百零五号，天天晚上吵得睡不着觉。"),
    Turn("agent", "好的，明天我们到现场看一下，看完给您回电话。", pause=0.05),
    Turn("citizen", "行，那我等你们消息，谢谢了啊。", pause=0.05),
)


def said(voices: tuple[Voice, Voice]) -> SpokenCall:
    return render(TURNS, voices, seed=1)


def labels_of(call: SpokenCall) -> tuple[list[int], list[int]]:
    """Labels found and true ones (0 for the agent) of every character."""
    samples = send(call.mono)
    separation = separate(samples, find_speech(samples))
    words = [span for turn in call.turns for span in turn.characters]
    true = [int(turn.turn.role == "citizen") for turn in call.turns for _ in turn.characters]
    changes = [0.3 if i % 10 == 0 else 0.05 for i in range(len(words))]
    return [label for label, _ in separation.label(words, changes)], true


@pytest.mark.parametrize(
    "voices", [(WOMAN, MAN), (MAN, OTHER_MAN), (WOMAN, OTHER_WOMAN)], ids=["mixed", "men", "women"]
)
def test_voices_are_told_apart_word_by_word(voices: tuple[Voice, Voice]) -> None:
    found, true = labels_of(said(voices))
    assert np.mean(np.array(found) != true) < 0.05


def test_turn_that_follows_without_a_pause_is_cut_off() -> None:
    call = said((WOMAN, MAN))
    samples = send(call.mono)
    separation = separate(samples, find_speech(samples))
    change = call.turns[-1].start
    nearest = min((span for span in separation.spans), key=lambda span: abs(span.start - change))
    assert abs(nearest.start - change) < 0.5
    assert nearest.speaker == 1


def test_most_of_the_time_is_given_to_the_right_one_of_two_men() -> None:
    call = said((MAN, OTHER_MAN))
    samples = send(call.mono)
    reference, found = Annotation(), Annotation()
    for turn in call.turns:
        reference[Segment(turn.start, turn.end)] = turn.turn.role
    for span in separate(samples, find_speech(samples)).spans:
        found[Segment(span.start, span.end)] = span.speaker
    error = DiarizationErrorRate(collar=0.5)(
        reference, found, uem=Timeline([Segment(0, call.seconds)])
    )
    assert error < 0.05


def test_long_recording_is_separated_to_its_end() -> None:
    """Only some of its windows are clustered."""
    call = said((WOMAN, MAN))
    times = 1 + int(MOST_WINDOWS * WINDOW_SECONDS / call.seconds)
    samples = np.tile(send(call.mono), times)
    separation = separate(samples, find_speech(samples))
    offset = call.seconds * (times - 1)
    found = [
        separation.label([(offset + turn.start, offset + turn.end)], [0.5])[0][0]
        for turn in call.turns
    ]
    assert found == [0, 1] * 3


def test_first_to_speak_is_speaker_0() -> None:
    found, _ = labels_of(said((MAN, WOMAN)))
    assert found[0] == 0


def test_spans_stay_inside_speech_and_leave_out_its_padding() -> None:
    samples = send(said((WOMAN, MAN)).mono)
    speech = find_speech(samples)
    spans = separate(samples, speech).spans
    for span in spans:
        assert any(s.start - 0.02 <= span.start < span.end <= s.end + 0.02 for s in speech)
        assert 0.5 <= span.confidence <= 1
    covered, padded = sum(s.end - s.start for s in spans), sum(s.seconds for s in speech)
    assert 0.85 * padded < covered < padded


def test_nobody_speaks() -> None:
    separation = separate(np.zeros(16_000, np.float32), [])
    assert (separation.speakers, separation.spans) == (0, ())
    assert separation.label([], []) == []


def test_a_few_words_are_one_speaker() -> None:
    call = render([Turn("agent", "喂，您好？")], (WOMAN, MAN))
    separation = separate(call.mono, find_speech(call.mono))
    assert separation.speakers == 1
    assert separation.label([(0.3, 0.5), (0.5, 0.7)], [0.5, 0.1]) == [(0, 1.0), (0, 1.0)]


def test_speech_past_the_end_of_the_samples_does_no_harm() -> None:
    samples = send(said((WOMAN, MAN)).mono)
    separation = separate(samples, [Span(0.0, len(samples) / 16_000 + 1.0)])
    assert separation.speakers == 2


def test_one_doubtful_step_does_not_change_the_speaker() -> None:
    evidence = np.array([3.0, 3.0, -1.0, 3.0, 3.0, -9.0, -9.0])
    second = smooth(evidence, np.full(7, 0.05))
    assert [p > 0.5 for p in second] == [True] * 5 + [False] * 2


def test_change_is_likelier_where_it_may_be() -> None:
    evidence = np.array([2.0, 0.0, 0.0, -2.0])
    at_second = smooth(evidence, np.array([0.5, 0.4, 0.01, 0.01]))
    at_last = smooth(evidence, np.array([0.5, 0.01, 0.01, 0.4]))
    assert at_second[1] < 0.5 < at_last[1]
