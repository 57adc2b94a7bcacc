"""When each token was spoken, from the cross attention of a Whisper decoder.

The same idea as `whisper.timing` (which heads, how they are normalised), without encoding the
sound a second time, and with a forced alignment in NumPy instead of numba's, whose compiling
takes longer than aligning a call.
"""

import itertools
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from whisper import Whisper
    from whisper.tokenizer import Tokenizer

FRAME_SECONDS = 0.02  # of the encoder's output
SMOOTHING = 7  # frames of the median filter, as whisper's
REACH = 0.4  # seconds a token may last to either side of where its attention peaks


@dataclass(frozen=True)
class TokenTime:
    """Start and end in seconds of the window, and the token's probability, 0..1."""

    start: float
    end: float
    probability: float


def align_tokens(
    model: "Whisper",
    tokenizer: "Tokenizer",
    features: "torch.Tensor",
    tokens: Sequence[int],
    seconds: float,
) -> list[TokenTime]:
    """Time the text tokens of one window.

    Args:
        features: (frames, state), the encoder's output for the window.
        tokens: text tokens only, no timestamps.
        seconds: length of the sound in the window, without the padding.
    """
    if not tokens:
        return []
    attention, probabilities = _attend(model, tokenizer, features, tokens)
    scores = _normalise(attention, max(1, round(seconds / FRAME_SECONDS)))
    rows, frames = scores.shape
    if frames < rows:  # more tokens than frames: a loop; spread it evenly
        bounds = np.linspace(0, frames, rows).astype(int)
        peaks = bounds[:-1]
    else:
        bounds = force(scores)[:-1]
        peaks = np.array([a + scores[i, a:b].argmax() for i, (a, b) in enumerate(_pairs(bounds))])
    return [
        TokenTime(
            max(a * FRAME_SECONDS, peak * FRAME_SECONDS - REACH),
            min(b * FRAME_SECONDS, peak * FRAME_SECONDS + REACH),
            probability,
        )
        for (a, b), peak, probability in zip(_pairs(bounds), peaks, probabilities, strict=True)
    ]


def force(scores: NDArray) -> NDArray[np.int_]:
    """Best way through the frames in which every row has at least one, in order.

    Args:
        scores: (rows, frames), how well a row goes with a frame; at least as many frames as rows.

    Returns:
        (rows + 1,) the first frame of each row, and the number of frames.
    """
    rows, frames = scores.shape
    best = np.full(rows, -np.inf)
    best[0] = scores[0, 0]
    stepped = np.zeros((frames, rows), bool)  # whether the path came from the row before
    for t in range(1, frames):
        before = np.concatenate([[-np.inf], best[:-1]])
        stepped[t] = before > best
        best = np.maximum(before, best) + scores[:, t]
    bounds = np.zeros(rows + 1, int)
    bounds[rows] = frames
    row = rows - 1
    for t in range(frames - 1, 0, -1):
        if stepped[t, row]:
            bounds[row] = t
            row -= 1
    return bounds


def _pairs(bounds: NDArray) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in itertools.pairwise(bounds)]


def _attend(
    model: "Whisper", tokenizer: "Tokenizer", features: "torch.Tensor", tokens: Sequence[int]
) -> tuple[NDArray, list[float]]:
    """Attention of the alignment heads, (heads, tokens + 1, frames), and token probabilities."""
    import torch
    from whisper.model import disable_sdpa

    start = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
    sequence = torch.tensor([[*start, *tokens]], device=features.device)
    raw: dict[int, torch.Tensor] = {}
    with ExitStack() as hooks, torch.no_grad(), disable_sdpa():
        for index, block in enumerate(model.decoder.blocks):
            hook = block.cross_attn.register_forward_hook(
                lambda _, __, outputs, index=index: raw.__setitem__(index, outputs[-1][0])
            )
            hooks.callback(hook.remove)
        logits = model.decoder(sequence, features[None])[0]
    rows = slice(len(start) - 1, None)  # the row of a token is the one that foretells it
    heads = [raw[int(layer)][int(head), rows] for layer, head in model.alignment_heads.indices().T]
    spoken = logits[rows][:-1, : tokenizer.eot].softmax(dim=-1)
    probabilities = spoken[range(len(tokens)), list(tokens)].tolist()
    return torch.stack(heads).float().cpu().numpy(), probabilities


def _normalise(attention: NDArray, frames: int) -> NDArray:
    """Scores (rows, frames) out of raw attention (heads, rows, all frames), as whisper does."""
    raw = attention[:, :, :frames]
    weights = np.exp(raw - raw.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    deviation = weights.std(axis=1, keepdims=True)
    weights = (weights - weights.mean(axis=1, keepdims=True)) / np.maximum(deviation, 1e-9)
    half = SMOOTHING // 2
    padded = np.pad(weights, ((0, 0), (0, 0), (half, half)), mode="edge")
    smooth = np.median(
        np.lib.stride_tricks.sliding_window_view(padded, SMOOTHING, axis=-1), axis=-1
    )
    return smooth.mean(axis=0)
