"""How fast calls are judged: `python benchmarks/judging.py`.

One core, after start-up, on the labelled calls: calls a second of the whole judgement, and of the
learned layer alone as a ratio to scikit-learn's TfidfVectorizer (characters 1 to 4) with one
logistic regression a label, on the same turns in the same run.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from models.judge.classifier import UtteranceClassifier, load_classifier
from models.judge.context import Utterance
from qc.catalogue import load_catalogue
from qc.inspect import inspect_call
from qc.order import Call, read_call, read_lines

CORPUS = Path(__file__).parents[1] / "samples" / "corpus"
ROUNDS = 5


def seconds(work: Callable[[], object]) -> float:
    """Median of `ROUNDS` runs."""
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def read_calls() -> list[Call]:
    """All labelled calls."""
    paths = sorted(CORPUS.glob("dev-*.jsonl"))
    return [read_call(line, path.name) for path in paths for _, line in read_lines(path)]


def forget() -> None:
    """Empty the caches of texts, so that a repeated call is not free."""
    from qc import scene, slots, text

    for cache in (text.plain, text.folded, slots.with_digits, scene._sound):
        cache.cache_clear()


def main() -> None:
    """Print the table."""
    start = time.perf_counter()
    catalogue = load_catalogue()
    classifier: UtteranceClassifier = load_classifier()
    calls = read_calls()
    inspect_call(calls[0], catalogue, classifier)
    print(f"start-up {time.perf_counter() - start:.2f} s")

    def judge() -> None:
        forget()
        for call in calls:
            inspect_call(call, catalogue, classifier)

    whole = seconds(judge)
    print(f"{len(calls)} calls in {whole:.2f} s: {len(calls) / whole:.0f} calls/s")
    batch = [Utterance(c.kind.value, t.role, t.text) for c in calls for t in c.turns]
    ours = seconds(lambda: (forget(), classifier.judge(batch)))
    texts = [utterance.text for utterance in batch]
    vectoriser = TfidfVectorizer(analyzer="char", ngram_range=(1, 4)).fit(texts)
    weights = csr_matrix(np.ones((len(vectoriser.vocabulary_), len(classifier.labels))))
    theirs = seconds(lambda: vectoriser.transform(texts) @ weights.toarray())
    print(
        f"learned layer {len(batch) / ours:.0f} turns/s, ratio to scikit-learn {theirs / ours:.2f}"
    )


if __name__ == "__main__":
    main()
