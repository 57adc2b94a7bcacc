"""How fast recordings are heard: `python -m benchmarks.listening engines` (`sizes`, `chain` …).

`engines`: 40 recordings through `whisper.transcribe` and through our engines, with the same weights
and their error rates, in one run. `sizes`: what a window costs with networks of the official sizes
and random weights, for a fixed number of tokens. `chain`: what everything that is not the
recogniser costs. `memory`: the peak for few and for many recordings. Each writes
`benchmarks/results/listening-….json` and prints its table.
"""

import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jiwer
import numpy as np
import torch
import typer
import whisper
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from whisper.model import ModelDimensions

from models.demo_asr.channel import TELEPHONE, send
from models.demo_asr.dialogue import Turn, render
from models.demo_asr.sentences import CORPUS, read_calls
from models.demo_asr.spoken import han_only
from models.recogniser import DEMO_WEIGHTS, Channel, load_recogniser
from models.torch_whisper import TorchBackend
from models.voice_activity import SAMPLE_RATE
from models.windowed import WhisperOptions, WindowedRecogniser

app = typer.Typer(no_args_is_help=True)

RESULTS = Path(__file__).parent / "results"
CORES = 2
LONGEST = 60.0  # seconds of each call
SIZES = {  # openai-whisper's own: bands, width, heads and layers of encoder and decoder, tokens
    "base": ModelDimensions(80, 1500, 512, 8, 6, 51865, 448, 512, 8, 6),
    "small": ModelDimensions(80, 1500, 768, 12, 12, 51865, 448, 768, 12, 12),
    "turbo": ModelDimensions(128, 1500, 1280, 20, 32, 51866, 448, 1280, 20, 4),
}
TOKENS = 120  # written for a window of 20 s at five characters a second


@dataclass(frozen=True)
class Spoken:
    """A recording and what was said in it."""

    samples: NDArray[np.float32]
    said: str


def recordings(count: int) -> list[Spoken]:
    """The beginnings of labelled calls, two voices in one channel, through a telephone."""
    calls = [turns for path in sorted(CORPUS.glob("dev-*.jsonl")) for _, turns in read_calls(path)]
    step = len(calls) // count
    spoken = []
    for seed, turns in enumerate(calls[: count * step : step]):
        said = [Turn(turn["role"], turn["text"]) for turn in turns]
        call = render(said, seed=seed, longest=LONGEST)
        text = "".join(han_only(turn.turn.text) for turn in call.turns)
        spoken.append(Spoken(send(call.mono, TELEPHONE, seed), text))
    return spoken


# --- engines


def by_transcribe(sounds: Sequence[NDArray], threads: int) -> list[str]:
    """Plain openai-whisper, as its README has it, in Mandarin."""
    torch.set_num_threads(threads)
    model = whisper.load_model(str(DEMO_WEIGHTS), device="cpu")
    return [str(model.transcribe(s, language="zh", fp16=False)["text"]) for s in sounds]


def by_engine(spec: str) -> Callable[[Sequence[NDArray], int], list[str]]:
    """One of our engines; words carry their times."""
    return _Engine(spec)


@dataclass(frozen=True)
class _Engine:
    spec: str

    def __call__(self, sounds: Sequence[NDArray], threads: int) -> list[str]:
        engine = load_recogniser(self.spec, device="cpu", threads=threads)
        heard = engine.transcribe([Channel(sound) for sound in sounds])
        return ["".join(segment.text for segment in segments) for segments in heard]


def _work(job: tuple[Callable[..., list[str]], Sequence[NDArray], int]) -> list[str]:
    hear, sounds, threads = job
    return hear(sounds, threads)


