"""A small convolutional network beside the regressions: it hears word order across a turn.

Trained with torch (`train_network`), run with NumPy, so that judging needs no torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.judge.context import Utterance
from models.judge.encoding import FIRST, UNKNOWN, Alphabet, Encoded

EMBEDDING = 64
# Filters by width in characters, for each text.
FILTERS: Mapping[str, Mapping[int, int]] = {
    "turn": {1: 64, 2: 128, 3: 128, 4: 96},
    "heard": {2: 48, 3: 48},
    "own": {2: 32},
}
FACT_UNITS = 48

EPOCHS, BATCH, RATE, DECAY = 8, 96, 4e-3, 0.02
DROPOUT, EMBEDDING_DROPOUT, FACT_DROPOUT = 0.4, 0.15, 0.1
SAID_WRONG = (0.35, 0.12)  # share of the texts with homophone errors, and of their characters
RARE = 0.03  # share of characters taken for unknown ones
MOST_WEIGHT = 3.0  # of an example
POOL = 40  # batches within which examples of like length are put together


@dataclass(frozen=True)
class Network:
    """Weights by name (as in torch's state), and the alphabet that they are for."""

    alphabet: Alphabet
    weights: Mapping[str, NDArray[np.float32]]

    def logits(self, utterances: Sequence[Utterance]) -> NDArray[np.float32]:
        """Log-odds of every label of every utterance, (utterances, labels)."""
        batch = self.alphabet.encode(utterances)
        hidden = [
            self._pooled(rows, name, width)
            for name, rows in (("turn", batch.turn), ("heard", batch.heard), ("own", batch.own))
            for width in FILTERS[name]
        ]
        known = batch.facts @ self.weights["facts.weight"].T + self.weights["facts.bias"]
        features = np.concatenate([*hidden, np.maximum(known, 0)], axis=1)
        return features @ self.weights["out.weight"].T + self.weights["out.bias"]

    def scaled(self, factors: NDArray[np.float32]) -> "Network":
        """The network with each label's log-odds multiplied by a factor, (labels,)."""
        out = {
            "out.weight": self.weights["out.weight"] * factors[:, None],
            "out.bias": self.weights["out.bias"] * factors,
        }
        return Network(self.alphabet, {**self.weights, **out})

    def _pooled(self, rows: NDArray[np.int64], name: str, width: int) -> NDArray[np.float32]:
        """Strongest answer of each filter anywhere in the text, (n, filters)."""
        kernel = self.weights[f"{name}.{width}.weight"]  # (filters, embedding, width)
        rows = np.pad(rows, ((0, 0), (0, 0), (width // 2, width // 2)))
        if rows.shape[2] < width:
            rows = np.pad(rows, ((0, 0), (0, 0), (0, width - rows.shape[2])))
        embedded = self.weights["characters.weight"][rows[:, 0]]
        embedded = embedded + self.weights["syllables.weight"][rows[:, 1]]
        places = rows.shape[2] - width + 1
        answers = sum(embedded[:, at : at + places] @ kernel[:, :, at].T for at in range(width))
        best = np.asarray(answers).max(axis=1) + self.weights[f"{name}.{width}.bias"]
        return np.maximum(best, 0)


def train_network(
    utterances: Sequence[Utterance],
    truth: NDArray[np.float32],
    weight: NDArray[np.float32],
    seed: int = 0,
) -> Network:
    """Train on labelled utterances.

    Args:
        truth: (utterances, labels), 1 where the label holds.
        weight: (utterances, labels), 0 where it is not known whether it does.
        seed: of everything random.
    """
    import torch

    alphabet = Alphabet.of(utterances)
    batch = alphabet.encode(utterances)
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    net = _build(alphabet, truth.shape[1])
    steps = EPOCHS * (len(truth) // BATCH)
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps, pct_start=0.15)
    weight = np.minimum(weight, MOST_WEIGHT)
    for _ in range(EPOCHS):
        for rows in _batches(batch, random):
            answers = net(_distorted(batch[rows], alphabet, random))
            wanted, counts = torch.from_numpy(truth[rows]), torch.from_numpy(weight[rows])
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                answers, wanted, counts, reduction="sum"
            )
            optimiser.zero_grad()
            (10 * loss / counts.sum()).backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimiser.step()
            schedule.step()
    return Network(alphabet, {name: value.numpy() for name, value in net.state_dict().items()})


def _build(alphabet: Alphabet, labels: int):
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.characters = nn.Embedding(len(alphabet.characters) + FIRST, EMBEDDING, 0)
            self.syllables = nn.Embedding(len(alphabet.syllables) + FIRST, EMBEDDING, 0)
            for table in (self.characters, self.syllables):
                nn.init.normal_(table.weight, 0, 0.1)
                table.weight.data[0] = 0
            for name, filters in FILTERS.items():
                convolutions = {
                    str(width): nn.Conv1d(EMBEDDING, count, width, padding=width // 2)
                    for width, count in filters.items()
                }
                setattr(self, name, nn.ModuleDict(convolutions))
            self.facts = nn.Linear(len(alphabet.facts), FACT_UNITS)
            size = sum(sum(filters.values()) for filters in FILTERS.values()) + FACT_UNITS
            self.out = nn.Linear(size, labels)

        def forward(self, batch: Encoded) -> torch.Tensor:
            drop = nn.functional.dropout
            parts = []
            for name in FILTERS:
                rows = torch.from_numpy(getattr(batch, name))
                said = self.characters(rows[:, 0]) + self.syllables(rows[:, 1])
                said = drop(said, EMBEDDING_DROPOUT).transpose(1, 2)
                convolutions = getattr(self, name).values()
                parts += [torch.relu(answer(said)).amax(2) for answer in convolutions]
            known = drop(torch.from_numpy(batch.facts), FACT_DROPOUT)
            parts.append(torch.relu(self.facts(known)))
            return self.out(drop(torch.cat(parts, 1), DROPOUT))

    return Net()


def _batches(batch: Encoded, random: np.random.Generator) -> list[NDArray[np.int_]]:
    """Random batches of utterances of like length: padding costs most of the time."""
    lengths = (batch.turn[:, 0] > 0).sum(1) + 0.5 * (batch.heard[:, 0] > 0).sum(1)
    order = random.permutation(len(lengths))
    pools = np.array_split(order, max(1, len(order) // (BATCH * POOL)))
    order = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
    starts = random.permutation(np.arange(0, len(order) - BATCH + 1, BATCH))
    return [order[start : start + BATCH] for start in starts]


def _distorted(batch: Encoded, alphabet: Alphabet, random: np.random.Generator) -> Encoded:
    """The batch as a recogniser may have heard it: homophones and unknown characters."""

    def heard(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        width = max(4, int((rows[:, 0] > 0).sum(1).max()))
        rows = rows[:, :, :width].copy()
        texts, characters = SAID_WRONG
        wrong = (random.random((len(rows), 1)) < texts) & (rows[:, 0] >= FIRST)
        wrong &= random.random(rows[:, 0].shape) < characters
        for row, place in zip(*np.nonzero(wrong), strict=True):
            alike = alphabet.homophones.get(int(rows[row, 1, place]))
            if alike:
                rows[row, 0, place] = alike[random.integers(len(alike))]
        rare = (random.random(rows[:, 0].shape) < RARE) & (rows[:, 0] >= FIRST)
        rows[:, 0][rare] = UNKNOWN
        return rows

    return Encoded(heard(batch.turn), heard(batch.heard), heard(batch.own), batch.facts)
