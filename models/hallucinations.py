"""What Whisper says when nobody speaks: video credits, loops, babble, all of it to be taken out.

The model was trained on subtitles, so on noise, music and silence it writes what subtitles end
with. A real 谢谢 or 喂喂喂 must stay: what people do say on the telephone is on no list here, and
a repetition is a loop only when no breath would last for it.
"""

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from models.recogniser import Segment

MAX_COMPRESSION = 2.4  # whisper's own limit, bytes of text over their zlib size
MAX_NO_SPEECH = 0.6  # whisper's own limit, together with a low confidence:
MIN_CONFIDENCE = 0.35  # exp(-1.0), whisper's limit for the log-probability
LOOP_REPEATS = 6  # of one phrase in a row; 对对对对对 is said
LOOP_CHARACTERS = 16  # a loop covers at least so many; 好的好的好的好的好的好的 does not
SAME_SEGMENTS = 4  # equal segments in a row from which on they are a loop
SAME_IN_LOOP = 3  # the same in a window whose text as a whole compresses too well
LONG_ENOUGH = 5  # characters of a repeated segment; 好的 may well come five times

# Said by subtitles only, wherever they stand in a segment. Nothing here may be a thing to say on
# the telephone: 关注我们的公众号 and 感谢您的接听 are.
CREDITS = re.compile(
    r"""
      字幕(?:由|提供|制作|製作|校对|志愿者|组|[:：])  | (?:中文|繁体|简体)字幕
    | Amara\.?org | 不吝点赞 | 打赏支持 | 明镜与?点点 | 点点栏目 | 小铃铛
    | 独播剧场 | YoYo\s*Television
    | (?:点赞|订阅).{0,4}(?:点赞|订阅|转发|打赏|收藏|关注)
    | (?:订阅|关注)(?:我的|我们的|本)?频道
    | (?:谢谢|感谢)(?:大家|各位|您|你|你们)?(?:的)?(?:观看|收看|收听|观赏)
    | 下(?:期|集|个视频|个影片)(?:节目|视频)?(?:再见|再会|见)
    | 本[期集](?:视频|节目)(?:就|到) | 欢迎(?:订阅|收看|收听|观看)
    | (?:作词|作曲|编曲|演唱|词曲)[:：\s]
    | Thanks?\s*(?:you\s*)?for\s*watching | Subtitles?\s*by | MING\s*PAO
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Markers of music and sound, in brackets or notes; 音乐 alone may be an answer.
SYMBOLS = r"[♪♫♬*()（）\[\]【】「」]"
MARKERS = re.compile(rf"(?:{SYMBOLS}+(?:音乐|背景音乐|掌声|笑声|鼓掌)?{SYMBOLS}*)?")
PUNCTUATION = re.compile(r"[\s，。？！、,.?!…~～]+")
LOOP = re.compile(rf"(.{{1,12}}?)\1{{{LOOP_REPEATS - 1},}}")

CREDIT_REASON = "视频字幕常用语，通话中无人这样说"
MARKER_REASON = "只有音乐或声响标记，没有话"
LOOP_REASON = "同一词句反复出现，是识别循环"
COMPRESSION_REASON = "前后文字重复率过高，是识别循环"
SILENCE_REASON = "此处多半无人说话，且识别把握很低"


@dataclass(frozen=True)
class Dropped:
    """A segment that nobody said, and why we think so (Chinese)."""

    segment: Segment
    reason: str


@dataclass(frozen=True)
class Filtered:
    """What stays and what goes, each in time order."""

    kept: tuple[Segment, ...]
    dropped: tuple[Dropped, ...]


def drop_hallucinations(segments: Iterable[Segment]) -> Filtered:
    """Take out what the recogniser made up.

    Args:
        segments: of one channel, in time order.
    """
    kept: list[Segment] = []
    dropped: list[Dropped] = []
    previous, run = "", 0  # text of the segment before, and how often in a row it came
    for segment in segments:
        bare = PUNCTUATION.sub("", segment.text)
        run = run + 1 if bare == previous else 1
        previous = bare
        reason = _why_made_up(segment, bare, run)
        if reason:
            dropped.append(Dropped(segment, reason))
        else:
            kept.append(segment)
    return Filtered(tuple(kept), tuple(dropped))


def _why_made_up(segment: Segment, bare: str, run: int) -> str:
    """Reason to drop a segment, empty for real speech. `bare` is its text without punctuation."""
    if CREDITS.search(segment.text):
        return CREDIT_REASON
    if MARKERS.fullmatch(bare):
        return MARKER_REASON
    if _loops(bare) or (run >= SAME_SEGMENTS and len(bare) >= LONG_ENOUGH):
        return LOOP_REASON
    if segment.compression_ratio > MAX_COMPRESSION and run >= SAME_IN_LOOP:
        return COMPRESSION_REASON
    if segment.no_speech > MAX_NO_SPEECH and segment.confidence < MIN_CONFIDENCE:
        return SILENCE_REASON
    return ""


def _loops(bare: str) -> bool:
    if len(bare) < LOOP_CHARACTERS:
        return False
    if any(len(loop[0]) >= LOOP_CHARACTERS for loop in LOOP.finditer(bare)):
        return True
    data = bare.encode()
    return len(data) / len(zlib.compress(data)) > MAX_COMPRESSION
