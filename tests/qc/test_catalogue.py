"""The catalogue: complete, sourced, and right about its own examples."""

import shutil
from pathlib import Path

import pytest

from models.judge.classifier import load_classifier
from qc.catalogue import CATALOGUE_FOLDER, load_catalogue, profile_names
from qc.catalogue_check import check_examples
from qc.errors import CatalogueError
from qc.order import CallKind

GUIDE = Path(__file__).parents[2] / "samples" / "corpus" / "GUIDE.md"
CATALOGUE = load_catalogue()


def test_every_id_of_the_guide_has_a_rule_and_no_other() -> None:
    rules = [
        *(e.id for kind in CallKind for e in CATALOGUE.elements[kind]),
        *(b.id for b in CATALOGUE.behaviours),
        *(s.id for s in CATALOGUE.signals),
    ]
    in_guide = {
        line.split("`")[1]
        for line in GUIDE.read_text("utf-8").splitlines()
        if line.startswith("| `")
    }
    assert sorted(rules) == sorted(in_guide)


def test_every_source_is_a_published_document_that_is_here() -> None:
    for document in CATALOGUE.documents:
        if document != "guide":
            assert (CATALOGUE_FOLDER / "sources" / f"{document}.txt").is_file()


@pytest.mark.parametrize("profile", profile_names())
def test_every_profile_loads(profile: str) -> None:
    assert load_catalogue(profile=profile).behaviours


def test_a_street_changes_only_what_it_says() -> None:
    yichuan = {e.id: e.weight for e in load_catalogue(profile="yichuan").elements[CallKind.REPLY]}
    common = {e.id: e.weight for e in CATALOGUE.elements[CallKind.REPLY]}
    assert {rule for rule in common if common[rule] != yichuan[rule]} == {"rp.explain_next"}


@pytest.mark.parametrize("with_classifier", [True, False])
def test_rules_are_right_about_their_own_examples(with_classifier: bool) -> None:
    classifier = load_classifier() if with_classifier else None
    wrong = [o for o in check_examples(CATALOGUE, classifier) if not o.passed]
    assert not wrong


BROKEN = [
    ("conduct.yaml", "severity: major", "severity: huge", ("bh.contradict", "severity")),
    ("conduct.yaml", "id: bh.rude", "id: bh.rush", ("bh.rush", "两次")),
    ("facets.yaml", "says: [谢谢", "say: [谢谢", ("facets.yaml", "closing.thanks", "say")),
    ("first_contact.yaml", "all: [greet.hello", "all: [greet.helo", ("fc.greeting", "greet.helo")),
    ("reply.yaml", "document: weifang-2024", "document: x", ("rp.self_intro", "documents.yaml")),
    ("signals.yaml", "- id: ct.abuse", "- id: [", ("signals.yaml", "YAML")),
    ("profiles/weifang.yaml", "overrides: {}", "overrides: {bh.x: {penalty: 1}}", ("bh.x",)),
    ("profiles/sheshan.yaml", "penalty: 30", "penalty: -1", ("sheshan.yaml", "bh.leak", "penalty")),
]  # fmt: skip


@pytest.mark.parametrize(("file", "good", "bad", "told"), BROKEN)
def test_a_wrong_file_is_named_with_rule_and_key(
    tmp_path: Path, file: str, good: str, bad: str, told: tuple[str, ...]
) -> None:
    folder = tmp_path / "catalogue"
    shutil.copytree(CATALOGUE_FOLDER, folder)
    text = (folder / file).read_text("utf-8")
    assert good in text
    (folder / file).write_text(text.replace(good, bad, 1), "utf-8")
    profile = Path(file).stem if file.startswith("profiles") else "weifang"
    with pytest.raises(CatalogueError) as error:
        load_catalogue(folder, profile)
    for words in told:
        assert words in str(error.value)


def test_a_missing_file_and_an_unknown_profile_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "catalogue"
    shutil.copytree(CATALOGUE_FOLDER, folder)
    (folder / "signals.yaml").unlink()
    with pytest.raises(CatalogueError, match=r"signals\.yaml"):
        load_catalogue(folder)
    with pytest.raises(CatalogueError, match="weifang"):
        load_catalogue(profile="nowhere")
