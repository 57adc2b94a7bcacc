"""Whisper's inventions go, everything a person says on the telephone stays."""

import pytest

from models.hallucinations import drop_hallucinations
from models.recogniser import Segment


def segment(text: str, **changes: float) -> Segment:
    values = {"confidence": 0.8, "no_speech": 0.1, "compression_ratio": 1.1, **changes}
    return Segment(text=text, start=1.0, end=2.0, words=(), **values)


INVENTED = [
    "字幕由Amara.org社区提供",
    "字幕由 Amara.org 社群提供",
    "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目",
    "请不吝点赞，订阅，转发，打赏支持明镜与点点栏目。",
    "优优独播剧场——YoYo Television Series Exclusive",
    "中文字幕志愿者 李宗盛",
    "字幕志愿者 杨茜茜",
    "字幕：某某",
    "谢谢观看",
    "感谢您的观看，我们下期再见。",
    "谢谢大家收看",
    "作词：李宗盛 作曲：李宗盛",
    "订阅我的频道，打开小铃铛",
    "Thank you for watching",
    "♪♪",
    "(音乐)",
    "【掌声】",
    "。。。",
    "",
    "我们会尽快处理" * 8,
    "嗯" * 40,
    "谢谢谢谢" * 10,
    "请您到窗口来办理一下这个居住证的手续好吧" * 5,
]

SAID = [
    "谢谢",
    "谢谢。",
    "谢谢您的理解和配合",
    "感谢您的接听，再见。",
    "感谢您对我们工作的支持，再见。",
    "喂喂喂",
    "喂？喂喂？听得到吗？",
    "对对对",
    "对对对对对对对对",
    "好的好的好的好的好的好的",
    "嗯嗯嗯嗯嗯嗯",
    "是的是的是的，就是这样",
    "再见再见",
    "音乐。",
    "广场舞的音乐太响了",
    "您可以关注我们街道的微信公众号",
    "我们会持续关注，转发给城管部门处理",
    "李宗盛先生您好",
    "电视上说本期节目采访过你们",
    "我天天不得安宁，天天打电话，天天没人管",
    "不要说了不要说了不要说了",
    "一三八一三八一三八零零",
]


@pytest.mark.parametrize("text", INVENTED)
def test_what_only_subtitles_say_is_dropped(text):
    result = drop_hallucinations([segment(text)])
    assert not result.kept
    assert result.dropped[0].reason


@pytest.mark.parametrize("text", SAID)
def test_what_people_say_is_kept(text):
    result = drop_hallucinations([segment(text)])
    assert [kept.text for kept in result.kept] == [text]


def test_a_sentence_that_comes_again_and_again_is_kept_at_first():
    result = drop_hallucinations([segment("这个我不太清楚")] * 10)
    assert len(result.kept) == 3
    assert len(result.dropped) == 7


def test_short_answers_may_repeat():
    result = drop_hallucinations([segment("好的。"), segment("好的，")] * 4)
    assert not result.dropped


def test_in_a_looping_window_the_repeats_go_and_the_rest_stays():
    texts = ["您好", "请问", "请问", "请问", "请问", "我是城管的"]
    result = drop_hallucinations([segment(text, compression_ratio=3.0) for text in texts])
    assert [kept.text for kept in result.kept] == ["您好", "请问", "请问", "我是城管的"]


def test_babble_where_nobody_speaks_is_dropped():
    assert drop_hallucinations([segment("他的", no_speech=0.9, confidence=0.2)]).dropped


@pytest.mark.parametrize("changes", [{"no_speech": 0.9}, {"confidence": 0.2}])
def test_one_doubt_alone_is_not_enough(changes):
    assert drop_hallucinations([segment("他的", **changes)]).kept


def test_order_is_kept():
    texts = ["您好", "谢谢观看", "我是居委会的", "字幕由Amara.org社区提供", "再见"]
    result = drop_hallucinations(map(segment, texts))
    assert [kept.text for kept in result.kept] == ["您好", "我是居委会的", "再见"]
    assert [drop.segment.text for drop in result.dropped] == [texts[1], texts[3]]
