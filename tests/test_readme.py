"""The README tells what is there."""

from pathlib import Path

import pytest
import typer.main

from qc.catalogue import profile_names
from qc.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
CHINESE = (ROOT / "README.zh-CN.md").read_text("utf-8")


def test_every_command_is_in_both_readmes() -> None:
    group = typer.main.get_command(app)
    for name in group.commands:  # type: ignore[attr-defined]
        assert f"hotline-qc {name}" in README or f"./run {name}" in README
        assert f"hotline-qc {name}" in CHINESE or f"./run {name}" in CHINESE


def test_every_profile_is_named() -> None:
    for profile in profile_names():
        assert profile in README


@pytest.mark.parametrize("text", [README, CHINESE])
def test_every_link_leads_somewhere(text: str) -> None:
    for part in text.split("](")[1:]:
        target = part.split(")")[0].split("#")[0]
        assert not target or (ROOT / target).exists(), target


def test_every_habit_of_the_run_script_is_told() -> None:
    script = (ROOT / "run").read_text("utf-8")
    for habit in ("demo", "test", "lint", "types", "samples", "train-judge"):
        assert f"./run {habit}" in README
        assert f"{habit})" in script
