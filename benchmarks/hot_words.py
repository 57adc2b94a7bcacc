"""What the order's names and address are worth: `python -m benchmarks.hot_words`.

Calls in which a petitioner, a place and a department are named are said through a telephone and
recognised with and without the order's hot words. Names are drawn anew; half of the roads are
invented. Counted is the share of names, surnames with a form of address and places that come out
with a wrong character. Writes `benchmarks/results/hot-words.json` and prints a table.
"""

import json
from pathlib import Path
from random import Random
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from models.demo_asr.channel import TELEPHONE, send
from models.demo_asr.dialogue import Turn, render
from models.demo_asr.sentences import fill
from models.recogniser import Channel, Recogniser, load_recogniser
from qc.listen import hot_words_of
from qc.order import Order

RESULTS = Path(__file__).parent / "results" / "hot-words.json"


def draw_order(random: Random) -> Order:
    """A petitioner, a place and a department that were never in this company before."""
    road = fill("{r}", random) if random.random() < 0.5 else fill("{g}{g}路", random)
    return Order(
        petitioner=fill("{n}", random),
        address=f"{road}{random.randint(101, 999)}弄",
        department=fill("{o}{d}", random),
        issue=fill("{i}", random),
    )


def words_of(order: Order) -> dict[str, str]:
    """What has to be heard."""
    name, place = str(order.petitioner), str(order.address)
    return {"name": name, "surname": f"{name[0]}先生", "place": place.rstrip("弄0123456789")}


def said_of(order: Order) -> list[Turn]:
    words = words_of(order)
    return [
        Turn("agent", f"您好，请问是{words['name']}吗？我是{order.department}的工作人员。"),
        Turn("citizen", "对，是我，你讲。"),
        Turn(
            "agent", f"{words['surname']}，您反映{words['place']}的{order.issue}，我跟您核实一下。"
        ),
    ]


def wrong(recogniser: Recogniser, orders: list[Order], with_hot_words: bool) -> dict[str, float]:
    """Share of the words that were not written right."""
    missed = dict.fromkeys(words_of(orders[0]), 0)
    for seed, order in enumerate(orders):
        sound = send(render(said_of(order), seed=seed).mono, TELEPHONE, seed)
        hot = hot_words_of(order) if with_hot_words else ()
        (segments,) = recogniser.transcribe([Channel(sound, hot)])
        text = "".join(segment.text for segment in segments)
        for kind, word in words_of(order).items():
            missed[kind] += word not in text
    return {kind: count / len(orders) for kind, count in missed.items()}


def main(
    engine: Annotated[str, typer.Option(help="As for load_recogniser.")] = "fast:demo",
    calls: Annotated[int, typer.Option(help="How many.")] = 60,
) -> None:
    """Print and keep the error rates."""
    random = Random(1)
    orders = [draw_order(random) for _ in range(calls)]
    recogniser = load_recogniser(engine, device="cpu")
    raw = load_recogniser(engine, device="cpu", rewrite=False)
    rows = {
        "no word model, no hot words": wrong(raw, orders, with_hot_words=False),
        "word model, no hot words": wrong(recogniser, orders, with_hot_words=False),
        "word model and hot words": wrong(recogniser, orders, with_hot_words=True),
    }
    table = Table("", "name", "surname with 先生", "place")
    for name, shares in rows.items():
        table.add_row(name, *(f"{share:.1%}" for share in shares.values()))
    Console().print(table)
    RESULTS.write_text(
        json.dumps({"engine": engine, "calls": calls, "wrong": rows}, indent=1) + "\n"
    )


if __name__ == "__main__":
    typer.run(main)
