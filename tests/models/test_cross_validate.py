"""Cross-validation: every call judged by models that never saw it, as written and distorted."""

from pathlib import Path

import pytest

from models.judge.cross_validate import AS_WRITTEN, judge_unseen
from qc.catalogue import load_catalogue
from qc.quality.evaluation import measure

CORPUS = Path(__file__).parents[2] / "samples" / "corpus"


@pytest.fixture(scope="module")
def small_corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    lines = (CORPUS / "dev-a.jsonl").read_text("utf-8").splitlines()
    (folder / "dev-a.jsonl").write_text("\n".join(lines[::3]), "utf-8")
    turns = [
        line
        for path in sorted(CORPUS.glob("utterances-[a-np-z]*.jsonl"))
        for line in path.read_text("utf-8").splitlines()[::14]
    ]
    (folder / "utterances-some.jsonl").write_text("\n".join(turns), "utf-8")
    return folder


def test_distorted_calls_are_judged_by_the_models_of_their_fold(small_corpus: Path) -> None:
    catalogue = load_catalogue()
    versions = judge_unseen(catalogue, ["同音字 20%", "繁体字"], small_corpus)
    written = versions[AS_WRITTEN]
    for pairs in versions.values():
        assert [i.call_id for i, _ in pairs] == [i.call_id for i, _ in written]
        assert [labels for _, labels in pairs] == [labels for _, labels in written]
    words = {title: pairs[0][0].transcript.turns[0].text for title, pairs in versions.items()}
    assert len(set(words.values())) == 3
    same = measure(versions["繁体字"], catalogue).figures
    assert same == pytest.approx(measure(written, catalogue).figures, abs=0.02)
    alone = judge_unseen(catalogue, (), small_corpus)[AS_WRITTEN]
    assert [i.to_json() for i, _ in alone] == [i.to_json() for i, _ in written]
