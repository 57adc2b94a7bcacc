"""What a batch is judged by, and how symbols are fitted to an encoder."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F

from models.demo_asr.network import MOST_PHONES, TONES, Student
from models.demo_asr.stages import Stage
from models.demo_asr.windows import Batch

LOSS_WEIGHTS = {"phone": 0.6, "tone": 0.6, "guide": 0.4, "match": 0.2}  # the others 1
HEAD_RATE, HEAD_ROUNDS = 3e-3, 12
RIDGE = 1.0  # frames' worth of doubt about each symbol


def losses(student: Student, batch: Batch, stage: Stage, guided: bool) -> dict[str, torch.Tensor]:
    """Named losses of one batch, and `right`, the share of tokens that were right."""
    noted: dict[str, torch.Tensor] = {}
    if batch.frames is not None:
        frames = batch.frames.float()
    elif batch.mel is None:
        with torch.set_grad_enabled(stage.symbols_learn):
            frames = student.symbolise(batch.labels, batch.offset, noisy=batch.residual is None)
            if batch.residual is not None:
                frames = frames + batch.residual.float()
    else:
        with torch.set_grad_enabled(stage.encoder):
            frames = student.encode(batch.mel, batch.offset)
        if stage.encoder:
            noted |= _frame_losses(student, frames, batch, stage)
    if stage.decoder:
        hidden, guide = student.decode(batch.tokens, frames, batch.guide if guided else None)
        noted["token"], right = student.token_loss(hidden, batch.targets)
        noted["right"] = torch.tensor(right)
        if guided:
            noted["guide"] = guide
    return noted


def _frame_losses(
    student: Student, frames: torch.Tensor, batch: Batch, stage: Stage
) -> dict[str, torch.Tensor]:
    symbols = student.symbolise(batch.labels, batch.offset, noisy=False).detach().float()
    match = ((frames.float() - symbols) ** 2).mean() / symbols.var()
    phones = student.phone_head(frames).float().flatten(0, 1)
    tones = student.tone_head(frames).float().flatten(0, 1)
    return {
        "phone": F.cross_entropy(phones, batch.labels[:, 0].flatten()),
        "tone": F.cross_entropy(tones, batch.labels[:, 1].flatten()),
        "match": match / LOSS_WEIGHTS["match"] if not stage.decoder else match,
    }


@torch.no_grad()
def fit_symbols(student: Student, batches: Iterable[Batch]) -> None:
    """Fit the symbols to encoded batches, by least squares.

    The encoder may come from a checkpoint that has no symbols, or may have moved on from them.
    """
    said, named, placed = [], [], []
    for batch in batches:
        assert batch.frames is not None
        said.append(batch.frames.float().flatten(0, 1))
        named.append(batch.labels.transpose(1, 2).flatten(0, 1))
        placed.append((batch.offset[:, None] + torch.arange(batch.labels.shape[2])).flatten())
    frames, labels, places = torch.cat(said), torch.cat(named), torch.cat(placed)
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


def fit_heads(student: Student, batches: Iterable[Batch]) -> None:
    """Fit the heads for phones and tones to encoded batches.

    A checkpoint does not hold them; new ones would push the encoder about until they had learned.
    """
    heads = torch.nn.ModuleList([student.phone_head, student.tone_head])
    optimiser = torch.optim.AdamW(heads.parameters(), lr=HEAD_RATE)
    loss = torch.tensor(0.0)
    for batch in [batch for _ in range(HEAD_ROUNDS) for batch in batches]:
        assert batch.frames is not None
        frames = batch.frames.float().flatten(0, 1)
        loss = F.cross_entropy(student.phone_head(frames), batch.labels[:, 0].flatten())
        loss = loss + F.cross_entropy(student.tone_head(frames), batch.labels[:, 1].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    print(f"heads fitted to {loss.item():.2f}", flush=True)
