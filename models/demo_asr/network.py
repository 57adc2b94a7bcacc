"""The network in training: Whisper, and what is needed only to teach it.

Besides Whisper itself there are heads that name phone and tone of every frame, a table of only
those tokens that occur, and *symbols*: what a perfect encoder would say about a frame, made from
its phone and tone without any sound. With them the decoder learns its language at a tenth of the
cost of encoding.
"""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from whisper.model import ModelDimensions, MultiHeadAttention, ResidualAttentionBlock, Whisper

from models.demo_asr.clips import TOKENIZER
from models.demo_asr.windows import IGNORED

WIDTH = 256
DIMENSIONS = ModelDimensions(
    n_mels=80,
    n_audio_ctx=1500,
    n_audio_state=WIDTH,
    n_audio_head=4,
    n_audio_layer=4,
    n_vocab=51865,
    n_text_ctx=448,
    n_text_state=WIDTH,
    n_text_head=4,
    n_text_layer=3,
)
TONES = 6  # 0 silence, 1..4, 5 neutral
MOST_PHONES = 128  # rows of the phone tables; espeak-ng's Mandarin has about 70 sounds
GUIDED_HEADS = 2  # heads of each decoder layer that are told where to look
WRONG_PHONES, WRONG_TONES = 0.06, 0.2  # shares of the sounds in noisy symbols
MASS_FLOOR = 1e-4  # keeps the logarithm of the guided attention finite


