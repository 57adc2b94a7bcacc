"""How soon the page of a long call can be used: `python -m benchmarks.workbench`.

A ten-minute call of 200 turns on a server on loopback, opened by headless Chromium: milliseconds
from the start of the navigation until the waveform is drawn and the player answers. Cold: nothing
in the browser's cache; warm: the libraries are there.
"""

import logging
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import uvicorn
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from api.app import create_app
from api.database import transaction
from api.logs import configure_logs
from api.playback import find_peaks, write_playback
from api.results import keep_inspection
from api.service import Service, open_service
from api.settings import Settings
from api.tables import OrderRow, RecordingRow
from models.judge.classifier import load_classifier
from qc.audio import SAMPLE_RATE, Recording
from qc.catalogue import load_catalogue
from qc.filed import Filing
from qc.inspect import inspect_call
from qc.order import Call, Order, SpokenTurn, read_call, read_lines

CORPUS = Path(__file__).parents[1] / "samples" / "corpus"
CHROMIUM = "/usr/bin/chromium"
QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
PASSWORD = "benchmark-only-7"
SECONDS, TURNS, ROUNDS = 600, 200, 7


def long_call() -> Call:
    """Ten minutes of labelled calls, one after the other."""
    paths = sorted(CORPUS.glob("dev-*.jsonl"))
    calls = [read_call(line, path.name) for path in paths for _, line in read_lines(path)]
    said = [turn for call in calls for turn in call.turns][:TURNS]
    step = SECONDS / len(said)
    turns = tuple(
        SpokenTurn(role=turn.role, text=turn.text, start=i * step, end=(i + 0.9) * step)
        for i, turn in enumerate(said)
    )
    return calls[0].model_copy(update={"turns": turns})


def store(service: Service, folder: Path) -> str:
    """Store the call as a worker does; the recording's id."""
    noise = np.random.default_rng(1).normal(0, 0.05, (1, SECONDS * SAMPLE_RATE))
    recording = Recording(
        folder / "call.wav", noise.astype(np.float32), "pcm_s16le", 8000, "0" * 64
    )
    copy = folder / "playback.m4a"
    write_playback(recording, copy)
    service.store.put(copy, "playback/call.m4a")
    call = long_call()
    found = inspect_call(call, load_catalogue(), load_classifier())
    with transaction(service.engine) as session:
        order = OrderRow(
            order_id="benchmark", profile="weifang", order=Order(order_id="benchmark").model_dump(
                mode="json"
            ), filing=Filing().model_dump(mode="json"),
        )  # fmt: skip
        session.add(order)
        session.flush()
        row = RecordingRow(
            order_pk=order.id, file_name="call.wav", path="call.wav", sha256="0" * 64, size=1,
            seconds=SECONDS, status="done", playback_path="playback/call.m4a",
            peaks=find_peaks(recording),
        )  # fmt: skip
        session.add(row)
        session.flush()
        keep_inspection(session, row, order, found, "benchmark")
        return row.id


@contextmanager
def serving(service: Service, port: int) -> Iterator[str]:
    """The service on loopback."""
    configure_logs(logging.ERROR)
    config = uvicorn.Config(create_app(service), port=port, log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def signed_in(browser: Browser, site: str) -> BrowserContext:
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="zh-CN")
    page = context.new_page()
    page.goto(f"{site}/signin")
    page.fill("[name=name]", "admin")
    page.fill("[name=password]", PASSWORD)
    page.click("text=登录 >> nth=-1")
    page.wait_for_url("**/today")
    return context


def opened(context: BrowserContext, address: str) -> float:
    """Milliseconds until the page is ready."""
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("body[data-ready=yes]")
    taken: float = page.evaluate("performance.getEntriesByName('ready')[0].startTime")
    page.close()
    return taken


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder, port = Path(name), free_port()
        settings = Settings(
            data_folder=folder, port=port, admin_password=PASSWORD, requests_per_minute=100_000
        )
        service = open_service(settings)
        recording_id = store(service, folder)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        with serving(service, port) as site:
            address = f"{site}/calls/{recording_id}"
            context = signed_in(browser, site)
            warm = [opened(context, address) for _ in range(ROUNDS)][1:]
            cold = []
            for _ in range(ROUNDS):
                context = signed_in(browser, site)
                cold.append(opened(context, address))
                context.close()
        browser.close()
        service.close()
    for title, taken in (("cold", cold), ("warm", warm)):
        median, most = statistics.median(taken), max(taken)
        print(f"call page, {SECONDS} s, {TURNS} turns, {title}: {median:.0f} ms (most {most:.0f})")


if __name__ == "__main__":
    main()
