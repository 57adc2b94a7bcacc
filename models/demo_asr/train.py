"""Trains the demo recogniser: `python -m models.demo_asr.train --minutes 180 --out FILE.pt`.

From nothing the decoder learns first, on symbols; then the encoder learns to say those symbols;
then both learn together on sound, while the symbols go on teaching language. With `--start` a
checkpoint learns on: first its symbols are fitted to what its encoder says.
"""

import argparse
import itertools
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import torch
import torch.nn.functional as F

from models.demo_asr.clips import Clip, Phones, is_sayable, spoken_clip, syllables_of
from models.demo_asr.network import MOST_PHONES, TONES, Student, usual_tokens
from models.demo_asr.sentences import CORPUS, draw_passage, read_texts
from models.demo_asr.units import Units
from models.demo_asr.windows import FULL, Batch, make_batch

LAYOUTS = {4: 64, 8: 32, 12: 20, FULL: 8}  # windows of so many seconds: so many in a batch
GUIDE_EVERY = 4  # symbol batches; the guided loss is slow and soon learned
LOSS_WEIGHTS = {"phone": 0.6, "tone": 0.6, "guide": 0.4, "match": 0.2}
WARM_UP = 200  # steps
SAVE_EVERY = 150  # seconds
REPORT_EVERY = 50  # steps
RIDGE = 1.0
FIT_BATCHES = 48  # of two minutes
PASSAGES = 400  # spoken passages besides those that cover the syllables


@dataclass(frozen=True)
class Stage:
    """A part of the training."""

    name: str
    share: float  # of the minutes
    rate: tuple[float, float]  # learning rate at beginning and end
    kinds: dict[str, float]  # how often a batch is of "sound", "symbols" or "units"
    windows: dict[int, float]  # seconds of a window: how often
    encoder: bool = True  # learns
    decoder: bool = True  # learns, and is run on sound
    symbols_learn: bool = False
    frames: float = 1  # share of frames that the decoder gets to hear
    sound_seconds: int = 120  # of a batch


FROM_NOTHING = (
    Stage("symbols, short", 0.10, (1.5e-3, 1.5e-3), {"symbols": 1}, {4: 1}, symbols_learn=True),
    Stage(
        "symbols",
        0.10,
        (1.5e-3, 1e-3),
        {"symbols": 1},
        {8: 0.5, 12: 0.3, FULL: 0.2},
        symbols_learn=True,
    ),
    Stage("encoder", 0.12, (1e-3, 1e-3), {"sound": 1}, {8: 1}, decoder=False),
    Stage(
        "together, short", 0.28, (1e-3, 8e-4), {"sound": 0.7, "symbols": 0.3}, {8: 0.8, FULL: 0.2}
    ),
    Stage("together", 0.40, (8e-4, 2e-5), {"sound": 0.6, "symbols": 0.4}, {8: 0.2, FULL: 0.8}),
)
FURTHER = (
    Stage("language", 0.8, (5e-4, 2e-4), {"units": 0.94, "sound": 0.06}, {12: 0.7, FULL: 0.3},
          encoder=False, sound_seconds=60),
    Stage("settling", 0.2, (2e-4, 2e-5), {"units": 0.8, "sound": 0.2}, {FULL: 1},
          encoder=False),
)  # fmt: skip


class Material:
    """Draws clips: passages of symbols made on the way, passages of sound from a stock."""

    def __init__(self, corpora: list[Path], phones: Phones, seed: int) -> None:
        self.corpora = corpora
        self.random = Random(seed)
        self.phones = phones
        self.units = Units()
        self.texts = read_texts(corpora)
        self.known: set[int] = set()  # tokens of the table
        self.stock: list[list[Clip]] = []
        self.next = -1

    def all_lines(self, drawn: int = 20_000) -> Iterator[str]:
        """Every line of the texts, and many drawn ones: what the token table must hold."""
        for kind in (self.texts.calls, self.texts.turns, self.texts.documents):
            for passage in kind:
                yield from passage
        random = Random(0)
        for _ in range(drawn):
            yield from draw_passage(self.texts, random)

    def covering(self, times: int = 3) -> Iterator[str]:
        """Lines that together hold every syllable of the texts a few times, common or rare."""
        lines = sorted({line for line in self.all_lines() if is_sayable(line)})
        self.random.shuffle(lines)
        seen: Counter[str] = Counter()
        for line in lines:
            syllables = syllables_of(line)
            if any(seen[syllable] < times for syllable in syllables):
                seen.update(syllables)
                yield line

    def speak_stock(self, count: int) -> None:
        """Speak lines that hold every syllable, and `count` passages."""
        began = time.time()
        passages: Iterator[Sequence[str]] = itertools.chain(
            ((line,) for line in self.covering()),
            (draw_passage(self.texts, self.random) for _ in range(count)),
        )
        for passage in passages:
            texts = [text for text in passage if is_sayable(text)]
            spoken = [spoken_clip(text, self.phones, self.random) for text in texts]
            if clips := self._known(spoken):
                self.stock.append(clips)
        hours = sum(clip.seconds for clips in self.stock for clip in clips) / 3600
        print(f"spoke {len(self.stock)} passages, {hours:.1f} h, in {time.time() - began:.0f} s",
              flush=True)  # fmt: skip

    def _known(self, clips: Iterable[Clip | None]) -> list[Clip]:
        """Those that were made, of tokens that are in the table."""
        return [clip for clip in clips if clip and self.known.issuperset(clip.tokens)]

    def in_order(self) -> list[Clip]:
        """The next passage of the stock; those with the rare syllables come first."""
        self.next = (self.next + 1) % len(self.stock)
        return self.stock[self.next]

    def spoken(self) -> list[Clip]:
        """The clips of a passage that was spoken."""
        return self.random.choice(self.stock)

    def of_units(self) -> list[Clip]:
        """The clips of a passage that is put together of units."""
        while True:
            texts = draw_passage(self.texts, self.random)
            clips = [self.units.clip(text, self.random) for text in texts if is_sayable(text)]
            if kept := self._known(clips):
                return kept


