"""Trains the demo recogniser: `python -m models.demo_asr.train --minutes 180 --out FILE.pt`.

From nothing the decoder learns first, on symbols; then the encoder learns to say those symbols;
then both learn together on sound. With `--start` a checkpoint learns on: its decoder reads much
more text, put together of what its encoder says about each syllable.
"""

import argparse
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import torch

from models.demo_asr.clips import Phones
from models.demo_asr.losses import LOSS_WEIGHTS, fit_heads, fit_symbols, losses
from models.demo_asr.material import Material
from models.demo_asr.network import Student, usual_tokens
from models.demo_asr.sentences import CORPUS
from models.demo_asr.stages import FROM_NOTHING, FURTHER, Stage
from models.demo_asr.windows import FULL, Batch, make_batch

LAYOUTS = {4: 64, 8: 32, 12: 20, FULL: 8}  # windows of so many seconds: so many in a batch
GUIDE_EVERY = 4  # batches of symbols; the guided loss is slow and soon learned
MOST_HEARD = 160  # encoded batches kept for that, 3 MB each
WARM_UP = 200  # steps
SAVE_EVERY = 150  # seconds
REPORT_EVERY = 50  # steps
PASSAGES = 900  # spoken passages besides those that cover the syllables
FIT_BATCHES = 36  # of two minutes of sound, to fill the units from

Notes = dict[str, list[float]]  # losses since the last report


class Training:
    """The student, its optimiser and its material."""

    def __init__(self, material: Material, student: Student) -> None:
        self.material = material
        self.student = student
        self.random = Random(material.random.random())
        self.noise = np.random.default_rng(self.random.randrange(1 << 30))
        self.optimiser = torch.optim.AdamW(
            (p for p in student.parameters() if p.requires_grad),
            betas=(0.9, 0.98),
            weight_decay=0.01,
        )
        self.step = self.first = 0  # first: of this run, from which the rate warms up
        self.heard: deque[Batch] = deque(maxlen=MOST_HEARD)  # to fit symbols and units to

    def draw(self, stage: Stage, in_order: bool = False) -> Batch:
        """A batch of the stage's kinds."""
        seconds = self.random.choices(list(stage.windows), list(stage.windows.values()))[0]
        kind = self.random.choices(list(stage.kinds), list(stage.kinds.values()))[0]
        sound, units = kind == "sound", kind == "units"
        size = stage.sound_seconds // seconds if sound else LAYOUTS[seconds]
        source = self.material.of_units if units else self.material.spoken
        source = self.material.in_order if in_order else source
        silence = (lambda n: self.material.units.silence(n, self.random)) if units else None
        return make_batch(source, seconds, size, sound, self.random, self.noise, silence)

    @torch.no_grad()
    def encoded(self, batch: Batch) -> Batch:
        """The same batch with what the encoder says in place of its sound."""
        assert batch.mel is not None
        with torch.autocast("cpu", torch.bfloat16):
            frames = self.student.encode(batch.mel, batch.offset)
        return replace(batch, mel=None, frames=frames.half())

    def fit(self) -> None:
        """Fit the symbols to the encoder, and fill the stock of units."""
        sample = Stage("fit", 0, (0, 0), {"sound": 1}, {8: 0.3, FULL: 0.7})
        batches = [self.draw(sample, in_order=True) for _ in range(FIT_BATCHES)]
        self.heard.extend(self.encoded(batch) for batch in batches)
        fit_symbols(self.student, self.heard)
        fit_heads(self.student, self.heard)
        for batch in self.heard:
            self.material.units.listen(self.student, batch)
        heard = self.material.units.heard.values()
        print(f"{len(heard)} syllables, {sum(map(len, heard))} units", flush=True)

    def follow(self, stages: Sequence[Stage], minutes: float, save: Callable[[], None]) -> None:
        """Train for all stages, by their shares of the minutes."""
        shares = math.fsum(stage.share for stage in stages)
        self.first = self.step
        for stage in stages:
            if "units" in stage.kinds and not self.material.units.heard:
                self.fit()
            self.run(stage, minutes * stage.share / shares, save)

    def run(self, stage: Stage, minutes: float, save: Callable[[], None]) -> None:
        """Train for a stage."""
        began = saved = time.time()
        self._choose_learners(stage)
        notes: Notes = {}
        with ThreadPoolExecutor(1) as drawer:
            coming = drawer.submit(self.draw, stage)
            while (done := (time.time() - began) / 60 / minutes) < 1:
                batch = coming.result()
                coming = drawer.submit(self.draw, stage)
                rate = stage.rate[0] * (stage.rate[1] / stage.rate[0]) ** done
                rate *= min(1, (self.step - self.first + 1) / WARM_UP)
                self._learn(batch, stage, rate, notes)
                if self.step % REPORT_EVERY == 0:
                    self._report(stage, time.time() - began, rate, notes)
                if time.time() - saved > SAVE_EVERY:
                    save()
                    saved = time.time()
        save()

    def _choose_learners(self, stage: Stage) -> None:
        for name, parameter in self.student.named_parameters():
            if name.startswith(("phone_head", "tone_head")):
                learns = True
            elif name.endswith("_symbols"):
                learns = stage.symbols_learn
            elif name.startswith("whisper.encoder"):
                learns = stage.encoder and "positional" not in name
            else:
                learns = stage.decoder and "token_embedding" not in name
            parameter.requires_grad_(learns)

    def _learn(self, batch: Batch, stage: Stage, rate: float, notes: Notes) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        kind = batch.kind
        guided = kind == "sound" or (kind == "symbols" and self.step % GUIDE_EVERY == 0)
        with torch.autocast("cpu", torch.bfloat16):
            noted = losses(self.student, batch, stage, guided)
        weighted = [
            loss * LOSS_WEIGHTS.get(name, 1.0) for name, loss in noted.items() if name != "right"
        ]
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(weighted).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        for name, loss in noted.items():
            notes.setdefault(f"{kind} {name}", []).append(loss.item())

    def _report(self, stage: Stage, seconds: float, rate: float, notes: Notes) -> None:
        means = ", ".join(f"{name} {np.mean(values):.3f}" for name, values in sorted(notes.items()))
        print(f"{stage.name} {self.step} {seconds:.0f}s rate {rate:.1e}: {means}", flush=True)
        notes.clear()

    def state(self) -> dict[str, Any]:
        """Everything that `--resume` needs."""
        return {
            "student": self.student.state_dict(),
            "vocabulary": self.student.vocabulary,
            "optimiser": self.optimiser.state_dict(),
            "phones": self.material.phones.names,
            "step": self.step,
        }


