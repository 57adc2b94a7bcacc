"""What a text is about: its content words, and whether a call says any of them."""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

from qc.slots import with_digits
from qc.text import plain, syllables

# Words that carry no matter of their own in a report or a call.
FILLERS = frozenset(
    re.findall(
        r"\S+",
        """
        进行 开展 相关 有关 情况 问题 工作 人员 工作人员 我们 我街道 街道 已经
        要求 表示 对此 市民 诉求人 诉求 来电人 反映 反应 现场 处理 处置 落实 后续
        加强 同时 目前 经过 通过 对于 关于 由于 因此 予以 及时 尽快 安排 联系
        电话 告知 回复 答复 反馈 核实 了解 解决 部门 单位 热线 工单 我部门 该处
        该户 其中 并且 以及 满意 感谢 谢谢 结果 时间 上午 下午 今天 明天 昨天
        分别 前往 到达 完成 完毕 到位 积极 协调 沟通 一个 没有 可以 这个 那个
        现在 什么 怎么 就是 因为 所以 如果 但是 还是 一下 不是 他们 你们 自己
        责任人 经办人
        """,
    )
)
_DEEDS = frozenset("修换拆清装搬铺补剪退赔罚锯")  # one-character verbs of what is done


@lru_cache(maxsize=1)
def _tokenizer():
    import jieba

    jieba.setLogLevel("ERROR")
    return jieba.Tokenizer()


@lru_cache(maxsize=4096)
def content_words(text: str) -> tuple[str, ...]:
    """Words of two characters and more that carry matter, each once; no days, no numbers."""
    words = dict.fromkeys(_tokenizer().lcut(plain(text)))
    return tuple(
        word
        for word in words
        if len(word) >= 2 and word not in FILLERS and not re.search(r"\d|^[月日时分年号]", word)
    )


def words_heard(words: Iterable[str], text: str) -> list[str]:
    """Those of the words that the text says, by sound."""
    said = " " + " ".join(syllables(plain(text))) + " "
    return [word for word in words if " " + " ".join(syllables(word)) + " " in said]


def shares_deed(one: str, other: str) -> bool:
    """Whether both name the same one-character deed (拆 in 拆除 and 拆掉), by sound."""
    deeds = set(syllables("".join(c for c in plain(one) if c in _DEEDS)))
    return not deeds.isdisjoint(syllables(plain(other)))


def shares_matter(one: str, other: str) -> bool:
    """Whether two sentences have a content word or a deed in common."""
    if words_heard(content_words(one), other) or words_heard(content_words(other), one):
        return True
    return shares_deed(one, other)


def pairs_heard(text: str, call: str) -> float:
    """Share (0..1) of the text's pairs of syllables that a call says."""
    pairs = list(pairwise(syllables(with_digits(text))))
    said = set(pairwise(syllables(with_digits(call))))
    return sum(pair in said for pair in pairs) / len(pairs) if pairs else 0.0