def losses(student: Student, batch: Batch, stage: Stage, guided: bool) -> dict[str, torch.Tensor]:
    """Named losses of one batch, and `right`, the share of tokens that were right."""
    noted: dict[str, torch.Tensor] = {}
    # Attention asks which frames there are, not how many: some of them teach the same cheaper.
    numbers = torch.arange(batch.labels.shape[2])
    numbers = numbers[torch.rand(len(numbers)) < stage.frames]
    if batch.mel is None:
        with torch.set_grad_enabled(stage.symbols_learn):
            noisy = batch.residual is None
            frames = student.symbolise(batch.labels, batch.offset, numbers, noisy)
            if batch.residual is not None:
                frames = frames + batch.residual[:, numbers].float()
    else:
        with torch.set_grad_enabled(stage.encoder):
            frames = student.encode(batch.mel, batch.offset)
        if stage.encoder:
            noted |= _frame_losses(student, frames, batch, stage)
        frames = frames[:, numbers]
    if stage.decoder:
        hidden, guide = student.decode(
            batch.tokens, frames, batch.guide if guided else None, numbers
        )
        noted["token"], right = student.token_loss(hidden, batch.targets)
        noted["right"] = torch.tensor(right)
        if guided:
            noted["guide"] = guide
    return noted


def _frame_losses(
    student: Student, frames: torch.Tensor, batch: Batch, stage: Stage
) -> dict[str, torch.Tensor]:
    every = torch.arange(frames.shape[1])
    symbols = student.symbolise(batch.labels, batch.offset, every, noisy=False).detach().float()
    match = ((frames.float() - symbols) ** 2).mean() / symbols.var()
    phones = student.phone_head(frames).float().flatten(0, 1)
    tones = student.tone_head(frames).float().flatten(0, 1)
    return {
        "phone": F.cross_entropy(phones, batch.labels[:, 0].flatten()),
        "tone": F.cross_entropy(tones, batch.labels[:, 1].flatten()),
        "match": match / LOSS_WEIGHTS["match"] if not stage.decoder else match,
    }


@torch.no_grad()
def hear(student: Student, batches: list[Batch]) -> tuple[torch.Tensor, ...]:
    """What the encoder says: frames (N, D), and their labels (N, 2) and places (N,)."""
    frames, labels, places = [], [], []
    for batch in batches:
        assert batch.mel is not None
        with torch.autocast("cpu", torch.bfloat16):
            frames.append(student.encode(batch.mel, batch.offset).float().flatten(0, 1))
        labels.append(batch.labels.transpose(1, 2).flatten(0, 1))
        places.append((batch.offset[:, None] + torch.arange(batch.labels.shape[2])).flatten())
    return torch.cat(frames), torch.cat(labels), torch.cat(places)


@torch.no_grad()
def fit_symbols(student: Student, batches: list[Batch]) -> None:
    """Fit the symbols to what the encoder says, by least squares.

    The encoder may come from a checkpoint that has no symbols, or may have moved on from them.
    """
    frames, labels, places = hear(student, batches)
    phones, tones = F.one_hot(labels[:, 0], MOST_PHONES), F.one_hot(labels[:, 1], TONES)
    sinusoids = student.whisper.encoder.positional_embedding[places]
    known = torch.cat([phones.float(), tones.float(), sinusoids], 1)
    ridge = RIDGE * torch.eye(known.shape[1])
    fitted = torch.linalg.solve(known.T @ known + ridge, known.T @ frames)
    student.phone_symbols.copy_(fitted[:MOST_PHONES])
    student.tone_symbols.copy_(fitted[MOST_PHONES : MOST_PHONES + TONES])
    student.place_symbols.copy_(fitted[MOST_PHONES + TONES :])
    off = frames - known @ fitted
    print(f"symbols explain {1 - off.var() / frames.var():.2f} of the frames", flush=True)


