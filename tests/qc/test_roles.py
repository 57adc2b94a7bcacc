"""Who is the handler, and how words become turns."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from models.recogniser import Word
from qc.order import CallKind
from qc.roles import assign_roles, build_transcript, role_evidence, without_split_voice
from qc.speech import Speech, Utterance
from qc.transcript import Role

CORPUS = Path(__file__).parents[2] / "samples" / "corpus"
FIRST, REPLY = CallKind.FIRST_CONTACT, CallKind.REPLY


def spoken(
    speaker: int, text: str, start: float, rate: float = 5.0, confidence: float = 0.9
) -> Utterance:
    """Words of one character at `rate` characters a second; punctuation joins the one before."""
    words: list[Word] = []
    for character in text:
        if not character.isalnum() and words:
            last = words[-1]
            words[-1] = Word(last.text + character, last.start, last.end, last.confidence)
        else:
            at = start + len(words) / rate
            words.append(Word(character, at, at + 1 / rate, confidence))
    return Utterance(speaker, tuple(words))


def roles_and_texts(utterances: Sequence[Utterance]) -> list[tuple[str, str]]:
    return [(turn.role.value, turn.text) for turn in build_transcript(utterances, FIRST).turns]


def corpus(name: str) -> list[dict]:
    return [json.loads(line) for line in (CORPUS / name).read_text("utf-8").splitlines()]


@pytest.mark.parametrize("name", ["dev-a.jsonl", "dev-b.jsonl", "dev-e.jsonl", "dev-f.jsonl"])
@pytest.mark.parametrize("agent", [0, 1])
def test_handler_is_known_by_the_words(name: str, agent: int) -> None:
    wrong = []
    for call in corpus(name):
        said = [
            spoken(agent if turn["role"] == "agent" else 1 - agent, turn["text"], 10.0 * i)
            for i, turn in enumerate(call["turns"])
            if any(c.isalnum() for c in turn["text"])
        ]
        roles = assign_roles(said, CallKind(call["kind"]))
        if roles.by_speaker[agent] is not Role.AGENT:
            wrong.append(call["call_id"])
    assert wrong == []


def test_homophones_do_not_hide_a_cue() -> None:
    assert role_evidence("我是热线公作人圆", FIRST) > 0


def test_rude_handler_who_says_你_is_still_the_handler() -> None:
    said = [
        spoken(0, "你们到底管不管，我家天天漏水。", 0),
        spoken(1, "你家的单子我们已经查了，情况跟你讲过了，不用再打热线。", 5),
    ]
    assert assign_roles(said, REPLY).by_speaker[1] is Role.AGENT


def test_margin_grows_with_what_is_said() -> None:
    little = [spoken(0, "请问。", 0), spoken(1, "嗯。", 2)]
    more = [
        spoken(0, "您好，请问是王先生吗，您反映的情况我们核实了。", 0),
        spoken(1, "你们来了。", 9),
    ]
    margins = [assign_roles(said, FIRST).margin for said in (little, more)]
    assert 0 < margins[0] < margins[1] <= 1


def test_nothing_said_gives_an_empty_transcript() -> None:
    transcript = build_transcript([], FIRST)
    assert (transcript.turns, transcript.role_margin) == ((), 0.0)


def test_short_pause_joins_and_long_pause_divides() -> None:
    said = [
        spoken(0, "您好。", 0.0),
        spoken(0, "请问是王先生吗？", 1.0),
        spoken(0, "听得到吗？", 6.0),
    ]
    assert roles_and_texts(said) == [("agent", "您好。请问是王先生吗？"), ("agent", "听得到吗？")]


def test_backchannel_is_a_turn_of_its_own() -> None:
    said = [
        spoken(0, "您反映的噪音问题，我们收到了，想跟您核对一下地址。", 0.0),
        spoken(1, "嗯。", 1.8),
    ]
    transcript = build_transcript(said, FIRST)
    assert [(t.role, t.text) for t in transcript.turns] == [
        (Role.AGENT, "您反映的噪音问题，我们收到了，"),
        (Role.CITIZEN, "嗯。"),
        (Role.AGENT, "想跟您核对一下地址。"),
    ]
    assert [t.overlap for t in transcript.turns] == [False, True, False]
    assert [t.index for t in transcript.turns] == [0, 1, 2]


@pytest.mark.parametrize(("begins", "overlaps"), [(1.0, True), (1.9, False), (2.5, False)])
def test_overlap_is_beginning_before_the_other_has_finished(begins: float, overlaps: bool) -> None:
    said = [spoken(1, "我家天天晚上吵得睡不", 0.0), spoken(0, "您先别说听我说完好吗", begins)]
    turn = build_transcript(said, FIRST).turns[-1]
    assert turn.is_agent
    assert turn.overlap is overlaps


@pytest.mark.parametrize(
    ("text", "rate", "confidence", "fast"),
    [
        ("这个事情我们已经登记了后面会有人联系您", 8.0, 0.9, True),
        ("这个事情我们已经登记了后面会有人联系您", 6.0, 0.9, False),
        ("谢谢您再见", 9.0, 0.9, False),  # a formula
        ("这个事情我们已经登记了后面会有人联系您", 8.0, 0.5, False),  # may not have been said
    ],
)
def test_hurried_speech(text: str, rate: float, confidence: float, fast: bool) -> None:
    turns = build_transcript([spoken(0, text, 0.0, rate, confidence)], FIRST).turns
    assert turns[0].fast is fast


def test_pauses_do_not_hide_hurried_speech() -> None:
    said = [
        spoken(0, "这个事情我们已经登记了，", 0.0, 8.0),
        spoken(0, "后面会有人联系您的。", 2.4, 8.0),
    ]
    (turn,) = build_transcript(said, FIRST).turns
    assert turn.fast


def test_one_voice_split_in_two_is_one_handler() -> None:
    said = (
        spoken(0, "您好，请问是王先生吗？我是热线工作人员。", 0.0),
        spoken(1, "您反映的情况我们会联系现场，给您回复。", 8.0),
    )
    (turn,) = build_transcript(
        without_split_voice(Speech(said, unlikeness=0.4), FIRST).utterances, FIRST
    ).turns[:1]
    assert turn.is_agent
    assert len({u.speaker for u in without_split_voice(Speech(said), FIRST).utterances}) == 2


def test_citizen_of_few_words_stays_a_speaker() -> None:
    said = (
        spoken(0, "您好，请问是王先生吗？我是热线工作人员。", 0.0),
        spoken(1, "哦，是的。", 8.0),
    )
    assert without_split_voice(Speech(said, unlikeness=0.4), FIRST).utterances == said
