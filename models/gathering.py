"""Recordings of several threads recognised together: a GPU is idle with the windows of one call."""

import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from models.recogniser import Channel, Recogniser, Segment

WAIT = 0.1  # seconds that the first recording waits for others


@dataclass(frozen=True, eq=False)
class _Request:
    channels: Sequence[Channel]
    answer: "Future[list[list[Segment]]]" = field(default_factory=Future)


class GatheringRecogniser:
    """Passes on what several threads ask for at about the same time as one.

    Args:
        engine: does the work.
        most: recordings that are recognised together.
    """

    def __init__(self, engine: Recogniser, most: int) -> None:
        self.name = engine.name
        self._engine = engine
        self._most = most
        self._requests: queue.SimpleQueue[_Request] = queue.SimpleQueue()
        threading.Thread(target=self._serve, daemon=True).start()

    def transcribe(self, channels: Sequence[Channel]) -> list[list[Segment]]:
        """See `Recogniser.transcribe`."""
        request = _Request(channels)
        self._requests.put(request)
        return request.answer.result()

    def _serve(self) -> None:
        while True:
            self._answer(self._gather())

    def _gather(self) -> list[_Request]:
        gathered = [self._requests.get()]
        until = time.monotonic() + WAIT
        while len(gathered) < self._most:
            try:
                gathered.append(self._requests.get(timeout=max(0.0, until - time.monotonic())))
            except queue.Empty:
                break
        return gathered

    def _answer(self, requests: Sequence[_Request]) -> None:
        """Answer all; where something goes wrong, each by itself, so that one fails alone."""
        try:
            channels = [channel for request in requests for channel in request.channels]
            found = iter(self._engine.transcribe(channels))
            for request in requests:
                request.answer.set_result([next(found) for _ in request.channels])
        except Exception as error:
            if len(requests) == 1:
                requests[0].answer.set_exception(error)
                return
            for request in requests:
                self._answer([request])
