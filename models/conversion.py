"""An openai-whisper checkpoint as a folder for faster-whisper, without a network.

CTranslate2's own converter reads Hugging Face's format, which it would have to download; here its
specification of a Whisper model is filled from the checkpoint's own tensors.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import whisper
from numpy.typing import NDArray
from whisper.model import LayerNorm, MultiHeadAttention, ResidualAttentionBlock
from whisper.tokenizer import Tokenizer, get_tokenizer

from qc.errors import RecogniserError

if TYPE_CHECKING:
    from ctranslate2.specs.whisper_spec import WhisperSpec

STORED_AS = "float16"  # half the size; what it is computed in is chosen when it is loaded
PRINTABLE = ((33, 126), (161, 172), (174, 255))  # bytes that stand for themselves in byte-level BPE


def convert(model: whisper.Whisper, folder: Path) -> None:
    """Write `model.bin` and what belongs to it into a folder.

    Args:
        model: multilingual, with 80 or 128 mel bands.
        folder: made where it is missing; files of the same names are replaced.

    Raises:
        RecogniserError: the extra `fast` is not installed, or the folder cannot be written.
    """
    tokenizer = get_tokenizer(
        True, num_languages=model.num_languages, language="zh", task="transcribe"
    )
    spec = _specify(model, tokenizer)
    spec.optimize(quantization=STORED_AS)
    features = {"feature_size": model.dims.n_mels}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        spec.save(str(folder))
        (folder / "tokenizer.json").write_text(_tokenizer_file(tokenizer), encoding="utf-8")
        (folder / "preprocessor_config.json").write_text(json.dumps(features), encoding="utf-8")
    except OSError as error:
        raise RecogniserError(
            f"写不进文件夹 {folder}（{error.strerror or error}）", "请检查权限和磁盘空间"
        ) from error


def _specify(model: whisper.Whisper, tokenizer: Tokenizer) -> "WhisperSpec":
    try:
        from ctranslate2.specs.whisper_spec import WhisperSpec
    except ImportError as error:
        raise RecogniserError(
            "没有安装快速识别引擎 faster-whisper", '请运行 pip install "hotline-qc[fast]"'
        ) from error
    dims = model.dims
    spec = WhisperSpec(dims.n_audio_layer, dims.n_audio_head, dims.n_text_layer, dims.n_text_head)
    _fill_encoder(spec.encoder, model)
    _fill_decoder(spec.decoder, model)
    spec.register_vocabulary(_token_names(tokenizer))
    never = {tokenizer.sot, tokenizer.sot_prev, tokenizer.sot_lm, tokenizer.no_speech}
    never |= {tokenizer.transcribe, tokenizer.translate, *tokenizer.non_speech_tokens}
    spec.config.suppress_ids = sorted(never)
    spec.config.suppress_ids_begin = [*tokenizer.encode(" "), tokenizer.eot]
    spec.config.lang_ids = list(tokenizer.all_language_tokens)
    spec.config.alignment_heads = model.alignment_heads.indices().T.tolist()
    spec.validate()
    return spec


def _fill_encoder(spec: Any, model: whisper.Whisper) -> None:
    encoder = model.encoder
    for name in ("conv1", "conv2"):
        _fill_linear(getattr(spec, name), getattr(encoder, name))
    spec.position_encodings.encodings = _array(encoder.positional_embedding)
    _fill_norm(spec.layer_norm, encoder.ln_post)
    for layer, block in zip(spec.layer, encoder.blocks, strict=True):
        _fill_block(layer, block)


def _fill_decoder(spec: Any, model: whisper.Whisper) -> None:
    decoder = model.decoder
    spec.embeddings.weight = spec.projection.weight = _array(decoder.token_embedding.weight)
    spec.position_encodings.encodings = _array(decoder.positional_embedding)
    _fill_norm(spec.layer_norm, decoder.ln)
    for layer, block in zip(spec.layer, decoder.blocks, strict=True):
        _fill_block(layer, block)
        _fill_attention(layer.attention, block.cross_attn, together=(("key", "value")))
        _fill_norm(layer.attention.layer_norm, block.cross_attn_ln)


def _fill_block(spec: Any, block: ResidualAttentionBlock) -> None:
    _fill_attention(spec.self_attention, block.attn, together=("query", "key", "value"))
    _fill_norm(spec.self_attention.layer_norm, block.attn_ln)
    _fill_linear(spec.ffn.linear_0, block.mlp[0])
    _fill_linear(spec.ffn.linear_1, block.mlp[2])
    _fill_norm(spec.ffn.layer_norm, block.mlp_ln)


def _fill_attention(spec: Any, block: MultiHeadAttention, together: tuple[str, ...]) -> None:
    """CTranslate2 joins the projections that read the same input into one matrix."""
    alone = [name for name in ("query", "key", "value") if name not in together]
    for linear, names in zip(spec.linear, [*([n] for n in alone), together], strict=False):
        parts = [getattr(block, name) for name in names]
        linear.weight = np.concatenate([_array(part.weight) for part in parts])
        linear.bias = np.concatenate([_bias(part) for part in parts])
    _fill_linear(spec.linear[-1], block.out)


def _bias(layer: torch.nn.Linear) -> NDArray:
    """Whisper's keys have no bias."""
    return np.zeros(len(layer.weight), np.float32) if layer.bias is None else _array(layer.bias)


