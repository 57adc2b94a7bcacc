"""The learned layer: features, weights file, training on a small corpus."""

from pathlib import Path

import numpy as np
import pytest

from models.judge.classifier import UtteranceClassifier, load_classifier
from models.judge.context import Utterance
from models.judge.examples import read_examples
from models.judge.features import features
from models.judge.train import (
    Vectoriser,
    calibrate,
    calibrated,
    choose_thresholds,
    fit,
    folds_of,
    label_names,
    predict_unseen,
)
from qc.catalogue import load_catalogue
from qc.errors import QcError
from qc.transcript import Role

RUDE = Utterance("reply", Role.AGENT, "你有病吧，听不懂人话啊", ((Role.CITIZEN, "你再说一遍"),))


def probability(utterance: Utterance, label: str) -> float:
    classifier = load_classifier()
    return float(classifier.judge([utterance])[0, classifier.labels.index(label)])


def test_the_bundled_weights_tell_rude_from_polite() -> None:
    polite = Utterance("reply", Role.AGENT, "好的，我慢一点再说一遍。", RUDE.previous)
    assert probability(RUDE, "bh.rude") > 0.8
    assert probability(polite, "bh.rude") < 0.1


def test_punctuation_and_numeral_form_change_nothing() -> None:
    spoken = Utterance("reply", Role.AGENT, "您六月十一号反映的问题，处理好了")
    written = Utterance("reply", Role.AGENT, "您6月11号反映的问题处理好了。")
    assert features(spoken) == features(written)


def test_labels_of_the_weights_are_those_of_the_catalogue() -> None:
    assert list(load_classifier().labels) == label_names(load_catalogue())


def test_a_damaged_weights_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04nothing")
    with pytest.raises(QcError, match="重新训练"):
        UtteranceClassifier.load(tmp_path / "bad.npz")
    with pytest.raises(QcError, match="缺失"):
        UtteranceClassifier.load(tmp_path / "none.npz")


def test_training_learns_from_a_few_calls_and_survives_saving(tmp_path: Path) -> None:
    catalogue = load_catalogue()
    every = read_examples(catalogue)
    examples = [e for e in every if e.call_id.startswith(("dev-a-00", "dev-a-03"))]
    singles = [e for e in every if not e.call_id][:600]
    examples += singles
    labels = ["bh.rude", "bh.promise", "closing.bye"]
    vectoriser = Vectoriser(examples)
    rows = vectoriser.rows(examples)
    unseen = predict_unseen(rows, examples, labels)
    in_calls = folds_of(examples) >= 0
    assert not np.isnan(unseen[in_calls]).any()
    assert np.isnan(unseen[~in_calls]).all()  # single utterances are never predicted
    calibration = calibrate(unseen, examples, labels)
    thresholds = choose_thresholds(calibrated(unseen, labels, calibration), examples, labels)
    trained = fit(rows, examples, vectoriser, labels, calibration, thresholds)
    goodbye = Utterance("reply", Role.AGENT, "好的，那就这样，再见")
    assert trained.judge([goodbye])[0, 2] > trained.judge([RUDE])[0, 2]
    trained.save(tmp_path / "judge.npz")
    again = UtteranceClassifier.load(tmp_path / "judge.npz")
    assert again.thresholds == trained.thresholds
    np.testing.assert_allclose(again.judge([RUDE]), trained.judge([RUDE]), atol=0.02)
