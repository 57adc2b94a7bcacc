"""Threads that ask at the same time are answered together, and fail alone."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from models.gathering import GatheringRecogniser
from models.recogniser import Channel, Segment
from qc.errors import RecogniserError


class Counting:
    """Says how long each channel is, and remembers how many came together."""

    name = "counting"

    def __init__(self) -> None:
        self.together: list[int] = []

    def transcribe(self, channels: Sequence[Channel]) -> list[list[Segment]]:
        self.together.append(len(channels))
        if any(len(channel.samples) == 13 for channel in channels):
            raise RecogniserError("没有应答", "")
        return [[Segment(str(len(c.samples)), 0.0, 1.0, (), 1.0, 0.0, 1.0)] for c in channels]


def ask_all(recogniser: GatheringRecogniser, lengths: Sequence[int]) -> list[str | None]:
    def ask(length: int) -> str | None:
        channel = Channel(np.zeros(length, np.float32))
        try:
            both = recogniser.transcribe([channel, channel])
        except RecogniserError:
            return None
        assert both[0] == both[1]
        return both[0][0].text

    with ThreadPoolExecutor(len(lengths)) as pool:
        return list(pool.map(ask, lengths))


def test_everybody_gets_their_own_answer():
    engine = Counting()
    lengths = list(range(20, 32))
    assert ask_all(GatheringRecogniser(engine, 4), lengths) == [str(n) for n in lengths]
    assert max(engine.together) == 8  # two channels of each of four
    assert len(engine.together) < len(lengths)


def test_one_that_fails_fails_alone():
    answers = ask_all(GatheringRecogniser(Counting(), 4), [20, 13, 22])
    assert answers == ["20", None, "22"]


@pytest.mark.parametrize("most", [1, 3])
def test_one_thread_does_not_wait_for_others_for_ever(most):
    assert ask_all(GatheringRecogniser(Counting(), most), [5]) == ["5"]
