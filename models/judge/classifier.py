"""The learned layer at work: labels of an utterance from linear weights over its features."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.judge.context import Utterance
from models.judge.features import BLOCK_WEIGHTS, features
from qc.errors import QcError

WEIGHTS = Path(__file__).resolve().parent.parent / "weights" / "judge.npz"


class UtteranceClassifier:
    """One logistic regression a label, all over the same features.

    Args:
        vocabulary: name of each feature.
        scale: (features,) inverse document frequency.
        weights: (features, labels).
        bias: (labels,).
        labels: names, `bh.*`, `ct.*`, `sat.*`, `upset` and facets.
        thresholds: probability from which on a label counts as heard.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        scale: NDArray[np.float32],
        weights: NDArray[np.float32],
        bias: NDArray[np.float32],
        labels: Sequence[str],
        thresholds: Mapping[str, float],
    ) -> None:
        self.labels = tuple(labels)
        self.thresholds = dict(thresholds)
        self._column = {name: i for i, name in enumerate(vocabulary)}
        self._scale = scale
        self._weights = weights
        self._bias = bias

    def judge(self, batch: Sequence[Utterance]) -> NDArray[np.float32]:
        """Probability of every label of every utterance, (utterances, labels)."""
        logits = np.stack([self._logits(utterance) for utterance in batch])
        return (1 / (1 + np.exp(-logits))).astype(np.float32)

    def _logits(self, utterance: Utterance) -> NDArray[np.float32]:
        logits = self._bias.copy()
        for block, names in features(utterance).items():
            found = {self._column[name] for name in names if name in self._column}
            if not found:
                continue
            rows = np.fromiter(found, dtype=np.int64, count=len(found))
            values = self._scale[rows]
            values = values * (BLOCK_WEIGHTS[block] / np.linalg.norm(values))
            logits += values @ self._weights[rows]
        return logits

    def save(self, path: Path) -> None:
        """Write the weights in half precision."""
        np.savez_compressed(
            path,
            vocabulary=np.frombuffer("\n".join(self._column).encode(), dtype=np.uint8),
            scale=self._scale.astype(np.float16),
            weights=self._weights.astype(np.float16),
            bias=self._bias,
            labels=np.array(self.labels),
            thresholds=np.array([self.thresholds.get(label, 0.5) for label in self.labels]),
        )

    @classmethod
    def load(cls, path: Path) -> "UtteranceClassifier":
        """Read weights that `save` wrote.

        Raises:
            QcError: the file is missing or no such weights.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                labels = [str(label) for label in stored["labels"]]
                return cls(
                    vocabulary=stored["vocabulary"].tobytes().decode().split("\n"),
                    scale=stored["scale"].astype(np.float32),
                    weights=stored["weights"].astype(np.float32),
                    bias=stored["bias"].astype(np.float32),
                    labels=labels,
                    thresholds=dict(zip(labels, stored["thresholds"].tolist(), strict=True)),
                )
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise QcError(
                f"判定模型 {path.name} 缺失或损坏", "请运行 python -m models.judge.train 重新训练"
            ) from error


@lru_cache(maxsize=1)
def load_classifier(path: Path = WEIGHTS) -> UtteranceClassifier:
    """The bundled weights, read once a process."""
    return UtteranceClassifier.load(path)
