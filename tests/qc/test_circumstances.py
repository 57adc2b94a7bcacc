"""Who answered and who ended the call, read off the words."""

from pathlib import Path

import pytest

from qc.circumstances import was_warned, who_answered, who_ended
from qc.quality.evaluation import read_labelled
from qc.transcript import Role, Transcript, Turn

CORPUS = Path(__file__).parents[2] / "samples" / "corpus"


def transcript(*lines: str) -> Transcript:
    roles = {"A": Role.AGENT, "C": Role.CITIZEN}
    return Transcript(tuple(Turn(i, roles[line[0]], line[2:]) for i, line in enumerate(lines)))


@pytest.mark.parametrize(
    ("said", "who"),
    [
        ("对，我是，哪里？", "petitioner"),
        ("你打错了，这里没有这个人。", "wrong_number"),
        ("他不在家，我是他邻居，什么事情我不知道。", "third_party_unaware"),
        ("他上班去了，我是他老婆，这事我知道的，你跟我说好了。", "third_party_aware"),
    ],
)
def test_who_picked_up_shows_in_the_first_turns(said: str, who: str) -> None:
    assert who_answered(transcript("A:您好，请问是王先生吗？", f"C:{said}")) == who


@pytest.mark.parametrize(
    ("lines", "who"),
    [
        (("A:感谢您的支持，再见。", "C:再见。"), "both"),
        (("C:好的，谢谢。", "A:不客气，再见。"), "both"),
        (("C:等一下，我还有件事，", "A:不说了，挂了。"), "agent"),
        (("A:那就这样。", "C:喂，喂，你先别挂"), "agent"),
        (("A:我们会去看的。", "C:跟你讲不清楚！"), "citizen"),
        (("C:我在地铁里，信号不太", "A:喂？喂？听得到吗？"), "cut"),
    ],
)
def test_who_ended_shows_in_the_last_turns(lines: tuple[str, ...], who: str) -> None:
    assert who_ended(transcript(*lines)) == who


def test_a_warning_counts_only_when_abuse_goes_on_after_it() -> None:
    call = transcript("C:他妈的", "A:请您文明用语，否则结束通话。", "C:好，我不骂了。")
    assert not was_warned(call, frozenset({0}))
    assert was_warned(call, frozenset({0, 2}))


def test_most_labelled_calls_are_read_right() -> None:
    calls = [call for call, _ in read_labelled(sorted(CORPUS.glob("dev-*.jsonl")))]
    answered = sum(who_answered(c.transcript()) == c.answered_by for c in calls)
    ended = sum(who_ended(c.transcript()) == c.ended_by for c in calls)
    assert answered / len(calls) > 0.85
    assert ended / len(calls) > 0.9
