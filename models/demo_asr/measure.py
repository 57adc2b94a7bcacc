"""Measures a checkpoint on calls it never trained on: `python -m models.demo_asr.measure`."""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import torch
import whisper
from numpy.typing import NDArray
from pypinyin import Style, lazy_pinyin

from models.demo_asr.channel import CLEAN, TELEPHONE, Channel, send
from models.demo_asr.dialogue import Turn, render
from models.demo_asr.sentences import CORPUS, HELD_OUT, read_calls
from models.demo_asr.speech import SAMPLE_RATE
from models.demo_asr.spoken import han_only

WEIGHTS = Path(__file__).parents[1] / "weights" / "demo.pt"
LONGEST = 60.0  # seconds of each call


@dataclass(frozen=True)
class Dialogue:
    """A call that was said, with what was said."""

    name: str
    samples: NDArray[np.float32]  # (n,) at 16 kHz
    reference: str  # Chinese characters only


@dataclass(frozen=True)
class Errors:
    """Error rates, 0..1, over a set of dialogues."""

    characters: float  # CER
    syllables: float  # word error rate of pinyin without tones: what was misheard
    tones: float  # the same with tones
    said: int  # characters
    seconds: float  # of sound
    took: float  # seconds
    pairs: tuple[tuple[str, str], ...]  # reference and what was recognised


def held_out_dialogues(count: int = 10, longest: float = LONGEST) -> list[Dialogue]:
    """Say the beginnings of calls that are never trained on, two voices in one channel."""
    calls = {
        name: turns
        for path in sorted(CORPUS.glob("*.jsonl"))
        for name, turns in read_calls(path, held_out=True)
    }
    dialogues = []
    for seed, name in enumerate(sorted(HELD_OUT)[:count]):
        # Without overlaps: two voices at once have no single right order of characters.
        call = render(
            [Turn(turn["role"], turn["text"]) for turn in calls[name]], seed=seed, longest=longest
        )
        said = "".join(han_only(turn.turn.text) for turn in call.turns)
        dialogues.append(Dialogue(name, call.mono, said))
    return dialogues


def measure(
    model: whisper.Whisper, dialogues: Sequence[Dialogue], channel: Channel, **options: Any
) -> Errors:
    """Transcribe dialogues with `whisper.transcribe`, greedy unless `options` say otherwise."""
    settings = {"language": "zh", "temperature": 0.0, "condition_on_previous_text": False} | options
    began = time.time()
    pairs = []
    for seed, dialogue in enumerate(dialogues):
        heard = send(dialogue.samples, channel, seed)
        result = model.transcribe(heard, fp16=False, **settings)
        pairs.append((dialogue.reference, han_only(result["text"])))
    took = time.time() - began
    references, found = [a for a, _ in pairs], [b for _, b in pairs]
    return Errors(
        jiwer.cer(references, found),
        jiwer.wer(_in_pinyin(references, Style.NORMAL), _in_pinyin(found, Style.NORMAL)),
        jiwer.wer(_in_pinyin(references, Style.TONE3), _in_pinyin(found, Style.TONE3)),
        sum(len(reference) for reference in references),
        sum(len(dialogue.samples) for dialogue in dialogues) / SAMPLE_RATE,
        took,
        tuple(pairs),
    )


def _in_pinyin(texts: Sequence[str], style: Style) -> list[str]:
    return [" ".join(lazy_pinyin(text, style=style)) for text in texts]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("weights", type=Path, nargs="?", default=WEIGHTS)
    arguments.add_argument("--dialogues", type=int, default=10)
    arguments.add_argument("--channel", choices=["clean", "telephone"], action="append")
    arguments.add_argument("--beam", type=int, help="beam size; greedy without it")
    arguments.add_argument("--show", action="store_true", help="print texts too")
    options = arguments.parse_args()
    torch.set_num_threads(2)
    model = whisper.load_model(str(options.weights))
    dialogues = held_out_dialogues(options.dialogues)
    extra = {"beam_size": options.beam} if options.beam else {}
    print("channel    dialogues  characters  seconds    CER  syllables  with tones  × real time")
    for name in options.channel or ["clean", "telephone"]:
        channel = CLEAN if name == "clean" else TELEPHONE
        errors = measure(model, dialogues, channel, **extra)
        print(
            f"{name:10} {len(dialogues):9} {errors.said:11} {errors.seconds:8.0f}"
            f" {errors.characters:6.1%} {errors.syllables:10.1%} {errors.tones:11.1%}"
            f" {errors.seconds / errors.took:12.0f}",
            flush=True,
        )
        for reference, found in errors.pairs if options.show else ():
            print(f"  {reference}\n  {found}\n")


if __name__ == "__main__":
    main()
