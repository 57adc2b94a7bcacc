"""A quiz made from the catalogue: questions and answers are examples that rules are tested on."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from qc.catalogue import Behaviour, Catalogue, Example, Facet
from qc.coaching.practice import spoken

QUESTIONS = 10
LETTERS = "ABCD"


@dataclass(frozen=True)
class Question:
    """A question with its choices; `answer` is an index into them."""

    rule: str  # id
    text: str
    before: tuple[str, ...]  # turns that come before, for people
    choices: tuple[str, ...]
    answer: int
    reason: str  # why, with the standard phrase
    source: str  # clause

    @property
    def letter(self) -> str:
        return LETTERS[self.answer]


def quiz(
    catalogue: Catalogue, seed: int, about: Collection[str] = (), questions: int = QUESTIONS
) -> tuple[Question, ...]:
    """Questions of three sorts, those on the rules `about` (ids) first; same seed, same quiz."""
    random = Random(seed)
    pool = list(_questions(catalogue, random))
    random.shuffle(pool)
    pool.sort(key=lambda question: question.rule not in about)
    chosen: list[Question] = []
    asked: dict[str, int] = {}
    most = 3 if about else 1  # of one rule, before every rule had its turn
    for limit in (most, questions):
        for question in pool:
            if len(chosen) == questions:
                break
            if question not in chosen and asked.get(question.rule, 0) < limit:
                chosen.append(question)
                asked[question.rule] = asked.get(question.rule, 0) + 1
    return tuple(chosen)


def _questions(catalogue: Catalogue, random: Random) -> Iterator[Question]:
    for rule in catalogue.behaviours:
        yield from _judge(rule, random)
        yield from _best_answer(rule, random)
    sources = {
        facet: (element.id, element.title, element.source.clause)
        for kind in catalogue.elements.values()
        for element in kind
        for needed in element.met
        for facet in (*needed.all, *needed.any)
    }
    for facet in catalogue.facets.values():
        if facet.id in sources:
            yield from _conveys(facet, *sources[facet.id], random)


def _plain(example: str | Example) -> Example | None:
    """An example that can be judged by its words alone, without sound or circumstances."""
    if isinstance(example, str):
        return Example(text=example)
    return None if example.overlap or example.fast or example.call else example


def _examples(examples: Sequence[str | Example]) -> list[Example]:
    return [plain for example in examples if (plain := _plain(example))]


def _judge(rule: Behaviour, random: Random) -> Iterator[Question]:
    """Is this the behaviour or not?"""
    good, bad = _examples(rule.examples.no), _examples(rule.examples.yes)
    for example in random.sample([*good, *bad], min(2, len(good) + len(bad))):
        is_bad = example in bad
        yield Question(
            rule=rule.id,
            text=f"经办人说：“{example.text}”这属于“{rule.title}”吗？",
            before=tuple(spoken(turn) for turn in example.prev),
            choices=("属于", "不属于"),
            answer=0 if is_bad else 1,
            reason=f"应当说：{rule.instead}" if is_bad else "这样说是可以的。",
            source=rule.source.clause,
        )


def _best_answer(rule: Behaviour, random: Random) -> Iterator[Question]:
    """The citizen says this: which answer is right?"""
    for good in _examples(rule.examples.no):
        bad = [e.text for e in _examples(rule.examples.yes) if e.prev == good.prev]
        if good.prev and bad:
            choices = [good.text, *bad[:3]]
            random.shuffle(choices)
            yield Question(
                rule=rule.id,
                text="这时哪一种回答合适？",
                before=tuple(spoken(turn) for turn in good.prev),
                choices=tuple(choices),
                answer=choices.index(good.text),
                reason=f"其余属于“{rule.title}”。规范用语：{rule.instead}",
                source=rule.source.clause,
            )


def _conveys(
    facet: Facet, element: str, title: str, clause: str, random: Random
) -> Iterator[Question]:
    """Which of these sentences conveys what the script asks for?"""
    good, bad = _examples(facet.examples.yes), _examples(facet.examples.no)
    good = [e for e in good if not e.prev]
    wrong = [e.text for e in bad if not e.prev]
    if good and wrong:
        right = random.choice(good).text
        choices = [right, *wrong[:3]]
        random.shuffle(choices)
        yield Question(
            rule=element,
            text=f"下面哪一句做到了“{facet.title}”？（话术要素：{title}）",
            before=(),
            choices=tuple(choices),
            answer=choices.index(right),
            reason=f"规范用语：{facet.advice}" if facet.advice else "",
            source=clause,
        )
