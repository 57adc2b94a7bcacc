"""Who cut whom off: from times where there is sound, from marks where there is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.demo_asr.dialogue import Turn as Line
from models.demo_asr.dialogue import Voice, render
from qc.overtalk import CutIn, find_cut_ins, is_back_channel, measure_overtalk
from qc.transcript import Role, Transcript, Turn
from tests.qc.perfect_hearing import transcript_of

AGENT, CITIZEN = Role.AGENT, Role.CITIZEN
CUT_IN = "行了行了，地址报给我。"


def timed(*said: tuple[Role, str, float, float], marked: bool = True) -> Transcript:
    """Turns with times; those that begin before another one's end are marked."""
    turns: list[Turn] = []
    for index, (role, text, start, end) in enumerate(said):
        over = marked and any(t.role is not role and (t.end or 0) > start + 0.25 for t in turns)
        turns.append(Turn(index, role, text, start, end, overlap=over))
    return Transcript(tuple(turns))


def cut_ins(*said: tuple[Role, str, float, float]) -> list[CutIn]:
    return list(find_cut_ins(timed(*said)))


@pytest.mark.parametrize(
    ("text", "stops", "finished"),
    [
        ("我跟你讲，上个礼拜他们又来", 3.6, False),
        ("我跟你讲，上个礼拜他们又来了。", 3.6, True),
        ("我还没说完。", 3.6, False),  # says so, whatever mark the recogniser put
        ("上个礼拜他们来过，但是。", 3.6, False),  # no sentence ends so
        ("我跟你讲，上个礼拜他们又来，", 4.8, True),  # spoke on against the other
    ],
)
def test_cut_off_is_who_stops_soon_in_mid_sentence(text: str, stops: float, finished: bool) -> None:
    (found,) = cut_ins((CITIZEN, text, 0.0, stops), (AGENT, CUT_IN, 3.0, 6.0))
    assert (found.turn, found.cut_off, found.finished) == (1, 0, finished)
    assert found.seconds == pytest.approx(stops - 3.0)


def test_who_speaks_on_after_an_interjection_has_finished() -> None:
    (found,) = cut_ins(
        (CITIZEN, "上个礼拜他们又来，", 0.0, 3.4),
        (AGENT, CUT_IN, 3.0, 5.0),
        (CITIZEN, "半夜里还在敲。", 3.8, 6.0),
    )
    assert (found.turn, found.finished) == (1, True)  # and the citizen, who goes on, cuts nobody


@pytest.mark.parametrize("text", ["嗯。", "对，对对。", "好的好的，知道了。", "哦，是的是的。"])
def test_back_channels_cut_nobody_off(text: str) -> None:
    assert cut_ins((CITIZEN, "我跟你讲，上个礼拜他们", 0.0, 3.4), (AGENT, text, 3.0, 3.8)) == []


@pytest.mark.parametrize("text", ["好的我知道了你别说了", "不是这样的", "你先别说"])
def test_taking_the_floor_is_no_back_channel(text: str) -> None:
    assert not is_back_channel(text)


@given(st.text("好的嗯对是了行", max_size=400), st.sampled_from(["", "喂", "我跟你讲"]))
def test_long_back_channels_are_read_at_once(text: str, rest: str) -> None:
    assert is_back_channel(text + rest) == (not rest)


def test_marked_turns_of_a_written_call_are_read_by_their_marks() -> None:
    transcript = Transcript(
        (
            Turn(0, CITIZEN, "不是，我的意思是那个水管它，"),
            Turn(1, AGENT, CUT_IN, overlap=True),
            Turn(2, CITIZEN, "就是这样，我说完了。"),
            Turn(3, AGENT, "您说的我记下来了。", overlap=True),
        )
    )
    overtalk = measure_overtalk(transcript)
    assert overtalk is not None
    assert [(c.turn, c.seconds, c.finished) for c in overtalk.cut_ins] == [
        (1, None, False),
        (3, None, True),
    ]


def test_overtalk_is_the_handlers_cut_ins_over_the_handlers_turns() -> None:
    overtalk = measure_overtalk(
        timed(
            (AGENT, "您好，请问是王先生吗？", 0.0, 2.0),
            (CITIZEN, "对的，我跟你讲，上个礼拜他们", 2.5, 6.0),
            (AGENT, CUT_IN, 5.5, 8.0),
            (CITIZEN, "你让我说完好吗？", 7.5, 9.0),
            (AGENT, "好的。", 9.5, 10.0),
            (AGENT, "那您说。", 12.0, 13.0),
        )
    )
    assert overtalk is not None
    assert (len(overtalk.cut_ins), overtalk.turns, overtalk.share) == (1, 4, 0.25)
    assert (overtalk.unfinished, overtalk.by_citizen) == (1, 1)
    assert overtalk.text == "1 次（占经办人 4 句的 25%），1 次未让市民说完"
    assert overtalk.to_json() == {
        "cut_ins": 1, "turns": 4, "share": 0.25, "unfinished": 1, "by_citizen": 1,
        "places": [{"turn": 2, "seconds": 0.5, "finished": False}],
    }  # fmt: skip


def test_nothing_is_said_of_a_call_that_is_only_text() -> None:
    written = Transcript((Turn(0, AGENT, "您好。"), Turn(1, CITIZEN, "你好。")))
    assert measure_overtalk(written) is None
    assert measure_overtalk(Transcript(())) is None


def test_a_quiet_call_has_none() -> None:
    overtalk = measure_overtalk(timed((AGENT, "您好。", 0.0, 1.0), (CITIZEN, "你好。", 1.2, 2.0)))
    assert overtalk is not None
    assert (overtalk.share, overtalk.text) == (0.0, "无")


def test_cut_ins_are_heard_in_a_recording() -> None:
    lines = [
        Line("agent", "您好，我是城管中队的热线工作人员，请问是王先生吗？"),
        Line("citizen", "对，我是，你们怎么现在才打电话来，我跟你讲，"),
        Line("agent", "您先听我说，我们已经登记了您反映的情况。", overlap=True),
        Line("citizen", "好吧，那你们什么时候来看？"),
        Line("agent", "我们会尽快到现场核实，请您保持手机畅通。"),
        Line("citizen", "好的好的。", overlap=True),
    ]
    for seed in range(5):
        call = render(lines, (Voice("f2"), Voice("m3")), seed=seed, stereo=True)
        overtalk = measure_overtalk(transcript_of(call))
        assert overtalk is not None
        said = transcript_of(call).turns
        assert [said[c.turn].text for c in overtalk.cut_ins] == [lines[2].text]
        assert (overtalk.unfinished, overtalk.by_citizen) == (1, 0)