def run(
    hear: Callable[..., list[str]], sounds: list[NDArray], processes: int, threads: int
) -> tuple[list[str], float]:
    """Texts and seconds, loading included, in processes of their own."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    shares = [sounds[i::processes] for i in range(processes)]
    began = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        parts = pool.map(_work, [(hear, share, threads) for share in shares])
    took = time.perf_counter() - began
    texts = [""] * len(sounds)
    for i, part in enumerate(parts):
        texts[i::processes] = part
    return texts, took


@app.command()
def engines(count: Annotated[int, typer.Option(help="Recordings.")] = 40) -> None:
    """Our engines against plain `whisper.transcribe`: same weights, same recordings, same run."""
    spoken = recordings(count)
    sounds, said = [s.samples for s in spoken], [s.said for s in spoken]
    seconds = sum(map(len, sounds)) / SAMPLE_RATE
    ways: list[tuple[str, Callable[..., list[str]], int, int]] = [
        ("whisper.transcribe, 1 process × 2 threads", by_transcribe, 1, CORES),
        ("whisper.transcribe, 2 processes × 1 thread", by_transcribe, CORES, 1),
        ("demo, 2 × 1", by_engine("demo"), CORES, 1),
        ("fast:demo, 2 × 1", by_engine("fast:demo"), CORES, 1),
    ]
    rows: list[dict[str, Any]] = []
    for name, hear, processes, threads in ways:
        texts, took = run(hear, sounds, processes, threads)
        rows.append(
            {
                "way": name,
                "cer": jiwer.cer(said, [han_only(text) for text in texts]),
                "seconds": took,
                "times_real_time": seconds / took,
                "ratio": rows[0]["seconds"] / took if rows else 1.0,
            }
        )
        print(rows[-1], flush=True)
    report("engines", rows, recordings=count, audio_seconds=seconds)


# --- sizes


def random_model(size: str) -> whisper.Whisper:
    torch.manual_seed(0)
    model = whisper.Whisper(SIZES[size]).eval()
    torch.nn.init.normal_(model.decoder.positional_embedding, std=0.01)
    return model


def windows_of(bands: int, batch: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(0, 0.3, (batch, bands, 3000)).astype(np.float32)


def torch_window(model: whisper.Whisper, batch: int) -> dict[str, float]:
    """Seconds a window by PyTorch: the encoder, and `TOKENS` steps of the decoder."""
    backend = TorchBackend(model, WhisperOptions(device="cpu", threads=CORES))
    mels = windows_of(backend.bands, batch)
    began = time.perf_counter()
    encoded = backend.encode(mels)
    heard = time.perf_counter()
    options = whisper.DecodingOptions(
        language="zh", without_timestamps=True, fp16=False, sample_len=TOKENS,
        suppress_tokens=[backend._tokenizer.eot],
    )  # fmt: skip
    whisper.decode(model, encoded, options)
    written = time.perf_counter()
    return {"encode": (heard - began) / batch, "decode": (written - heard) / batch}


def fast_window(model: whisper.Whisper, batch: int) -> dict[str, float]:
    """The same by faster-whisper, in integers of eight bits."""
    from models.fast_whisper import convert_and_open

    backend = convert_and_open(model, WhisperOptions(device="cpu", threads=CORES))
    mels = windows_of(backend.bands, batch)
    began = time.perf_counter()
    encoded = backend.encode(mels)
    encoded_shape = encoded.shape  # waits for the network
    heard = time.perf_counter()
    start = list(backend._tokenizer.sot_sequence_including_notimestamps)
    backend._network.generate(
        encoded, [start] * encoded_shape[0], beam_size=1, max_length=len(start) + TOKENS,
        suppress_tokens=[backend._tokenizer.eot],
    )  # fmt: skip
    written = time.perf_counter()
    return {"encode": (heard - began) / batch, "decode": (written - heard) / batch}


@app.command()
def sizes(
    size: Annotated[list[str] | None, typer.Option(help="base, small, turbo.")] = None,
    batch: Annotated[list[int] | None, typer.Option(help="Windows decoded together.")] = None,
) -> None:
    """Cost of a window of 30 s with random weights of the official sizes; no error rates."""
    rows = []
    for name in size or list(SIZES):
        model = random_model(name)
        for together in batch or [1, 8]:
            if name == "turbo" and together > 1:
                continue  # minutes a window by PyTorch here
            ours, theirs = fast_window(model, together), torch_window(model, together)
            rows.append(
                {
                    "size": name,
                    "batch": together,
                    "torch": sum(theirs.values()),
                    "torch_encoder": theirs["encode"],
                    "fast": sum(ours.values()),
                    "fast_encoder": ours["encode"],
                    "ratio": sum(theirs.values()) / sum(ours.values()),
                }
            )
            print(rows[-1], flush=True)
    report("sizes", rows, tokens=TOKENS, threads=CORES)


# --- everything else


class _Timed(WindowedRecogniser):
    """Counts the seconds in the network and in what is made for it."""

    seconds = 0.0
    windows = 0

    def _hear(self, sounds: Sequence[NDArray], *more: Any) -> Any:
        began = time.perf_counter()
        heard = super()._hear(sounds, *more)
        self.seconds += time.perf_counter() - began
        self.windows += len(sounds)
        return heard


def _write_wave(path: Path, samples: NDArray) -> None:
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else len(samples))
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((np.clip(samples.T, -1, 1) * 32767).astype("<i2").tobytes())


@app.command()
def chain(count: Annotated[int, typer.Option(help="Recordings.")] = 10) -> None:
    """Seconds a minute of sound outside the recogniser, from the file to the verdict."""
    from models.fast_whisper import convert_and_open
    from models.torch_whisper import open_checkpoint
    from qc.inspector import Inspector
    from qc.order import Order

    options = WhisperOptions(device="cpu", threads=1, use_prompt=False, tell_language=False)
    backend = convert_and_open(open_checkpoint(DEMO_WEIGHTS, "cpu"), options)
    inspector = Inspector()
    inspector.recogniser = timed = _Timed(backend, "timed", options)
    spoken = recordings(count)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{i}.wav" for i in range(count)]
        for path, recording in zip(paths, spoken, strict=True):
            _write_wave(path, recording.samples)
        inspector.load()
        inspector.inspect_file(paths[0], None, Order())
        timed.seconds, timed.windows = 0.0, 0
        began = time.perf_counter()
        for path in paths:
            inspector.inspect_file(path, None, Order())
        took = time.perf_counter() - began
    minutes = sum(len(s.samples) for s in spoken) / SAMPLE_RATE / 60
    row = {
        "recordings": count,
        "minutes": minutes,
        "whole_s_a_minute": took / minutes,
        "recogniser_s_a_minute": timed.seconds / minutes,
        "rest_s_a_minute": (took - timed.seconds) / minutes,
        "windows_a_minute": timed.windows / minutes,
    }
    report("chain", [row])


# --- memory


def _peak(count: int) -> float:
    sounds = [s.samples for s in recordings(5)]
    engine = load_recogniser("fast:demo", device="cpu", threads=1)
    for i in range(count):
        engine.transcribe([Channel(sounds[i % len(sounds)])])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@app.command()
def memory() -> None:
    """Peak resident memory of one process after few and after many recordings."""
    rows = []
    for count in (5, 20, 80):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rows.append({"recordings": count, "peak_mib": pool.apply(_peak, (count,))})
    report("memory", rows)


def report(name: str, rows: Sequence[dict[str, Any]], **about: Any) -> None:
    """Print a table and keep the figures."""
    table = Table(*rows[0], title=" ".join(f"{key}={value}" for key, value in about.items()))
    for row in rows:
        table.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()))
    Console().print(table)
    kept = {"rows": list(rows), **about, "cores": CORES}
    (RESULTS / f"listening-{name}.json").write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    app()
