"""Who spoke when on mono recordings: `python -m benchmarks.speakers`.

Labelled calls of samples/corpus are said by two synthetic voices (a third of the pairs two men, a
third two women) into one telephone channel. Measured:

- diarization error rate (pyannote.metrics) of the separation by sound alone, and of the
  transcript's turns (words and sound together), with a collar of 0.25 s on either side of every
  boundary, as in NIST's evaluations of telephone speech (RT-03S, section 6), and with none.
  Speech of both at once counts, as missed where only one is found;
- role accuracy: the share of the turns said that the transcript gives to the right role, by the
  seconds of it in their time. A turn of which nothing was heard is wrong.

Reference: each turn from its first to its last character as rendered; pauses inside a turn from
0.3 s on are no speech (the limit of the NIST evaluations). Every second call is held
out from tuning. `--sound-only` does without the recogniser.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from models.demo_asr.channel import send
from models.demo_asr.dialogue import SpokenTurn, Turn, Voice, render
from models.recogniser import Recogniser, load_recogniser
from models.speakers import Separation, separate
from models.voice_activity import find_speech
from qc.audio import Recording
from qc.listen import listen
from qc.order import CallKind
from qc.transcript import Transcript

CORPUS = Path(__file__).parents[1] / "samples" / "corpus"
RESULTS = Path(__file__).parent / "results" / "speakers.json"
CALLS = 40
LONGEST = 75.0  # seconds of each call
PAUSE = 0.3  # seconds; shorter pauses of a turn are speech
COLLARS = (0.25, 0.0)  # seconds on either side of a boundary that are not judged
MEN, WOMEN = tuple(f"m{i}" for i in range(1, 8)), tuple(f"f{i}" for i in range(1, 6))
PAIRS = {"mixed": (MEN, WOMEN), "men": (MEN, MEN), "women": (WOMEN, WOMEN)}
PARTS = ("missed detection", "false alarm", "confusion")
MINUTE = 60.0


@dataclass(frozen=True, eq=False)
class SaidCall:
    """A labelled call as it sounds on a mono recording."""

    name: str
    kind: CallKind
    pair: str  # of PAIRS
    held_out: bool
    samples: NDArray[np.float32]  # (n,) at 16 kHz
    turns: tuple[SpokenTurn, ...]

    @property
    def seconds(self) -> float:
        return len(self.samples) / 16_000


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a call. `transcript` is None where only the sound was asked for."""

    call: SaidCall
    separation: Separation
    took: float  # seconds of CPU for the separation
    transcript: Transcript | None = None