def _fill_linear(spec: Any, layer: Any) -> None:
    spec.weight, spec.bias = _array(layer.weight), _array(layer.bias)


def _fill_norm(spec: Any, layer: LayerNorm) -> None:
    spec.gamma, spec.beta = _array(layer.weight), _array(layer.bias)


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    return tensor.detach().float().cpu().numpy()


def _token_names(tokenizer: Tokenizer) -> list[str]:
    """A name for every row of the token table, in order."""
    letters = _byte_letters()
    texts = {
        n: _written(token, letters) for token, n in tokenizer.encoding._mergeable_ranks.items()
    }
    names = texts | {n: name for name, n in tokenizer.special_tokens.items()}
    return [names[n] for n in range(len(names))]


def _written(token: bytes, letters: dict[int, str]) -> str:
    return "".join(letters[byte] for byte in token)


def _tokenizer_file(tokenizer: Tokenizer) -> str:
    """The byte-level BPE of tiktoken in the format of the `tokenizers` library."""
    from tokenizers import AddedToken, decoders, models, pre_tokenizers
    from tokenizers import Tokenizer as BytePairTokenizer

    ranks = tokenizer.encoding._mergeable_ranks
    letters = _byte_letters()
    written = {token: _written(token, letters) for token in ranks}
    vocabulary = {written[token]: rank for token, rank in ranks.items()}
    merges = [
        (written[left], written[right])
        for token, rank in sorted(ranks.items(), key=lambda item: item[1])
        if len(token) > 1
        for left, right in [_last_merge(token, rank, ranks)]
    ]
    made = BytePairTokenizer(models.BPE(vocabulary, merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    by_number = sorted(tokenizer.special_tokens.items(), key=lambda item: item[1])
    made.add_special_tokens([AddedToken(name, special=True) for name, _ in by_number])
    return str(made.to_str())


def _byte_letters() -> dict[int, str]:
    """A visible character for each byte, as GPT-2's tokenizer has them."""
    plain = [byte for low, high in PRINTABLE for byte in range(low, high + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {b: chr(b) for b in plain} | {b: chr(256 + n) for n, b in enumerate(others)}


def _last_merge(token: bytes, rank: int, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    """The two parts a token is merged from: all merges of lower rank, done in order, leave two."""
    parts = [bytes([byte]) for byte in token]
    while len(parts) > 2:
        best = min(range(len(parts) - 1), key=lambda i: ranks.get(parts[i] + parts[i + 1], rank))
        parts[best : best + 2] = [parts[best] + parts[best + 1]]
    return parts[0], parts[1]
