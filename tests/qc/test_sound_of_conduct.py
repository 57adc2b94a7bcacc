"""Conduct that only the sound shows: the same words, said otherwise, are judged otherwise."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from models.demo_asr.dialogue import SpokenCall, Turn, Voice, render
from models.judge.classifier import load_classifier
from models.recogniser import Channel, Segment
from qc.audio import SAMPLE_RATE, Recording
from qc.catalogue import load_catalogue
from qc.circumstances import with_ending
from qc.inspect import inspect_transcript
from qc.inspection import Inspection
from qc.listen import listen
from qc.order import Call, CallKind, Order
from qc.report import call_page, verdict
from qc.transcript import Transcript
from tests.qc.perfect_hearing import transcript_of, words_of

VOICES = (Voice("f2", rate=185), Voice("m3", rate=190))
OPENING = [
    Turn("agent", "您好，请问是王建国先生吗？"),
    Turn("citizen", "对，我是，哪里？"),
    Turn("agent", "我是潍坊新村街道城管中队的热线工作人员，想跟您做一个先行联系。"),
    Turn("citizen", "哦，好的，你说。"),
]
VERIFY = "您是不是反映了楼上装修噪音的问题，地址是在潍坊四村一百零五号，对吗？"
ANSWER = Turn("citizen", "对的，早上七点多就开始了，我跟你讲，楼上那个师傅他")
LAST = "我们会尽快到现场核实，处理完以后给您回电反馈。"
GOODBYE = [Turn("agent", "请您保持手机畅通，谢谢，再见。"), Turn("citizen", "好的，再见。")]


def spoken(*turns: Turn) -> SpokenCall:
    return render([*OPENING, *turns], VOICES, seed=7, stereo=True)


def judge(transcript: Transcript) -> Inspection:
    return inspect_transcript(
        transcript, CallKind.FIRST_CONTACT, Order(), load_catalogue(), load_classifier()
    )


def behaviours(transcript: Transcript) -> dict[str, list[str]]:
    return {b.id: [q.text for q in b.quotes] for b in judge(transcript).behaviours}


@pytest.mark.parametrize("fast", [False, True])
def test_hurry_is_heard(fast: bool) -> None:
    call = spoken(Turn("agent", VERIFY, fast=fast), Turn("citizen", "对的。"), Turn("agent", LAST))
    assert behaviours(transcript_of(call)) == ({"bh.rush": [VERIFY]} if fast else {})


def test_hurry_counts_even_of_one_who_always_hurries() -> None:
    hurried = [Turn("agent", t.text, fast=True) if t.role == "agent" else t for t in OPENING]
    turns = [*hurried, Turn("agent", VERIFY, fast=True), Turn("citizen", "对的。")]
    call = render(turns, (Voice("f2", rate=215), VOICES[1]), seed=7, stereo=True)
    transcript = transcript_of(call)
    assert all((turn.rate_ratio or 1) < 1.3 for turn in transcript.turns)
    assert VERIFY in behaviours(transcript)["bh.rush"]


@pytest.mark.parametrize("overlap", [False, True])
def test_cutting_off_is_heard(overlap: bool) -> None:
    last = [Turn("agent", LAST, overlap=overlap), Turn("citizen", "哦，好的。"), *GOODBYE]
    call = spoken(Turn("agent", VERIFY), ANSWER, *last)
    assert behaviours(transcript_of(call)) == ({"bh.interrupt": [LAST]} if overlap else {})


def test_answering_into_the_last_syllables_of_a_whole_sentence_is_no_interruption() -> None:
    whole = Turn("citizen", "对的，早上七点多就开始了，晚上根本睡不着觉。")
    call = spoken(Turn("agent", VERIFY), whole, Turn("agent", LAST, overlap=True), *GOODBYE)
    assert behaviours(transcript_of(call)) == {}
    overtalk = judge(transcript_of(call)).overtalk
    assert overtalk is not None
    assert (len(overtalk.cut_ins), overtalk.unfinished) == (1, 0)


class Hears:
    """Hears every word of a rendered call."""

    name = "truth"

    def __init__(self, call: SpokenCall) -> None:
        self.call = call

    def transcribe(self, channels: Sequence[Channel]) -> list[list[Segment]]:
        heard = []
        for role in ("agent", "citizen"):
            words = tuple(w for t in self.call.turns if t.turn.role == role for w in words_of(t))
            text = "".join(word.text for word in words)
            heard.append([Segment(text, words[0].start, words[-1].end, words, 0.9, 0.0, 1.0)])
        return heard


def recorded(call: SpokenCall, more: float = 0.0, warnings: tuple[str, ...] = ()) -> Transcript:
    """What is heard of a recording that goes on for `more` seconds after the last word."""
    noise = np.random.default_rng(0).normal(0, 0.001, (2, round(more * SAMPLE_RATE)))
    samples = np.concatenate([call.samples, noise.astype(np.float32)], axis=1)
    recording = Recording(Path("call.wav"), samples, "pcm", 16_000, "", warnings)
    return listen(recording, CallKind.FIRST_CONTACT, Hears(call)).transcript


def hang_ups(transcript: Transcript) -> list[str]:
    return behaviours(transcript).get("bh.hang_up", [])


def test_a_recording_that_ends_in_the_citizens_sentence_was_hung_up() -> None:
    call = spoken(Turn("agent", VERIFY), ANSWER)
    transcript = recorded(call)
    assert [turn.cut_short for turn in transcript.turns][-2:] == [False, True]
    inspection = judge(transcript)
    assert inspection.ended_by == "agent"
    assert hang_ups(transcript) == [VERIFY]
    assert any("没说完时结束" in warning for warning in inspection.warnings)


def test_so_was_one_that_ends_with_words_over_the_citizens() -> None:
    call = spoken(Turn("agent", VERIFY), ANSWER, Turn("agent", "这个我们都晓得。", overlap=True))
    assert hang_ups(recorded(call)) == ["这个我们都晓得。"]


def test_a_damaged_file_is_not_held_against_the_handler() -> None:
    call = spoken(Turn("agent", VERIFY), ANSWER)
    assert hang_ups(recorded(call, warnings=("录音在第 20.0 秒处中断，可能没有传完",))) == []


def test_a_line_that_stays_open_was_not_hung_up() -> None:
    assert hang_ups(recorded(spoken(Turn("agent", VERIFY), ANSWER), more=3.0)) == []


@pytest.mark.parametrize(
    "last",
    [
        [Turn("citizen", "对的，早上七点多就开始了，晚上根本睡不着觉。")],
        [*GOODBYE],
        [Turn("agent", "好的，谢谢您，再见。"), Turn("citizen", "哎，那个，")],
        [Turn("citizen", "喂，喂，听不清楚，我在地铁里，信号"), Turn("agent", "喂？喂？")],
    ],
)
def test_other_endings_are_no_hanging_up(last: list[Turn]) -> None:
    assert hang_ups(recorded(spoken(Turn("agent", VERIFY), *last))) == []


def test_no_end_is_read_into_a_call_with_one_voice() -> None:
    transcript = transcript_of(render([ANSWER], VOICES, seed=1, stereo=True))
    assert with_ending(transcript, 5.0) == transcript


def raised_voice(transcript: Transcript, loudness: float, pitch: float | None) -> list[str]:
    """Reasons of the attitude where one rough turn is so much louder and higher."""
    turns = list(transcript.turns)
    place = next(t.index for t in turns if t.text == "烦死了，你早干嘛去了？")
    turns[place] = replace(turns[place], loudness=loudness, pitch=pitch)
    reasons = judge(replace(transcript, turns=tuple(turns))).attitude.reasons
    return [reason.text for reason in reasons if "音量" in reason.text]


@pytest.mark.parametrize(
    ("loudness", "pitch", "reasons"),
    [
        (10.0, 3.0, ["音量、音调明显升高"]),
        (10.0, None, ["音量明显升高"]),  # without the extra
        (10.0, 0.2, []),  # the line, or nearer to the microphone
        (2.0, 5.0, []),  # a question, a laugh
    ],
)
def test_a_raised_voice_is_loud_and_high(
    loudness: float, pitch: float | None, reasons: list[str]
) -> None:
    call = spoken(Turn("agent", "烦死了，你早干嘛去了？"), Turn("citizen", "你这什么态度？"))
    assert raised_voice(transcript_of(call), loudness, pitch) == reasons


def test_figures_stand_on_the_page_and_in_the_verdict() -> None:
    last = [Turn("agent", LAST, overlap=True), Turn("citizen", "喂？", pause=8)]
    call = spoken(Turn("agent", VERIFY), ANSWER, *last)
    inspection = judge(transcript_of(call))
    page = call_page(inspection)
    assert "1 次（占经办人 4 句的 25%），1 次未让市民说完" in page
    assert "共 8" in page and "最长 8" in page
    stored = verdict(inspection).model_dump()
    assert stored["overtalk"]["unfinished"] == 1
    assert stored["dead_air"]["gaps"][0]["waited_for"] == "citizen"


def test_the_page_says_how_fast_a_hurried_turn_was() -> None:
    call = spoken(Turn("agent", VERIFY, fast=True), Turn("citizen", "对的。"), Turn("agent", LAST))
    (hurried,) = (turn for turn in transcript_of(call).turns if turn.text == VERIFY)
    page = call_page(judge(transcript_of(call)))
    assert f"语速快，每秒 {hurried.rate} 字，平时的 {hurried.rate_ratio} 倍" in page


def test_turns_that_were_stored_are_judged_as_when_they_were_heard() -> None:
    call = spoken(Turn("agent", VERIFY, fast=True), ANSWER)
    heard = recorded(call)
    stored = {"kind": "first_contact", "turns": [asdict(turn) for turn in heard.turns]}
    again = Call.model_validate(stored).transcript()
    assert again.turns == heard.turns
    assert behaviours(again) == behaviours(heard)
    assert {"bh.rush", "bh.hang_up"} <= set(behaviours(again))
