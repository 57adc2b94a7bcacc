"""Who is the handler and who the citizen, from what each one says; and the turns of the call."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import tanh

from models.recogniser import Word
from qc.order import CallKind
from qc.overtalk import spoken_over
from qc.prosody import speaking_rate
from qc.speech import Speech, Utterance
from qc.text import plain, syllables
from qc.transcript import Role, Transcript, Turn

# Natural log-odds, per use, that a speaker is the handler (positive) or the citizen: logistic
# regression over the labelled turns of samples/corpus (dev-a, dev-b, utterances-*, calls-own-*),
# rounded to a half. The lines marked “third party” were added by hand.
# 您 is read as 你 wherever it stands in a cue: recognisers mix them up; 您 alone counts by itself.
CUES: Mapping[float, str] = {
    3.0: "您 你们楼",
    2.0: "给你 告诉你 你家 打扰 单子 负责 我们 对吧 系统",
    1.5: "跟你 帮你 让你 你的 你先 请问 先生 阿姨 师傅 老伯 工作人员 我这边 我让 情况 哪一 不用 "
    "所的 现场 通知 联系 的话 因为 对不起 投诉你们",
    1.0: "谢谢你再见 不好意思 女士 老师 热线 经办 我来 几号 慢慢 中心 办的 社区 登记 记下 上门 "
    "去看 已经 下周 再打 挂了 通话 反映的 本人 是自 替你 没关系 嘛 "
    "在吗 在伐 麻烦你 热线的 跟他讲 跟她讲 跟他说 跟她说",  # the last eight: third party
    0.5: "把你 你反映 你看 你对 你手机 你那 请你 工单 我这里 我把 先去 具体 是吧 对伐 有没有 街道 "
    "居委 查 今天 标准 应该 可能 归我 喂你好 你别 安排 祝你 我又 投诉 老人",
    -0.5: "什么时候 我爸 我女儿 我就 我不 我想 我还 你说 你讲 我是 对的 对对 对对对 好的 好的好的 "
    "好吧 太好了 就是 拜拜 满意的 效率 态度 什么态度 晚上 半夜 打了 记者 滚 小孩",
    -1.0: "再见 那你们 给你们 我们楼 我老 哦 好好 那个 再会 满意 蛮好 怎么办 信访 这叫 我",
    -1.5: "我跟你 我家 你哪 是的 行吧 基本满意 屁 我是他 我是她 我转告",  # third party
    -2.0: "你们 我们小区 我们隔壁 我妈",
}
# What a kind of call adds: the handler asks when on first contact, and for an opinion in a reply.
KIND_CUES: Mapping[CallKind, Mapping[float, str]] = {
    CallKind.FIRST_CONTACT: {1.0: "几点 哪一天"},
    CallKind.REPLY: {2.0: "满意吗 满意不 满不满意", 1.5: "你看", -1.0: "认可 几号"},
}
MOST_COUNTED = 3  # times a cue counts in one utterance
MIN_SOUND_ALIKE = 3  # characters of a cue from which on a homophone counts as heard
GAP = "'"  # between syllables
POLITE_YOU, YOU = "您", "你"
DOUBT = 10.0  # log-odds of a call at which the margin is tanh(1), 0.76; cues are not independent

# One voice may be split in two where its mood changes. Two halves that both speak as the handler
# are one person: no citizen of samples/corpus has evidence above -1 over a call.
ONE_HANDLER = 1.0  # log-odds that both halves reach
ALIKE = 0.15  # silhouette of two voices up to which the weaker half need not; 5 % of pairs
ALIKE_HANDLER = 0.0  # log-odds that it then reaches: nothing of a citizen

MAX_PAUSE = 1.2  # seconds; a longer pause of the same speaker begins a new turn
FAST = 7.0  # syllables a second of voice; samples/corpus/GUIDE.md, “One call”
FAST_SYLLABLES = 10  # shorter turns are answers and formulas, said fast by everybody
SHORT_PAUSE = 0.25  # seconds between words where a turn may be cut
CUT_WITHIN = 1.5  # seconds from an interjection to the end of a clause where the turn is cut


@dataclass(frozen=True)
class Roles:
    """Role of each speaker. `margin` is how sure the decision is, 0..1."""

    by_speaker: Mapping[int, Role]
    margin: float


def role_evidence(text: str, kind: CallKind) -> float:
    """Natural log-odds that somebody who says this is the handler rather than the citizen."""
    said = plain(text)
    folded = said.replace(POLITE_YOU, YOU)
    sounds = _sound(folded)
    total = 0.0
    for cue, sound, weight in _cues(kind):
        if cue == POLITE_YOU:
            times = said.count(cue)
        else:
            times = sounds.count(sound) if sound else folded.count(cue)
        total += weight * min(times, MOST_COUNTED)
    return total


@cache
def _cues(kind: CallKind) -> tuple[tuple[str, str, float], ...]:
    """Cue, its sound where that suffices, and its log-odds for the handler."""
    return tuple(
        (cue, _sound(cue) if len(cue) >= MIN_SOUND_ALIKE else "", weight)
        for weight, cues in (*CUES.items(), *KIND_CUES[kind].items())
        for cue in cues.split()
    )


def _sound(text: str) -> str:
    return GAP + GAP.join(syllables(text)) + GAP


def assign_roles(utterances: Sequence[Utterance], kind: CallKind) -> Roles:
    """Decide which speaker is the handler from what each one says.

    Args:
        utterances: of speakers 0 and 1; one of them may be silent.
        kind: of the call; some words weigh more in one of the two.

    Returns:
        A role for both speakers. Where nothing tells, the first speaker is taken for the handler,
        who places the call, with margin 0.
    """
    evidence = _evidence(utterances, kind)
    handler = 0 if evidence[0] >= evidence[1] else 1
    margin = tanh(abs(evidence[0] - evidence[1]) / DOUBT)
    return Roles({handler: Role.AGENT, 1 - handler: Role.CITIZEN}, margin)


def _evidence(utterances: Sequence[Utterance], kind: CallKind) -> list[float]:
    evidence = [0.0, 0.0]
    for utterance in utterances:
        evidence[utterance.speaker] += role_evidence(utterance.text, kind)
    return evidence


def without_split_voice(speech: Speech, kind: CallKind) -> Speech:
    """Give all to speaker 0 where the two voices told apart by sound both speak as the handler."""
    if speech.unlikeness is None:
        return speech
    weaker = min(_evidence(speech.utterances, kind))
    if weaker < (ALIKE_HANDLER if speech.unlikeness < ALIKE else ONE_HANDLER):
        return speech
    return replace(speech, utterances=tuple(replace(u, speaker=0) for u in speech.utterances))


def build_transcript(utterances: Sequence[Utterance], kind: CallKind) -> Transcript:
    """Turns of both roles in order of beginning, with what their timing tells.

    Args:
        utterances: in order of beginning.
    """
    roles = assign_roles(utterances, kind)
    turns = [
        _turn(index, roles.by_speaker[turn.speaker], turn)
        for index, turn in enumerate(_joined(_split_at_interjections(utterances)))
    ]
    return Transcript(tuple(_with_overlap(turns)), roles.margin)


def _split_at_interjections(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Cut an utterance in two around what the other speaker says inside it."""
    whole = sorted(utterances, key=lambda u: (u.start, u.end))
    done: list[Utterance] = []
    while whole:
        first = whole.pop(0)
        inside = next(
            (u for u in whole if u.speaker != first.speaker and u.end < first.words[-1].start),
            None,
        )
        cut = _cut(first.words, inside.start) if inside else 0
        if not cut:
            done.append(first)
            continue
        done.append(replace(first, words=first.words[:cut]))
        whole.append(replace(first, words=first.words[cut:]))
        whole.sort(key=lambda u: (u.start, u.end))
    return done


