"""The schemas that editors get fit the files that are there, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from qc.catalogue import CATALOGUE_FOLDER, read_yaml
from qc.rule_schemas import rule_schemas

SCHEMAS = rule_schemas()
FILES = sorted(CATALOGUE_FOLDER.glob("*.yaml")) + sorted(CATALOGUE_FOLDER.glob("profiles/*.yaml"))


def faults(path: Path, content: Any) -> list[str]:
    schema = SCHEMAS["profiles" if path.parent.name == "profiles" else path.name]
    as_json = json.loads(json.dumps(content, default=str))
    return [error.message for error in Draft202012Validator(schema).iter_errors(as_json)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_fits_its_schema(path: Path) -> None:
    assert faults(path, read_yaml(path)) == []


MISSPELT = [
    ("conduct.yaml", lambda c: c[0].update(severty="major")),
    ("consistency.yaml", lambda c: c["claims"][0].update(field="report")),
    ("report_wording.yaml", lambda c: c[0].pop("advice")),
    ("notices.yaml", lambda c: c["nt.threat"].update(level="shout")),
    ("profiles/weifang.yaml", lambda c: c["timing"]["limits"][0].update(within={"week": 1})),
    ("profiles/sheshan.yaml", lambda c: c["notices"]["nt.daily"].update(to=["x"])),
]


@pytest.mark.parametrize(("file", "spoil"), MISSPELT)
def test_a_slip_does_not_fit(file: str, spoil: Any) -> None:
    path = CATALOGUE_FOLDER / file
    content = read_yaml(path)
    spoil(content)
    assert faults(path, content)
