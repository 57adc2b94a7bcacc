"""A spot check to report on: the calls of the corpus, given to the handlers of one street."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from random import Random

from qc.catalogue import load_catalogue
from qc.coaching.report import HeardCall
from qc.figures.calls import CallFigures
from qc.filed import Filing, ReturnVisit
from qc.inspect import inspect_call
from qc.order import read_call, read_lines
from qc.privacy import masked
from qc.report import Row, Verdict, verdict

CORPUS = Path(__file__).parents[2] / "samples" / "corpus"
FILES = ("dev-a.jsonl", "dev-b.jsonl")
STAFF = {
    "城管中队": ("李敏", "周涛", "沈洁"),
    "房管办": ("陈刚", "吴琳"),
    "社区管理办": ("赵强", "孙悦"),
    "平安办": ("钱进",),
}
FIRST, LAST = date(2024, 4, 1), date(2024, 6, 30)


@lru_cache(maxsize=1)
def spot_check() -> tuple[HeardCall, ...]:
    """A hundred calls of eight handlers, made from April to June 2024; personal data masked."""
    random, people = Random(12345), [(d, h) for d, some in STAFF.items() for h in some]
    return tuple(
        HeardCall(row, FIRST + timedelta(days=random.randrange((LAST - FIRST).days + 1)))
        for row in _rows(random, people)
    )


def _rows(random: Random, people: list[tuple[str, str]]) -> Iterator[Row]:
    number = 0
    for file in FILES:
        for _, line in read_lines(CORPUS / file):
            number += 1
            department, handler = random.choice(people)
            call = read_call(line, file)
            inspection = inspect_call(call, load_catalogue(), None)
            stored = verdict(inspection).model_dump()
            stored["turns"] = [
                {"role": t.role.value, "text": t.text, "start": 4.0 * i, "end": 4.0 * i + 3}
                for i, t in enumerate(masked(inspection).transcript.turns)
            ]
            yield Row(
                id=f"r{number}",
                key=f"k{number}",
                recording=f"{call.kind.value}/{number:03}.wav",
                status="ok",
                page=f"calls/{number:03}.html",
                kind=call.kind,
                order_id=f"T{number // 2:05}",
                department=department,
                handler=handler,
                seconds=60.0,
                verdict=Verdict.model_validate(stored),
            )


def figures(calls: tuple[HeardCall, ...] | None = None) -> Iterator[CallFigures]:
    """The same calls as records, with what was filed on their orders."""
    random = Random(2024)
    for call in calls or spot_check():
        visit = ReturnVisit.model_validate(
            {
                "at": f"{call.on} 16:00",
                "satisfaction": random.choice(["satisfied", "basically", "dissatisfied"]),
                "cause": random.choice(["attitude", "result", None]),
            }
        )
        yield CallFigures.of_row(
            call.row,
            Filing(return_visits=(visit,)),
            on=call.on,
            contacted=random.random() < 0.9,
            on_time=random.random() < 0.95,
        )