def said_calls(count: int = CALLS) -> Iterator[SaidCall]:
    """Say the beginnings of labelled calls, evenly drawn from the corpus."""
    lines = [
        json.loads(line)
        for path in sorted(CORPUS.glob("dev-*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
    ]
    for number in range(count):
        call = lines[number * len(lines) // count]
        pair = list(PAIRS)[number // 2 % len(PAIRS)]
        said = render(
            [
                Turn(t["role"], t["text"], t.get("overlap", False), t.get("fast", False))
                for t in call["turns"]
            ],
            draw_pair(pair, number),
            seed=number,
            longest=LONGEST,
        )  # fmt: skip
        yield SaidCall(
            call["call_id"], CallKind(call["kind"]), pair, number % 2 == 0,
            send(said.mono, seed=number), said.turns,
        )  # fmt: skip


def draw_pair(pair: str, seed: int) -> tuple[Voice, Voice]:
    """Two different voices for (agent, citizen), in either order."""
    random = np.random.default_rng(seed)
    first, second = PAIRS[pair]
    one = str(random.choice(first))
    other = str(random.choice([name for name in second if name != one]))
    agent, citizen = (
        Voice(str(name), int(random.integers(165, 216)), int(random.integers(30, 71)))
        for name in random.permutation([one, other])
    )
    return agent, citizen


def reference_of(call: SaidCall) -> Annotation:
    """Who spoke when, without pauses of `PAUSE` and more."""
    reference = Annotation(uri=call.name)
    for number, turn in enumerate(call.turns):
        start = turn.characters[0][0]
        for before, after in pairwise((*turn.characters, (np.inf, np.inf))):
            if after[0] - before[1] >= PAUSE:
                reference[Segment(start, before[1]), number] = turn.turn.role
                start = after[0]
    return reference


def by_sound(separation: Separation) -> Annotation:
    found = Annotation()
    for number, span in enumerate(separation.spans):
        found[Segment(span.start, span.end), number] = str(span.speaker)
    return found


def by_turns(transcript: Transcript) -> Annotation:
    found = Annotation()
    for turn in transcript.turns:
        found[Segment(turn.start, turn.end), turn.index] = turn.role.value
    return found


def right_turns(call: SaidCall, transcript: Transcript) -> list[bool]:
    """Whether each turn said was given to its role."""
    return [heard_as(turn, transcript) == turn.turn.role for turn in call.turns]


def heard_as(said: SpokenTurn, transcript: Transcript) -> str | None:
    """Role with most seconds in the time of a turn, None where nothing was heard."""
    seconds = {"agent": 0.0, "citizen": 0.0}
    for turn in transcript.turns:
        assert turn.start is not None and turn.end is not None
        both = min(turn.end, said.end) - max(turn.start, said.start)
        seconds[turn.role.value] += max(0.0, both)
    role = max(seconds, key=lambda role: seconds[role])
    return role if seconds[role] else None


def hear(call: SaidCall, recogniser: Recogniser | None) -> Outcome:
    """Separate the speakers by sound, and listen to the call as the product does."""
    speech = find_speech(call.samples)
    began = time.process_time()
    separation = separate(call.samples, speech)
    took = time.process_time() - began
    if recogniser is None:
        return Outcome(call, separation, took)
    recording = Recording(Path(call.name), call.samples[None], "pcm", 16_000, "")
    return Outcome(call, separation, took, listen(recording, call.kind, recogniser).transcript)


def errors(pairs: Sequence[tuple[SaidCall, Annotation]], collar: float) -> dict[str, float]:
    """Diarization error rate over all calls, and its parts; 0..1."""
    # pyannote.metrics takes the collar of both sides together
    metric = DiarizationErrorRate(collar=2 * collar, skip_overlap=False)
    for call, found in pairs:
        metric(reference_of(call), found, uem=Timeline([Segment(0, call.seconds)]))
    seconds: dict[str, Any] = {part: metric[part] for part in ("total", *PARTS)}
    parts = {part: round(seconds[part] / seconds["total"], 4) for part in PARTS}
    return {"error": round(abs(metric), 4), **parts}


def measure(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All figures of a set of calls."""
    sound = [(o.call, by_sound(o.separation)) for o in outcomes]
    figures: dict[str, Any] = {
        "calls": len(outcomes),
        "seconds": round(sum(o.call.seconds for o in outcomes)),
        "separation_cpu_per_minute": round(
            MINUTE * sum(o.took for o in outcomes) / sum(o.call.seconds for o in outcomes), 3
        ),
        "sound": {f"collar_{collar}": errors(sound, collar) for collar in COLLARS},
    }
    heard = [(o.call, o.transcript) for o in outcomes if o.transcript is not None]
    if heard:
        turns = [(call, by_turns(transcript)) for call, transcript in heard]
        right = [r for call, transcript in heard for r in right_turns(call, transcript)]
        figures["turns"] = {f"collar_{collar}": errors(turns, collar) for collar in COLLARS}
        figures["role_accuracy"] = round(mean(right), 4)
        figures["turns_said"] = len(right)
    return figures


def print_table(results: dict[str, dict[str, Any]]) -> None:
    """One line a set of calls and a way to tell who spoke."""
    print(f"{'':22} collar    DER  missed   false  confused  roles by turn")
    for name, figures in results.items():
        for way in ("sound", "turns"):
            for collar, error in figures.get(way, {}).items():
                shares = "  ".join(f"{100 * value:5.1f}%" for value in error.values())
                roles = f"{figures['role_accuracy']:.3f}" if way == "turns" else ""
                print(f"{name:15} {way:6} {collar.removeprefix('collar_'):>4} s {shares}   {roles}")
    whole = results["all"]
    print(f"separation: {whole['separation_cpu_per_minute']} s of CPU a minute of sound")


def main() -> None:
    """Measure, print the table and write it to `RESULTS`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--sound-only", action="store_true", help="without the recogniser")
    options = parser.parse_args()
    recogniser = None if options.sound_only else load_recogniser("fast:demo", device="cpu")
    outcomes = [hear(call, recogniser) for call in said_calls(options.calls)]
    sets = {
        "all": outcomes,
        "tuning": [o for o in outcomes if not o.call.held_out],
        "held out": [o for o in outcomes if o.call.held_out],
        **{f"held out {pair}": [o for o in outcomes if o.call.held_out and o.call.pair == pair]
           for pair in PAIRS},
    }  # fmt: skip
    results = {name: measure(some) for name, some in sets.items() if some}
    print_table(results)
    if not options.sound_only:
        RESULTS.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
