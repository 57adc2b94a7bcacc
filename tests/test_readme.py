"""The READMEs and the pages of docs/ tell what is there."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import typer.main
from pydantic import BaseModel

from api.access import PERMISSIONS, ROLE_TITLES, ROLES
from api.settings import Settings
from models.second_opinion import OpinionSettings
from qc.catalogue import CATALOGUE_FOLDER, CauseRule, Element, Profile, Scoring, profile_names
from qc.cli import app
from qc.deadlines.timing import Attempts, HalfDays, Limit, Step, Timing, Within
from qc.notices.rules import Event, Level, NoticeRule, Recipient
from qc.orders.rules import Announcement, Claim, ConsistencyRules, Cue, OrderRule, WordingRule

ROOT = Path(__file__).parents[1]


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


README, CHINESE = read("README.md"), read("README.zh-CN.md")
RULE_LANGUAGE, SERVICE = read("docs/rule-language.md"), read("docs/service.md")
PAGES = ["README.md", "README.zh-CN.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]


def commands() -> set[str]:
    """As they are typed: `inspect`, `catalog check`."""
    found = set()
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        parts = getattr(command, "commands", {})
        found |= {f"{name} {part}" for part in parts} or {name}
    return found


def options() -> set[str]:
    group = typer.main.get_command(app)
    every = [group, *group.commands.values()]  # type: ignore[attr-defined]
    every += [part for command in every for part in getattr(command, "commands", {}).values()]
    return {name for command in every for option in command.params for name in option.opts}


# --- commands, links, names -----------------------------------------------------------------------


@pytest.mark.parametrize("text", [README, CHINESE], ids=["README", "Chinese"])
def test_every_command_is_told(text: str) -> None:
    for command in commands() - {"catalog schema"}:
        assert f"hotline-qc {command}" in text or f"./run {command}" in text, command
    assert "hotline-qc catalog schema" in RULE_LANGUAGE


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_option_that_is_told_exists(page: str) -> None:
    shell = "".join(re.findall(r"```sh\n(.*?)```", read(page), re.S))
    told = set(re.findall(r"hotline-qc ((?:teach |catalog )?[a-z]+)", shell))
    assert told <= commands(), told - commands()
    for line in read(page).splitlines():
        if line.startswith("hotline-qc "):
            assert set(re.findall(r"(--[a-z-]+)", line)) <= options(), line


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    text = read(page)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, heading = target.partition("#")
        place = (ROOT / page).parent / file if file else ROOT / page
        assert place.exists(), target
        if heading:
            assert heading in anchors(place.read_text("utf-8")), target


def anchors(text: str) -> set[str]:
    """Of the headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_profile_is_named() -> None:
    for profile in profile_names():
        assert profile in README


def test_every_room_is_told() -> None:
    rooms = [p.parent.name for p in (ROOT / "qc").glob("*/__init__.py")]
    for room in [*(f"qc/{name}" for name in rooms), "api", "models", "scripts_catalog", "samples"]:
        assert f"`{room}/`" in README, room


def test_every_habit_of_the_run_script_is_told() -> None:
    script = read("run")
    for habit in re.findall(r"^([a-z-]+)\)", script, re.MULTILINE):
        assert f"./run {habit}" in README, habit
    for habit in re.findall(r"\./run ([a-z-]+)", README + CHINESE):
        assert f"\n{habit})" in script, habit


# --- settings and permissions ---------------------------------------------------------------------


def settings_table() -> str:
    """The README's table of settings."""
    rows = ["| variable | default | |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = default_of(field.default)
        rows.append(f"| `HOTLINE_QC_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows)


def default_of(value: Any) -> str:
    if value is None or value in ("", ()):
        return "–"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def test_the_settings_are_those_of_the_service() -> None:
    assert settings_table() in README


def test_the_settings_of_the_second_opinion_are_all_told() -> None:
    page = read("docs/second-opinion.md")
    for name, field in OpinionSettings.model_fields.items():
        row = next(line for line in page.splitlines() if f"`HOTLINE_QC_LLM_{name.upper()}`" in line)
        if isinstance(field.default, int | float):
            assert float(row.split("|")[2]) == field.default


def permission_table() -> str:
    """Roles and what they may do."""
    titles = " | ".join(f"`{role}` {title}" for role, title in ROLE_TITLES.items())
    rows = [f"| permission | {titles} |", "|---" * (len(ROLES) + 1) + "|"]
    for permission in sorted(PERMISSIONS):
        marks = " | ".join("✓" if permission in may else "" for may in ROLES.values())
        rows.append(re.sub(r" +", " ", f"| `{permission}` | {marks} |"))
    return "\n".join(rows)


def test_the_permissions_are_those_of_the_service() -> None:
    assert permission_table() in SERVICE


# --- the rule language ----------------------------------------------------------------------------


def test_every_rule_file_is_told() -> None:
    for path in CATALOGUE_FOLDER.glob("*.yaml"):
        assert f"`{path.name}`" in RULE_LANGUAGE


RULES: list[type[BaseModel]] = [
    Element, CauseRule, Scoring, Profile, OrderRule, Cue, Claim, Announcement, ConsistencyRules,
    WordingRule, Timing, Limit, Attempts, Within, HalfDays, NoticeRule,
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_every_key_of_a_rule_is_told(rule: type[BaseModel]) -> None:
    for key in rule.model_fields:
        assert re.search(rf"`[^`\n]*\b{key}\b[^`\n]*`", RULE_LANGUAGE), key


@pytest.mark.parametrize("kind", [Step, Event, Level, Recipient])
def test_every_name_that_a_rule_may_use_is_told(kind: Any) -> None:
    for name in kind:
        assert f"`{name}`" in RULE_LANGUAGE, name


def test_every_kind_of_promise_is_told() -> None:
    for kind in get_args(Announcement.model_fields["id"].annotation):
        assert f"`{kind}`" in RULE_LANGUAGE
