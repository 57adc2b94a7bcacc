"""A street's standards: complete, and a slip in any file is one clear sentence."""

import shutil
from pathlib import Path

import pytest

from qc.catalogue import CATALOGUE_FOLDER, profile_names
from qc.errors import CatalogueError
from qc.standards import load_standards


@pytest.mark.parametrize("profile", profile_names())
def test_every_street_has_standards_that_agree(profile: str) -> None:
    assert load_standards(profile).notices.rules


BROKEN = [
    ("notices.yaml", "ids: [bh.leak]", "ids: [bh.leek]", ("nt.leak", "bh.leek")),
    ("notices.yaml", "{{ kind }}中市民扬言", "{{ kind }中市民扬言", ("nt.threat", "第 1 行")),
    ("notices.yaml", "level: warn", "level: shout", ("notices.yaml", "nt.threat", "level")),
    ("consistency.yaml", "[fc.soothe]", "[fc.sooth]", ("claim.soothed", "fc.sooth")),
    ("consistency.yaml", "field: reply_summary", "field: reply", ("consistency.yaml", "field")),
    ("report_wording.yaml", "document: yichuan-2023", "document: x", ("rw.yc.", "documents.yaml")),
    ("holidays.yaml", "2027-01-01", "元旦", ("holidays.yaml",)),
    ("causes.yaml", "points: 3", "points: viele", ("causes.yaml", "cause.attitude.said", "points")),
    ("profiles/weifang.yaml", "{working_days: 5}", "{weeks: 1}", ("weifang.yaml", "within")),
    ("profiles/weifang.yaml", "calls: 3", "calls: 0", ("weifang.yaml", "attempts", "calls")),
]  # fmt: skip


@pytest.mark.parametrize(("file", "good", "bad", "told"), BROKEN)
def test_a_slip_is_told_in_one_sentence(
    tmp_path: Path, file: str, good: str, bad: str, told: tuple[str, ...]
) -> None:
    folder = tmp_path / "catalogue"
    shutil.copytree(CATALOGUE_FOLDER, folder)
    text = (folder / file).read_text("utf-8")
    assert good in text
    (folder / file).write_text(text.replace(good, bad, 1), "utf-8")
    with pytest.raises(CatalogueError) as error:
        load_standards(folder=folder)
    for words in told:
        assert words in str(error.value)
