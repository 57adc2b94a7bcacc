"""Measures the recogniser on calls it never trained on: `python -m models.demo_asr.measure`."""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jiwer
import numpy as np
import whisper
from numpy.typing import NDArray
from pypinyin import Style, lazy_pinyin

from models.demo_asr.channel import CLEAN, TELEPHONE, Channel, send
from models.demo_asr.dialogue import Turn, render
from models.demo_asr.sentences import CORPUS, HELD_OUT, read_calls
from models.demo_asr.speech import SAMPLE_RATE
from models.demo_asr.spoken import han_only
from models.recogniser import Channel as Sound
from models.recogniser import Recogniser, Segment, load_recogniser

LONGEST = 60.0  # seconds of each call
# How the calls are sent, and whether each voice has a channel of its own.
CONDITIONS: dict[str, tuple[Channel, bool]] = {
    "clean": (CLEAN, False),
    "telephone, a voice a channel": (TELEPHONE, True),
    "telephone, mono": (TELEPHONE, False),
    "telephone, mono, noise at 20 dB": (replace(TELEPHONE, noise_db=20), False),
}


@dataclass(frozen=True)
class Dialogue:
    """A call that was said, with what was said."""

    name: str
    samples: NDArray[np.float32]  # (channels, n) at 16 kHz
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


def held_out_dialogues(
    count: int = 10, longest: float = LONGEST, *, stereo: bool = False
) -> list[Dialogue]:
    """Say the beginnings of calls that are never trained on, two voices."""
    calls = {
        name: turns
        for path in sorted(CORPUS.glob("*.jsonl"))
        for name, turns in read_calls(path, held_out=True)
    }
    dialogues = []
    for seed, name in enumerate(sorted(HELD_OUT)[:count]):
        # Without overlaps: two voices at once have no single right order of characters.
        said = [Turn(turn["role"], turn["text"]) for turn in calls[name]]
        call = render(said, seed=seed, longest=longest, stereo=stereo)
        text = "".join(han_only(turn.turn.text) for turn in call.turns)
        dialogues.append(Dialogue(name, call.samples, text))
    return dialogues


class PlainWhisper:
    """`whisper.transcribe` with the same weights, greedy: what the engines are compared with."""

    name = "whisper.transcribe"

    def __init__(self, weights: Path) -> None:
        self._model = whisper.load_model(str(weights), device="cpu")

    def transcribe(self, channels: Sequence[Sound]) -> list[list[Segment]]:
        """One segment a channel, without words."""
        return [[self._segment(channel.samples)] for channel in channels]

    def _segment(self, samples: NDArray) -> Segment:
        result = self._model.transcribe(
            samples, language="zh", temperature=0.0, condition_on_previous_text=False, fp16=False
        )
        return Segment(str(result["text"]), 0.0, len(samples) / SAMPLE_RATE, (), 1.0, 0.0, 1.0)


def measure(
    recogniser: Recogniser, dialogues: Sequence[Dialogue], channel: Channel = TELEPHONE
) -> Errors:
    """Send dialogues through a channel and have them recognised."""
    began = time.time()
    pairs = []
    for seed, dialogue in enumerate(dialogues):
        heard = recogniser.transcribe([Sound(send(x, channel, seed)) for x in dialogue.samples])
        segments = sorted((s for part in heard for s in part), key=lambda s: s.start)
        found = han_only("".join(segment.text for segment in segments))
        pairs.append((dialogue.reference, found))
    took = time.time() - began
    references, hypotheses = [a for a, _ in pairs], [b for _, b in pairs]
    return Errors(
        jiwer.cer(references, hypotheses),
        jiwer.wer(_in_pinyin(references, Style.NORMAL), _in_pinyin(hypotheses, Style.NORMAL)),
        jiwer.wer(_in_pinyin(references, Style.TONE3), _in_pinyin(hypotheses, Style.TONE3)),
        sum(len(reference) for reference in references),
        sum(dialogue.samples.shape[1] for dialogue in dialogues) / SAMPLE_RATE,
        took,
        tuple(pairs),
    )


def _in_pinyin(texts: Sequence[str], style: Style) -> list[str]:
    return [" ".join(lazy_pinyin(text, style=style)) for text in texts]


def main() -> None:
    """Print a table, a row for each condition."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("engine", nargs="?", default="demo", help="as for load_recogniser")
    arguments.add_argument("--plain", action="store_true", help="whisper.transcribe; a path")
    arguments.add_argument("--raw", action="store_true", help="without the word model")
    arguments.add_argument("--dialogues", type=int, default=10)
    arguments.add_argument("--condition", choices=list(CONDITIONS), action="append")
    arguments.add_argument("--show", action="store_true", help="print texts too")
    options = arguments.parse_args()
    recogniser: Recogniser
    if options.plain:
        recogniser = PlainWhisper(Path(options.engine))
    else:
        recogniser = load_recogniser(options.engine, device="cpu", rewrite=not options.raw)
    print("condition                        characters  seconds    CER  syllables  with tones")
    for name in options.condition or CONDITIONS:
        channel, stereo = CONDITIONS[name]
        dialogues = held_out_dialogues(options.dialogues, stereo=stereo)
        errors = measure(recogniser, dialogues, channel)
        print(
            f"{name:32} {errors.said:10} {errors.seconds:8.0f}"
            f" {errors.characters:6.1%} {errors.syllables:10.1%} {errors.tones:11.1%}",
            flush=True,
        )
        for reference, found in errors.pairs if options.show else ():
            print(f"  {reference}\n  {found}\n")


if __name__ == "__main__":
    main()