def pack(source: Path, target: Path) -> None:
    """Deflate a checkpoint: the equal rows of unused tokens then cost nothing."""
    with ZipFile(source) as plain, ZipFile(target, "w", ZIP_DEFLATED, compresslevel=6) as packed:
        for item in plain.infolist():
            packed.writestr(item.filename, plain.read(item.filename))


def write(training: Training, out: Path) -> None:
    """Write the packed checkpoint and, beside it, the state to go on from."""
    plain, packed = out.with_suffix(".plain"), out.with_suffix(".packed")
    training.student.export(plain)
    pack(plain, packed)
    packed.replace(out)
    plain.unlink()
    torch.save(training.state(), plain)
    plain.replace(out.with_suffix(".state"))


def prepare(options: argparse.Namespace) -> Training:
    """Read the texts, speak the stock, and make or load the student."""
    state = torch.load(options.resume) if options.resume else None
    phones = Phones(state["phones"]) if state else Phones()
    material = Material([CORPUS, *(options.corpus or ())], phones, options.seed)
    vocabulary = state["vocabulary"].tolist() if state else usual_tokens(material.all_lines())
    material.known = set(vocabulary)
    material.speak_stock(material.covering(), PASSAGES)
    student = Student(vocabulary)
    if options.start:
        student.take_over(options.start)
    training = Training(material, student)
    if state:
        student.load_state_dict(state["student"])
        training.optimiser.load_state_dict(state["optimiser"])
        training.step = state["step"]
    return training


def main() -> None:
    """Read the command line and train."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=float, required=True)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--start", type=Path, help="checkpoint to learn on from")
    arguments.add_argument("--resume", type=Path, help="state written by an earlier run")
    arguments.add_argument("--skip", type=int, default=0, help="stages to leave out")
    arguments.add_argument(
        "--corpus", type=Path, action="append", help="more folders of JSON Lines"
    )
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--threads", type=int, default=2)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)

    training = prepare(options)
    stages = FURTHER if options.start or options.resume else (*FROM_NOTHING, *FURTHER)
    training.follow(stages[options.skip :], options.minutes, lambda: write(training, options.out))


if __name__ == "__main__":
    main()
