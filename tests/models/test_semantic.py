"""The optional semantic layer, with a small random encoder made on the spot."""

import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.judge.classifier import load_classifier
from models.semantic import MAX_SHIFT, SemanticLayer, load_encoder, nudge
from qc.catalogue import load_catalogue
from qc.errors import QcError
from qc.inspect import inspect_call
from qc.inspector import Inspector
from qc.order import Call

SAID = "我跟你保证明天肯定给你拆掉。"  # a positive example of bh.promise


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers model with random weights over single characters."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("encoder")
    characters = sorted(set(Path(__file__).read_text(encoding="utf-8")))
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *filter(str.strip, characters)]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    torch.manual_seed(1)
    size = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    BertModel(size).save_pretrained(folder / "bert")
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder / "bert")
    words = Transformer(str(folder / "bert"))
    pooling = Pooling(words.get_embedding_dimension())
    SentenceTransformer(modules=[words, pooling]).save(str(folder / "model"))
    return folder / "model"


def call_of(said: str) -> Call:
    turns = [{"role": "citizen", "text": "那到底什么时候能拆？"}, {"role": "agent", "text": said}]
    return Call.model_validate({"kind": "first_contact", "turns": turns})


def test_a_turn_leans_to_the_side_of_the_example_it_repeats(encoder: Path) -> None:
    layer = SemanticLayer(load_encoder(encoder), {"x": (["我保证给你拆掉。"], ["您好，再见。"])})
    lean = layer.lean(["我保证给你拆掉。", "您好，再见。", "嗯"])["x"]
    assert lean[0] > 0 > lean[1]
    assert (np.abs(lean) <= 1).all()


def test_a_finding_it_agrees_with_names_the_layer(encoder: Path) -> None:
    inspector = Inspector(encoder=encoder)
    with_layer = inspector.inspect_call(call_of(SAID))
    without = inspect_call(call_of(SAID), load_catalogue(), load_classifier())
    promise = next(found for found in with_layer.behaviours if found.id == "bh.promise")
    assert "semantic" in promise.quotes[0].layers
    assert "learned" in promise.quotes[0].layers
    plain = next(found for found in without.behaviours if found.id == "bh.promise")
    assert "semantic" not in plain.quotes[0].layers


@given(
    arrays(np.float32, 5, elements=st.floats(0, 1, width=32)),
    arrays(np.float32, 5, elements=st.floats(-1, 1, width=32)),
)
def test_its_say_is_small(
    probabilities: np.ndarray[tuple[int], np.dtype[np.float32]],
    lean: np.ndarray[tuple[int], np.dtype[np.float32]],
) -> None:
    moved = nudge(probabilities, lean)
    most = 2 / (1 + np.exp(-MAX_SHIFT / 2)) - 1  # across 0.5
    assert (np.abs(moved - probabilities) <= most + 1e-6).all()
    assert ((moved >= 0) & (moved <= 1)).all()
    assert ((moved - probabilities) * lean >= -1e-6).all()


def test_it_is_off_by_default() -> None:
    assert Inspector().semantic is None


def test_a_missing_component_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(QcError, match=r"hotline-qc\[semantic\]"):
        load_encoder(tmp_path)


def test_what_is_no_model_is_told_and_nothing_is_downloaded(tmp_path: Path) -> None:
    with pytest.raises(QcError, match="没有语义编码器的文件夹"):
        load_encoder(Path("sentence-transformers/all-MiniLM-L6-v2"))
    with pytest.raises(QcError, match="无法载入"):
        load_encoder(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(QcError, match="无法载入"):
        load_encoder(tmp_path)


def test_an_inspector_goes_to_worker_processes_and_marks_its_results(encoder: Path) -> None:
    inspector = Inspector(encoder=encoder)
    before = inspector.setup
    assert pickle.loads(pickle.dumps(inspector)).setup == before != Inspector().setup
    os.utime(next(encoder.rglob("*.safetensors")), (1, 1))  # other weights
    assert inspector.setup != before
