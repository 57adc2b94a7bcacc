"""Recordings of a spot check that hold the same sound: one call cannot serve two orders."""

from collections import defaultdict

from qc.fingerprint import find_same, from_text
from qc.results import Results


def mark_same_sound(results: Results) -> None:
    """Note on each row the other recordings with the same sound.

    Of all recordings only fingerprints and names are held in memory, 2 KB for a minute of sound.
    """
    names: dict[str, str] = {}
    printed = {}
    for row in results:
        if row.fingerprint:
            names[row.id], printed[row.id] = row.recording, from_text(row.fingerprint)
    same = defaultdict(set)
    for one, other in find_same(printed):
        same[one].add(names[other])
        same[other].add(names[one])
    for row in results:
        others = tuple(sorted(same[row.id])) if row.id in same else ()
        if others != row.same_sound:
            results.append(row.model_copy(update={"same_sound": others}))
