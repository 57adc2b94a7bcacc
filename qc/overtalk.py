"""Who cuts whom off, for how long, and whether the one cut off finishes the sentence."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from qc.text import is_unfinished, plain
from qc.transcript import Transcript, Turn

MEETING = 0.25  # seconds two turns may meet before it is called overlap: word times are ±0.1 s
YIELDING = 1.0  # seconds within which one who gives way falls silent: up to three syllables
# (Schegloff 2000, “Overlapping talk and the organization of turn-taking”: most overlap is over
# after one to three beats), and the error of the word times
GOES_ON = 1.2  # seconds; who speaks on after a shorter pause has kept the floor

# Back-channels: they leave the floor to the other, samples/corpus/GUIDE.md, bh.interrupt.
_BACK_CHANNEL = re.compile(
    "(嗯|哦|噢|喔|唔|啊|哎|诶|唉|呃|对|是|好|行|有|没错|可以|明白|了解|清楚|知道|晓得|理解|谢谢|当然"
    "|真的|的|了|呀|吧|哈|嘛)+"
)
# Words after which a sentence goes on, and words that ask to be let finish. Recognisers put a full
# stop wherever a voice stops, so that the mark alone cannot tell.
_DANGLING = re.compile(
    "(因为|所以|但是|可是|然后|而且|不过|如果|要是|虽然|还有|就是说|那个|这个|或者|以及|并且|结果"
    "|已经|总归要|还要|[把被跟和向从给让就还又也再很太更最每])$"
)
_NOT_DONE = re.compile("(没[说讲](完|好|光)|听我[说讲]|等一下|别挂|不要挂|让我[说讲])$")
MIN_DANGLING = 4  # characters from which on such a word at the end is no answer by itself


@dataclass(frozen=True)
class CutIn:
    """A turn that takes the floor while the other one speaks.

    `seconds` for which both speak, None where only text is known; `finished`: whether the one cut
    off finishes the sentence all the same.
    """

    turn: int  # index of the turn that cuts in
    cut_off: int  # and of the one that it cuts off
    seconds: float | None
    finished: bool


@dataclass(frozen=True)
class Overtalk:
    """Overtalk of the handler as contact centres count it: cut-ins over the handler's turns."""

    cut_ins: tuple[CutIn, ...]
    turns: int  # of the handler
    by_citizen: int = 0  # times the citizen cut the handler off

    @property
    def share(self) -> float:
        """0..1"""
        return len(self.cut_ins) / self.turns if self.turns else 0.0

    @property
    def unfinished(self) -> int:
        """Times the citizen was left with an unfinished sentence."""
        return sum(not cut_in.finished for cut_in in self.cut_ins)

    @property
    def text(self) -> str:
        """In a few words, for the report."""
        if not self.cut_ins:
            return "无"
        left = f"，{self.unfinished} 次未让市民说完" if self.unfinished else ""
        return f"{len(self.cut_ins)} 次（占经办人 {self.turns} 句的 {self.share:.0%}）{left}"

    def to_json(self) -> dict[str, Any]:
        """As an inspection stores it."""
        return {
            "cut_ins": len(self.cut_ins),
            "turns": self.turns,
            "share": round(self.share, 3),
            "unfinished": self.unfinished,
            "by_citizen": self.by_citizen,
            "places": [
                {"turn": c.turn, "seconds": c.seconds, "finished": c.finished} for c in self.cut_ins
            ],
        }


def measure_overtalk(transcript: Transcript) -> Overtalk | None:
    """Count the cut-ins; None where neither times nor marks could show one."""
    if not any(turn.overlap or turn.start is not None for turn in transcript.turns):
        return None
    found = tuple(find_cut_ins(transcript))
    own = tuple(cut_in for cut_in in found if transcript.turns[cut_in.turn].is_agent)
    return Overtalk(own, len(transcript.agent_turns), len(found) - len(own))


def find_cut_ins(transcript: Transcript) -> Iterator[CutIn]:
    """Every turn that cuts the other speaker off, in order; back-channels are none."""
    timed = all(turn.start is not None and turn.end is not None for turn in transcript.turns)
    for turn in transcript.turns:
        if not turn.overlap or is_back_channel(turn.text):
            continue
        cut_in = _heard(turn, transcript) if timed else _marked(turn, transcript)
        if cut_in is not None:
            yield cut_in


def is_back_channel(text: str) -> bool:
    """Whether a turn only says that one listens (嗯, 对, 好的)."""
    return not (said := plain(text)) or bool(_BACK_CHANNEL.fullmatch(said))


def _marked(turn: Turn, transcript: Transcript) -> CutIn | None:
    """From the mark of a turn that is given as text."""
    before = transcript.before(turn.index)
    if not before or before[0].role is turn.role:
        return None
    return CutIn(turn.index, before[0].index, None, not is_unfinished(before[0].text))


def _heard(turn: Turn, transcript: Transcript) -> CutIn | None:
    """From the times of the turns."""
    other = spoken_over(turn, transcript.turns[: turn.index])
    if other is None:
        return None
    (start, end), (_, ended) = _times(turn), _times(other)
    later = (t for t in transcript.turns[turn.index + 1 :] if t.role is other.role)
    kept_on = any(_times(t)[0] - ended < GOES_ON for t in later)
    gave_way = ended - start <= YIELDING and not kept_on
    return CutIn(
        turn.index,
        other.index,
        seconds=round(min(ended, end) - start, 2),
        finished=not (gave_way and breaks_off(other.text)),
    )


def spoken_over(turn: Turn, earlier: Sequence[Turn]) -> Turn | None:
    """The turn of the other speaker that is still going on where this one begins.

    None as well where the speaker only goes on with what the other one spoke into.

    Args:
        earlier: the turns before, with times.
    """
    start, _ = _times(turn)
    others = [t for t in earlier if t.role is not turn.role and _times(t)[1] > start + MEETING]
    if not others:
        return None
    own_end = max((_times(t)[1] for t in earlier if t.role is turn.role), default=None)
    goes_on = own_end is not None and _times(others[-1])[0] < own_end and start - own_end < GOES_ON
    return None if goes_on else others[-1]


def _times(turn: Turn) -> tuple[float, float]:
    assert turn.start is not None and turn.end is not None
    return turn.start, turn.end


def breaks_off(text: str) -> bool:
    """Whether what was heard is no whole sentence, whatever mark the recogniser put."""
    if is_unfinished(text):
        return True
    said = plain(text)
    if _NOT_DONE.search(said):
        return True
    return (
        len(said) >= MIN_DANGLING
        and not text.rstrip().endswith(("？", "?"))
        and bool(_DANGLING.search(said))
    )
