"""Speak the sample calls: `python -m samples.make` (needs espeak-ng, and sox for AMR).

Writes `recordings/`, `orders/` and `manifest.csv` from `dialogues.yaml`. The voices are synthetic
and all names, phones and addresses invented.
"""

import csv
import json
import subprocess
import wave
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import av
import numpy as np
import yaml
from numpy.typing import NDArray

from models.demo_asr.channel import TELEPHONE, send
from models.demo_asr.dialogue import SpokenCall, Turn, Voice, render
from models.demo_asr.speech import SAMPLE_RATE

Speaker = Literal["agent", "citizen"]
HERE = Path(__file__).resolve().parent
BITS_A_SECOND = 32_000  # a channel, where the codec compresses
COLUMNS = ("recording", "kind", "order")
RATES = {"agent": 185, "citizen": 190}  # words a minute, as espeak-ng counts them


def read_dialogues() -> list[dict[str, Any]]:
    """The calls of `dialogues.yaml`."""
    rows: list[dict[str, Any]] = yaml.safe_load((HERE / "dialogues.yaml").read_text("utf-8"))
    return rows


def turns_of(dialogue: dict[str, Any]) -> list[Turn]:
    """The spoken turns of a dialogue (`A!` overlaps, `A>` is hurried)."""
    turns = []
    for line in dialogue["lines"]:
        mark, text = line.split(": ", 1)
        role: Speaker = "agent" if mark.startswith("A") else "citizen"
        turns.append(Turn(role, text, overlap="!" in mark, fast=">" in mark))
    return turns


def speak_dialogue(dialogue: dict[str, Any], seed: int) -> SpokenCall:
    """Two voices through the telephone channel."""
    agent, citizen = (
        Voice(dialogue["voices"][role], rate=RATES[role]) for role in ("agent", "citizen")
    )
    voices = (agent, citizen)
    return render(turns_of(dialogue), voices, seed=seed, stereo=dialogue["file"]["channels"] == 2)


def encode(samples: NDArray[np.float32], path: Path, codec: str, rate: int) -> None:
    """Write (channels, n) float32 at 16 kHz with PyAV."""
    layout = "stereo" if len(samples) == 2 else "mono"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = BITS_A_SECOND * len(samples)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples), format="fltp", layout=layout
        )
        frame.sample_rate, frame.pts = SAMPLE_RATE, 0
        frame.time_base = Fraction(1, SAMPLE_RATE)
        resampler = av.AudioResampler(
            format=stream.codec_context.format, layout=layout, rate=rate,
            frame_size=stream.codec_context.frame_size or None,
        )  # fmt: skip
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))


def encode_amr(samples: NDArray[np.float32], path: Path) -> None:
    """AMR-NB through sox: PyAV's FFmpeg only decodes it."""
    with TemporaryDirectory() as folder:
        pcm = Path(folder) / "call.wav"
        with wave.open(str(pcm), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(SAMPLE_RATE)
            out.writeframes((np.clip(samples[0], -1, 1) * 32767).astype("<i2").tobytes())
        subprocess.run(
            ["sox", str(pcm), "-r", "8000", "-C", "7", "-t", "amr-nb", str(path)], check=True
        )


def main() -> None:
    """Make every sample."""
    for folder in ("recordings", "orders"):
        (HERE / folder).mkdir(exist_ok=True)
    rows = []
    for seed, dialogue in enumerate(read_dialogues()):
        call = speak_dialogue(dialogue, seed)
        samples = np.stack([send(channel, TELEPHONE, seed) for channel in call.samples])
        made = dialogue["file"]
        recording = HERE / "recordings" / f"{dialogue['name']}.{made['format']}"
        if made["format"] == "amr":
            encode_amr(samples, recording)
        else:
            encode(samples, recording, made["codec"], made["rate"])
        order = HERE / "orders" / f"{dialogue['name']}.json"
        filed = {
            k: str(v) if k in ("order_id", "reported_on") else v
            for k, v in dialogue["order"].items()
        }
        order.write_text(json.dumps(filed, ensure_ascii=False, indent=2) + "\n", "utf-8")
        rows.append((f"recordings/{recording.name}", dialogue["kind"], f"orders/{order.name}"))
        print(f"{recording.name}  {call.seconds:.0f} s")
    with (HERE / "manifest.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
