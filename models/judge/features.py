"""Features of an utterance: characters, syllables and words of the turn, its context, and facts."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from models.judge.context import Utterance
from qc.text import folded, syllables
from qc.transcript import Role

CONTEXT_CHARACTERS = 40  # of the other speaker's last turn, its end
OWN_CHARACTERS = 40  # of the same speaker's last turn
START, END = "^", "$"
SKIPS = range(2, 6)  # characters apart, of pairs that leave out what stands between
DOMAIN_WORDS = Path(__file__).with_name("words.txt")

# Blocks of features; each block is normalised by itself, so that a long context cannot drown a
# short turn. The first character of a feature's name tells its block.
TURN, WORDS, PAIRS, CONTEXT, FACTS = "t", "w", "k", "c", "f"
BLOCK_WEIGHTS = {TURN: 1.0, WORDS: 0.5, PAIRS: 0.5, CONTEXT: 0.5, FACTS: 0.3}


def features(utterance: Utterance) -> dict[str, list[str]]:
    """Names of the features that an utterance has, by block; a name may come twice.

    Syllables stand beside characters so that a recogniser's homophone costs little; numbers are
    folded; punctuation is left out because many recognisers write none.
    """
    plain = folded(utterance.text)
    text, words = START + plain + END, _words(plain)
    other = Role.CITIZEN if utterance.role is Role.AGENT else Role.AGENT
    heard = folded(utterance.last_said_by(other))[-CONTEXT_CHARACTERS:]
    own = folded(utterance.last_said_by(utterance.role))[-OWN_CHARACTERS:]
    return {
        TURN: [*_grams("tc", text, 1, 4), *_grams("ts", syllables(text), 2, 4)],
        WORDS: [
            *_grams("w1", words, 1, 2),
            *(f"w3{a}~{b}" for a, b in zip(words, words[2:], strict=False)),
        ],
        PAIRS: [f"k{a}{plain[j]}" for i, a in enumerate(plain) for j in _after(i, len(plain))],
        CONTEXT: [
            *_grams("cc", START + heard + END, 1, 3),
            *_grams("cs", syllables(heard), 2, 3),
            *_grams("co", own, 2, 2),
        ],
        FACTS: [f"f:{fact}" for fact in _facts(utterance, len(text), len(heard))],
    }


@lru_cache(maxsize=1)
def _tokenizer():
    import jieba

    jieba.setLogLevel("ERROR")
    tokenizer = jieba.Tokenizer()
    tokenizer.load_userdict(str(DOMAIN_WORDS))
    return tokenizer


def _words(text: str) -> list[str]:
    return _tokenizer().lcut(text)


def _after(place: int, length: int) -> range:
    return range(place + SKIPS.start, min(place + SKIPS.stop, length))


def _grams(prefix: str, units: Sequence[str], shortest: int, longest: int) -> Iterator[str]:
    for length in range(shortest, longest + 1):
        for i in range(len(units) - length + 1):
            yield prefix + " ".join(units[i : i + length])


def _facts(utterance: Utterance, length: int, heard: int) -> Iterator[str]:
    yield utterance.kind
    yield f"length {min(12, length // 4)}"
    yield f"heard {min(8, heard // 5)}"
    yield f"turns {min(2, len(utterance.previous))}"
    if utterance.overlap:
        yield "overlap"
    if utterance.fast:
        yield "fast"
    yield from utterance.hints