class Student(nn.Module):
    """Whisper with a short token table, heads for phone and tone, and symbols."""

    def __init__(self, tokens: Iterable[int]) -> None:
        super().__init__()
        self.whisper = Whisper(DIMENSIONS)
        self.whisper.decoder.token_embedding.weight.requires_grad_(False)
        for module in self.whisper.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.04)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.whisper.decoder.positional_embedding, 0, 0.01)
        self.vocabulary = torch.tensor(sorted(tokens))
        self.row_of = torch.full((DIMENSIONS.n_vocab,), IGNORED)
        self.row_of[self.vocabulary] = torch.arange(len(self.vocabulary))
        # One row a used token; the last one stands for all the unused ones.
        self.rows = nn.Parameter(torch.randn(len(self.vocabulary) + 1, WIDTH) * 0.03)
        self.phone_head = nn.Linear(WIDTH, MOST_PHONES)
        self.tone_head = nn.Linear(WIDTH, TONES)
        self.phone_symbols = nn.Parameter(torch.randn(MOST_PHONES, WIDTH) * 0.5)
        self.tone_symbols = nn.Parameter(torch.randn(TONES, WIDTH) * 0.35)
        self.place_symbols = nn.Parameter(torch.eye(WIDTH))  # turns Whisper's sinusoids
        self.register_buffer(
            "mask", torch.full((448, 448), float("-inf")).triu_(1), persistent=False
        )

    def encode(self, mel: Tensor, offset: Tensor) -> Tensor:
        """Frames (B, T, D) of a log-mel (B, 80, 2T) that stands `offset` (B,) frames in."""
        encoder = self.whisper.encoder
        x = F.gelu(encoder.conv2(F.gelu(encoder.conv1(mel)))).permute(0, 2, 1)
        places = offset[:, None] + torch.arange(x.shape[1])
        x = x + F.embedding(places, encoder.positional_embedding).to(x.dtype)
        for block in cast(list[ResidualAttentionBlock], encoder.blocks):
            x = block(x)
        return encoder.ln_post(x)

    def symbolise(self, labels: Tensor, offset: Tensor, noisy: bool) -> Tensor:
        """Frames (B, T, D) as the encoder should give them, from labels (B, 2, T)."""
        phone, tone = labels[:, 0], labels[:, 1]
        x = self._sound(phone, tone)
        if noisy:
            share = _per_sound(phone, tone)[..., None]
            x = share * self._sound(*_mishear(phone, tone)) + (1 - share) * x
        places = self.whisper.encoder.positional_embedding @ self.place_symbols
        return x + F.embedding(offset[:, None] + torch.arange(labels.shape[2]), places)

    def _sound(self, phone: Tensor, tone: Tensor) -> Tensor:
        return F.embedding(phone, self.phone_symbols) + F.embedding(tone, self.tone_symbols)

    def decode(self, tokens: Tensor, frames: Tensor, guide: Tensor | None) -> tuple[Tensor, Tensor]:
        """Run the decoder.

        Args:
            tokens: (B, L).
            frames: (B, T, D).
            guide: (B, L, 2), see `Batch.guide`; None leaves the guided loss out, which is faster.

        Returns:
            Hidden states (B, L, D), and the guided loss: minus the logarithm of the attention
            that the guided heads pay to the right frames. Layer 0 is to look at the token just
            written, the layers above at the one to come.
        """
        decoder = self.whisper.decoder
        x = F.embedding(self.row_of[tokens], self.rows)
        x = x + decoder.positional_embedding[: tokens.shape[-1]]
        losses = []
        for number, block in enumerate(cast(list[ResidualAttentionBlock], decoder.blocks)):
            x = x + block.attn(block.attn_ln(x), mask=self.mask)[0]
            heard, weights = self._attend(block.cross_attn, block.cross_attn_ln(x), frames, guide)
            if guide is not None and weights is not None:
                shifted = F.pad(guide, (0, 0, 1, 0))[:, :-1] if number == 0 else guide
                losses.append(_guided_loss(weights, shifted))
            x = x + heard
            x = x + block.mlp(block.mlp_ln(x))
        return decoder.ln(x), torch.stack(losses).mean() if losses else torch.zeros(())

    @staticmethod
    def _attend(
        attention: MultiHeadAttention, x: Tensor, frames: Tensor, guide: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Cross-attention; also the weights (B, heads, L, T) of the guided heads if asked for."""
        heads = DIMENSIONS.n_text_head
        batch, length, width = x.shape
        query = attention.query(x).view(batch, length, heads, -1).transpose(1, 2)
        key = attention.key(frames).view(batch, -1, heads, width // heads).transpose(1, 2)
        value = attention.value(frames).view(batch, -1, heads, width // heads).transpose(1, 2)
        if guide is None:
            mixed, weights = F.scaled_dot_product_attention(query, key, value), None
        else:
            g = GUIDED_HEADS
            scores = query[:, :g] @ key[:, :g].transpose(2, 3)
            weights = (scores.float() * (width // heads) ** -0.5).softmax(-1)
            rest = F.scaled_dot_product_attention(query[:, g:], key[:, g:], value[:, g:])
            mixed = torch.cat([weights.to(value.dtype) @ value[:, :g], rest], 1)
        return attention.out(mixed.transpose(1, 2).reshape(batch, length, width)), weights

    def token_loss(self, hidden: Tensor, targets: Tensor) -> tuple[Tensor, float]:
        """Cross-entropy over the used tokens and the shared row, and the share that is right."""
        wanted = targets.flatten() != IGNORED
        logits = (hidden.flatten(0, 1)[wanted] @ self.rows.to(hidden.dtype).T).float()
        unused = DIMENSIONS.n_vocab - len(self.vocabulary)
        logits = torch.cat([logits[:, :-1], logits[:, -1:] + np.log(unused)], 1)
        rows = self.row_of[targets.flatten()[wanted]]
        right = (logits.argmax(-1) == rows).float().mean().item()
        return F.cross_entropy(logits, rows), right

    def export(self, path: Path) -> None:
        """Write a checkpoint that `whisper.load_model` reads, fp16."""
        weights = {name: value.detach().half() for name, value in self.whisper.state_dict().items()}
        table = self.rows[-1].detach().half().repeat(DIMENSIONS.n_vocab, 1)
        table[self.vocabulary] = self.rows[:-1].detach().half()
        weights["decoder.token_embedding.weight"] = table
        torch.save({"dims": asdict(DIMENSIONS), "model_state_dict": weights}, path)

    def take_over(self, path: Path) -> None:
        """Begin with the weights of a checkpoint in Whisper's format."""
        weights = torch.load(path, map_location="cpu")["model_state_dict"]
        weights = {name: value.float() for name, value in weights.items()}
        self.whisper.load_state_dict(weights)
        table = weights["decoder.token_embedding.weight"]
        self.rows.data[:-1] = table[self.vocabulary]
        different, counts = table.unique(dim=0, return_counts=True)
        self.rows.data[-1] = different[counts.argmax()]


def _per_sound(phone: Tensor, tone: Tensor) -> Tensor:
    """Random numbers (B, T) in 0..1, the same one throughout a sound."""
    new = (phone[:, 1:] != phone[:, :-1]) | (tone[:, 1:] != tone[:, :-1])
    sound = F.pad(new.long().cumsum(1), (1, 0))
    return torch.rand(phone.shape).gather(1, sound)


def _mishear(phone: Tensor, tone: Tensor) -> tuple[Tensor, Tensor]:
    """Replace some whole sounds by others; silence stays."""
    wrong_phone = (_per_sound(phone, tone) < WRONG_PHONES) & (phone > 0)
    wrong_tone = (_per_sound(phone, tone) < WRONG_TONES) & (tone > 0)
    other_phone = (_per_sound(phone, tone) * MOST_PHONES).long()
    other_tone = 1 + (_per_sound(phone, tone) * (TONES - 1)).long()
    return torch.where(wrong_phone, other_phone, phone), torch.where(wrong_tone, other_tone, tone)


def _guided_loss(weights: Tensor, guide: Tensor) -> Tensor:
    frame = torch.arange(weights.shape[-1])
    inside = (frame >= guide[..., :1]) & (frame < guide[..., 1:])
    mass = (weights * inside[:, None]).sum(-1)
    guided = (guide[..., 1] > 0)[:, None].expand_as(mass)
    return -(mass[guided] + MASS_FLOOR).log().mean()


def usual_tokens(texts: Iterable[str]) -> set[int]:
    """Tokens of the texts, of every character of GB 2312, and all special ones."""
    used = set(range(TOKENIZER.eot, DIMENSIONS.n_vocab))
    for high in range(0xB0, 0xF8):
        for low in range(0xA1, 0xFF):
            try:
                used.update(TOKENIZER.encode(bytes((high, low)).decode("gb2312")))
            except UnicodeDecodeError:
                continue  # a few cells of the table are empty
    for text in texts:
        used.update(TOKENIZER.encode(text))
    return used
