"""Where libchromaprint is missing, nothing is compared, the summary says so, and all else works."""

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from qc import fingerprint as module
from qc.fingerprint import available, fingerprint, to_text
from qc.report import write_summary


@pytest.fixture(autouse=True)
def without_library(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As Python finds it on a machine without the library."""
    monkeypatch.setitem(sys.modules, "chromaprint", None)
    module._chromaprint.cache_clear()
    yield
    module._chromaprint.cache_clear()


def test_there_is_no_fingerprint_and_no_failure() -> None:
    assert not available()
    assert to_text(fingerprint(np.zeros((1, 160_000), np.float32))) == ""


def test_the_summary_says_that_nothing_was_compared(tmp_path: Path) -> None:
    page = tmp_path / "summary.html"
    write_summary([], page, made_on=date(2024, 6, 11), compared=available())
    assert "本机未安装 libchromaprint" in page.read_text("utf-8")
    write_summary([], page, made_on=date(2024, 6, 11))
    assert "libchromaprint" not in page.read_text("utf-8")
