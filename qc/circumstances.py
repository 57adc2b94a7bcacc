"""How the call went: who answered, who ended it, whether a language warning was given and ignored.

The order platform knows some of this; where it does not, it is read off the words.
"""

import re
from dataclasses import replace

from qc.order import AnsweredBy, EndedBy
from qc.overtalk import breaks_off, find_cut_ins
from qc.text import is_unfinished, plain
from qc.transcript import Role, Transcript

LONG_ENOUGH = 8  # characters from which on a turn without a full stop may have been cut off
ABRUPT = 1.0  # seconds from the last word within which a recording ends abruptly: after a last word
# people take longer to ring off, and a line that drops is followed by 喂 or the busy tone
LAST_TURNS = 3  # in which words tell that the line was bad
OPENING_TURNS = 8  # who answered shows in the first turns

_WRONG_NUMBER = re.compile(
    "打错了|打错电话|没有这个人|没这个人|不认识|不是我的电话|号码错|我不姓|搞错人|找错人|没有姓"
)
_OTHER_PERSON = re.compile(
    "我是(他|她|它)的?(老婆|老公|爱人|妻子|丈夫|儿子|女儿|妈|爸|母亲|父亲|媳妇|女婿|邻居|同事|朋友|室友"
    "|保姆|阿姨|姐|妹|哥|弟|家里人|家属|孙|店员|员工)|(他|她)(不在|出去|上班|上夜班|睡|没在|在忙|手机)"
    "|我(不是|不是他|不是她)(本人|他|她)|我是.{0,4}(儿子|女儿|老婆|老公|邻居|同事|保姆)|不是本人|帮(他|她)接"
)
_AWARE = re.compile(
    "我知道|知道的|晓得的|我晓得|这事我清楚|跟我(说|讲)|我清楚|可以代表|我能做主|跟我说一样|一样的"
    "|就是我让|我们一起|也是我|我们家"
)
_UNAWARE = re.compile("不知道|不清楚|不晓得|什么事情我不|没听(他|她)说|没听说|啥事体|不了解")
_WARNING = re.compile("文明用语|请.{0,4}文明|结束.{0,6}通话|注意.{0,4}用语|再骂")
_GOODBYE = re.compile(
    "再见|再会|拜拜|拜$|^拜|回见|先挂|挂了|谢谢.{0,6}$|好的?好的?$|那先这样|再联系"
)
_FAREWELL = re.compile("再见|再会|拜拜|回见|祝您|再联系|谢谢.{0,6}$")
_LINE_GONE = re.compile("喂.{0,14}喂|^喂+$|听得(到|见)|听不(到|见|清)|信号|断断续续|喂$")
_RINGS_OFF = re.compile(
    "挂了|挂电话|不说了|不跟你|不讲了|不谈了|懒得|没什么好[说讲]|(结束|到).{0,6}(通话|此结束|这里)|就这样|先这样"
)
_HOLDS_ON = re.compile(
    "等一?等|等一下|别挂|不要挂|先不要|还没[说讲](完|光)|听我[说讲]|^喂|喂$|哎你"
)


def who_answered(transcript: Transcript) -> AnsweredBy:
    """Read off the citizen's first turns who picked up."""
    opening = [plain(t.text) for t in transcript.turns[:OPENING_TURNS] if t.role is Role.CITIZEN]
    text = "".join(opening)
    if _WRONG_NUMBER.search(text):
        return "wrong_number"
    if not _OTHER_PERSON.search(text):
        return "petitioner"
    aware = _AWARE.search(text) and not _UNAWARE.search(text)
    return "third_party_aware" if aware else "third_party_unaware"


def who_ended(transcript: Transcript) -> EndedBy:
    """Read off the last turns whether both said goodbye, one hung up, or the line dropped.

    In doubt both: that the handler hung up must show in the words, or in a recording that ends in
    the middle of the citizen's.
    """
    if not transcript.agent_turns or not transcript.citizen_turns:
        return "cut"
    if any(turn.cut_short for turn in transcript.turns):
        return "agent"
    agent, citizen = transcript.agent_turns[-1], transcript.citizen_turns[-1]
    said, heard = plain(agent.text), plain(citizen.text)
    closed = _GOODBYE.search(said) or _RINGS_OFF.search(said)
    if citizen.index > agent.index:
        if _GOODBYE.search(heard):
            return "both"
        if _HOLDS_ON.search(heard):
            return "agent" if closed else "cut"
        return "both" if closed else "citizen"
    if _LINE_GONE.search(said):
        return "cut"
    wants_more = (
        _HOLDS_ON.search(heard)
        or (is_unfinished(citizen.text) and len(heard) >= LONG_ENOUGH)
        or citizen.text.rstrip().endswith(("？", "?"))
    )
    rings_off = _RINGS_OFF.search(said)
    if not _GOODBYE.search(heard) and rings_off:
        return "agent"
    return "agent" if wants_more and closed else "both"


def with_ending(transcript: Transcript, seconds: float) -> Transcript:
    """Mark the last turn where the recording ends in the middle of what the citizen says.

    Calls are recorded at the handler's: only who hangs up there ends the sound at once.

    Args:
        transcript: turns with times.
        seconds: length of a recording that is whole; of a damaged one, the end tells nothing.
    """
    if not transcript.agent_turns or not transcript.citizen_turns:
        return transcript
    last = max(transcript.turns, key=lambda turn: turn.end or 0.0)
    if last.end is None or seconds - last.end >= ABRUPT:
        return transcript
    said, heard = (plain(t[-1].text) for t in (transcript.agent_turns, transcript.citizen_turns))
    if _FAREWELL.search(said) or _GOODBYE.search(heard):
        return transcript
    if any(_LINE_GONE.search(plain(turn.text)) for turn in transcript.turns[-LAST_TURNS:]):
        return transcript
    if last.is_agent:  # over the citizen's words, and that was the end
        cut = any(c.turn == last.index for c in find_cut_ins(transcript))
    else:
        cut = breaks_off(last.text)
    turns = (replace(turn, cut_short=cut and turn is last) for turn in transcript.turns)
    return replace(transcript, turns=tuple(turns))


def was_warned(transcript: Transcript, abusive: frozenset[int]) -> bool:
    """Whether the citizen went on abusing (turn numbers `abusive`) after a language warning.

    Weifang 2024, 先行联系注意事项 6: only then may the handler end the call.
    """
    warnings = [t.index for t in transcript.agent_turns if _WARNING.search(plain(t.text))]
    return bool(warnings) and any(index > warnings[0] for index in abusive)
