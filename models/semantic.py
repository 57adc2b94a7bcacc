"""The optional semantic layer: is a turn nearer to a rule's positive or negative examples?

A sentence encoder (any sentence-transformers model in a local folder, never downloaded) compares
each turn with the catalogue's own examples. It has a small say: it moves the learned layer's
probability by at most `MAX_SHIFT` logits, so that only what is nearly undecided can change.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qc.errors import QcError

MAX_SHIFT = 0.5  # logits: a probability of 0.50 moves to 0.38..0.62, one of 0.95 to 0.92..0.97
FULL_MARGIN = 0.2  # difference of cosines from which on the lean is full
AGREES = 0.5  # lean from which on the layer speaks for a finding

# (texts,) -> (texts, dimensions), rows of length 1
Encode = Callable[[Sequence[str]], NDArray[np.float32]]
ExampleTexts = tuple[Sequence[str], Sequence[str]]  # positive, negative


def load_encoder(path: Path) -> Encode:
    """Load a sentence-transformers model from a local folder.

    Raises:
        QcError: the extra `semantic` is not installed, or the folder holds no such model.
    """
    try:
        from sentence_transformers import SentenceTransformer  # slow import
        from transformers.utils import logging
    except ImportError as error:
        raise QcError(
            "没有安装语义编码器所需的组件", '请运行 pip install "hotline-qc[semantic]"'
        ) from error
    if not path.is_dir():
        raise QcError(
            f"没有语义编码器的文件夹 {path.name}", "请给出本机上的模型文件夹，不会自动下载"
        )
    logging.disable_progress_bar()
    try:
        model = SentenceTransformer(str(path), device="cpu", local_files_only=True)
    except Exception as error:  # the library raises whatever its parts raise
        raise QcError(
            f"语义编码器 {path.name} 无法载入",
            "请检查文件夹里是否是完整的 sentence-transformers 模型",
        ) from error

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)

    return encode


def fingerprint(path: Path) -> str:
    """Names, sizes and times of a model's files: another model has another one."""
    files = sorted(p for p in path.rglob("*") if p.is_file())
    stats = [(p.relative_to(path).as_posix(), p.stat()) for p in files]
    return " ".join(["encoder", *(f"{name} {s.st_size} {s.st_mtime_ns}" for name, s in stats)])


class SemanticLayer:
    """Leans of turns towards or away from each rule.

    Args:
        encode: the sentence encoder.
        examples: positive and negative texts of each label, at least one of both.
    """

    def __init__(self, encode: Encode, examples: Mapping[str, ExampleTexts]) -> None:
        self._encode = encode
        texts = sorted({text for sides in examples.values() for side in sides for text in side})
        row = {text: number for number, text in enumerate(texts)}
        vectors = encode(texts)
        self._yes = {label: vectors[[row[t] for t in yes]] for label, (yes, _) in examples.items()}
        self._no = {label: vectors[[row[t] for t in no]] for label, (_, no) in examples.items()}

    def lean(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Lean of every text for each label, (texts,) in -1..1: above 0 it is nearer to `yes`."""
        vectors = self._encode(texts)
        return {
            label: np.clip(
                (_nearest(vectors, yes) - _nearest(vectors, self._no[label])) / FULL_MARGIN, -1, 1
            )
            for label, yes in self._yes.items()
        }


def _nearest(vectors: NDArray[np.float32], examples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine with the most similar example, (vectors,)."""
    return (vectors @ examples.T).max(axis=1)


def nudge(probabilities: NDArray[np.float32], lean: NDArray[np.float32]) -> NDArray[np.float32]:
    """The learned probabilities, moved by the lean within `MAX_SHIFT` logits."""
    odds = probabilities / np.maximum(1 - probabilities, np.finfo(np.float32).tiny)
    odds = odds * np.exp(MAX_SHIFT * lean)
    return (odds / (1 + odds)).astype(np.float32)