def _cut(words: Sequence[Word], at: float) -> int:
    """Number of words before the cut: after the clause or the pause that is soon, else at once.

    Returns 0 where there is no word after `at`.
    """
    later = [i for i in range(1, len(words)) if words[i].start >= at]
    natural = [
        i
        for i in later
        if words[i].start - at <= CUT_WITHIN
        and (not words[i - 1].text[-1].isalnum() or words[i].start - words[i - 1].end > SHORT_PAUSE)
    ]
    return next(iter(natural or later), 0)


def _joined(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Join what one speaker says with short pauses and nobody in between."""
    joined: list[Utterance] = []
    for utterance in utterances:
        last = joined[-1] if joined else None
        if last and last.speaker == utterance.speaker and utterance.start - last.end < MAX_PAUSE:
            joined[-1] = replace(last, words=(*last.words, *utterance.words))
        else:
            joined.append(utterance)
    return joined


def _turn(index: int, role: Role, said: Utterance) -> Turn:
    rate = speaking_rate(said.words)
    return Turn(
        index=index,
        role=role,
        text=said.text,
        start=round(float(said.start), 2),
        end=round(float(said.end), 2),
        fast=rate is not None and rate > FAST and len(plain(said.text)) >= FAST_SYLLABLES,
        confidence=round(float(said.confidence), 3),
        rate=None if rate is None else round(rate, 2),
    )


def _with_overlap(turns: Sequence[Turn]) -> Iterator[Turn]:
    """Mark the turns that begin before the other speaker has finished."""
    for place, turn in enumerate(turns):
        yield replace(turn, overlap=spoken_over(turn, turns[:place]) is not None)
