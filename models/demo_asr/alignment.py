"""Which attention heads of the demo recogniser know where a token is heard.

Training tells two heads of the upper decoder layers where to look. Whisper's word times
(`word_timestamps=True`) are read from `alignment_heads`, which `whisper.load_model` knows only for
the official models; for others it takes every head of the upper half of the layers.
"""

import torch
from whisper.model import Whisper

ALIGNMENT_HEADS = ((1, 0), (1, 1), (2, 0), (2, 1))  # (layer, head)


def set_alignment_heads(model: Whisper) -> Whisper:
    """Have word times read from the guided heads; for the demo checkpoint only."""
    heads = torch.zeros(model.dims.n_text_layer, model.dims.n_text_head, dtype=torch.bool)
    for layer, head in ALIGNMENT_HEADS:
        heads[layer, head] = True
    model.register_buffer("alignment_heads", heads.to_sparse(), persistent=False)
    return model
