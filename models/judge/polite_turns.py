"""How often polite service of other trades alarms: `python -m models.judge.polite_turns`.

200 ordinary turns of bank, telecom, hospital, parcel and other agents with the turns before them
(`samples/corpus/polite-other-trades.jsonl`): refusals, policy, holding the line, no promises,
goodbyes, and no misconduct in any. They were written before anything was measured on them and are
never trained on. An alarm is a prohibited behaviour found anywhere in the turn and its context.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from scipy.stats import binomtest

from models.judge.classifier import load_classifier
from models.judge.examples import CORPUS
from qc.catalogue import Catalogue, load_catalogue
from qc.evidence import Classifier
from qc.inspect import inspect_call
from qc.inspection import BehaviourFinding
from qc.order import Call, SpokenTurn, read_lines
from qc.transcript import Role

TURNS = CORPUS / "polite-other-trades.jsonl"


@dataclass(frozen=True)
class Alarm:
    """A polite turn in which behaviours were found."""

    trade: str
    text: str
    behaviours: tuple[BehaviourFinding, ...]


@dataclass(frozen=True)
class PoliteTurns:
    """What came out; `share` is alarms a turn."""

    turns: int
    alarms: tuple[Alarm, ...]

    @property
    def share(self) -> float:
        return len(self.alarms) / self.turns if self.turns else 0.0


def judge_polite_turns(
    catalogue: Catalogue, classifier: Classifier | None, path: Path = TURNS
) -> PoliteTurns:
    """Judge every turn as a short call of its own, nothing known of the order."""
    turns = list(_read(path))
    alarms = [
        Alarm(trade, call.turns[-1].text, found)
        for trade, call in turns
        if (found := inspect_call(call, catalogue, classifier).behaviours)
    ]
    return PoliteTurns(len(turns), tuple(alarms))


def _read(path: Path) -> Iterator[tuple[str, Call]]:
    """Trade and call; the call is not over with the turn, so nobody has hung up."""
    for _, line in read_lines(path):
        row = json.loads(line)
        before = [
            SpokenTurn(role=Role.AGENT if said.startswith("A") else Role.CITIZEN, text=said[3:])
            for said in row["prev"]
        ]
        turns = (*before, SpokenTurn(role=Role.AGENT, text=row["text"]))
        yield (
            row["trade"],
            Call(kind=row["kind"], turns=turns, answered_by="petitioner", ended_by="both"),
        )


def main() -> None:
    """Print the share and every alarm."""
    console = Console(width=110)
    found = judge_polite_turns(load_catalogue(), load_classifier())
    interval = binomtest(len(found.alarms), found.turns).proportion_ci(method="wilson")
    console.print(
        f"{len(found.alarms)} / {found.turns} = {found.share:.3f} "
        f"({interval.low:.3f}–{interval.high:.3f})",
        highlight=False,
    )
    for alarm in found.alarms:
        rules = "、".join(f"{b.id} {b.confidence:.2f}" for b in alarm.behaviours)
        console.print(
            f"{alarm.trade}  {rules}：{alarm.text}", highlight=False, markup=False, soft_wrap=True
        )


if __name__ == "__main__":
    main()