class Training:
    """The student, its optimiser and its material; can be written to a file and taken up again."""

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
        self.step = 0

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

    def fit(self) -> None:
        """Fit the symbols to the encoder, and fill the stock of units."""
        sample = Stage("fit", 0, (0, 0), {"sound": 1}, {8: 0.3, FULL: 0.7})
        batches = [self.draw(sample, in_order=True) for _ in range(FIT_BATCHES)]
        fit_symbols(self.student, batches[: FIT_BATCHES // 4])
        for batch in batches:
            self.material.units.listen(self.student, batch)
        heard = self.material.units.heard.values()
        print(f"{len(heard)} syllables, {sum(map(len, heard))} units", flush=True)

    def run(self, stage: Stage, minutes: float, save: Callable[[], None]) -> None:
        """Train for a stage."""
        began = saved = time.time()
        self._choose_learners(stage)
        notes: dict[str, list[float]] = {}
        first = self.step
        with ThreadPoolExecutor(1) as drawer:
            coming = drawer.submit(self.draw, stage)
            while (done := (time.time() - began) / 60 / minutes) < 1:
                batch = coming.result()
                coming = drawer.submit(self.draw, stage)
                rate = stage.rate[0] * (stage.rate[1] / stage.rate[0]) ** done
                self._learn(batch, stage, rate * min(1, (self.step - first + 1) / WARM_UP), notes)
                if self.step % REPORT_EVERY == 0:
                    self._report(stage, time.time() - began, rate, notes)
                if time.time() - saved > SAVE_EVERY:
                    save()
                    self.material.texts = read_texts(self.material.corpora)  # it may have grown
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

    def _learn(
        self, batch: Batch, stage: Stage, rate: float, notes: dict[str, list[float]]
    ) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        guided = batch.mel is not None or self.step % GUIDE_EVERY == 0
        with torch.autocast("cpu", torch.bfloat16):
            noted = losses(self.student, batch, stage, guided)
        total = sum(
            loss * LOSS_WEIGHTS.get(name, 1.0) for name, loss in noted.items() if name != "right"
        )
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        kind = (
            "sound"
            if batch.mel is not None
            else "units"
            if batch.residual is not None
            else "symbols"
        )
        for name, loss in noted.items():
            notes.setdefault(f"{kind} {name}", []).append(loss.item())

    def _report(self, stage: Stage, seconds: float, rate: float, notes: dict[str, list[float]]):
        means = ", ".join(f"{name} {np.mean(values):.3f}" for name, values in sorted(notes.items()))
        print(f"{stage.name} {self.step} {seconds:.0f}s rate {rate:.1e}: {means}", flush=True)
        notes.clear()

    def state(self) -> dict:
        return {
            "student": self.student.state_dict(),
            "vocabulary": self.student.vocabulary,
            "optimiser": self.optimiser.state_dict(),
            "phones": self.material.phones.names,
            "step": self.step,
        }


def pack(source: Path, target: Path) -> None:
    """Deflate a checkpoint: the equal rows of unused tokens then cost nothing."""
    with ZipFile(source) as plain, ZipFile(target, "w", ZIP_DEFLATED, compresslevel=9) as packed:
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


def main() -> None:
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

    state = torch.load(options.resume) if options.resume else None
    phones = Phones(state["phones"]) if state else Phones()
    material = Material([CORPUS, *(options.corpus or ())], phones, options.seed)
    vocabulary = state["vocabulary"].tolist() if state else usual_tokens(material.all_lines())
    material.known = set(vocabulary)
    material.speak_stock(PASSAGES)
    student = Student(vocabulary)
    if options.start:
        student.take_over(options.start)
    training = Training(material, student)
    if state:
        student.load_state_dict(state["student"])
        training.optimiser.load_state_dict(state["optimiser"])
        training.step = state["step"]
    stages = (FURTHER if options.start or state else FROM_NOTHING)[options.skip :]
    shares = math.fsum(stage.share for stage in stages)
    for stage in stages:
        if "units" in stage.kinds and not material.units.heard:
            training.fit()
        training.run(
            stage, options.minutes * stage.share / shares, lambda: write(training, options.out)
        )


if __name__ == "__main__":
    main()
