"""The verdict on an order as a whole, its rules' examples, and the command."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from qc.catalogue import CATALOGUE_FOLDER, load_catalogue, profile_names
from qc.commands.common import speaks_plainly
from qc.commands.order import order
from qc.errors import CatalogueError, OrderError
from qc.filed import OrderFile
from qc.order import CallKind
from qc.orders.inspection import inspect_order
from qc.orders.rules import load_order_rules
from tests.qc.orders.order_samples import NOW, ORDER, ORDER_FILES, first_contact, judge, reply

RULES = load_order_rules().consistency
app = typer.Typer()
app.command()(speaks_plainly(order))


def test_every_clause_quoted_is_of_a_document_that_is_here() -> None:
    documents = load_catalogue().documents
    for profile in profile_names():
        rules = load_order_rules(profile)
        sources = [s for rule in rules.consistency.findings.values() for s in rule.sources]
        sources += [rule.source for rule in rules.wording]
        assert {source.document for source in sources} <= set(documents)


def test_every_element_that_a_claim_names_exists() -> None:
    elements = {e.id for kind in CallKind for e in load_catalogue().elements[kind]}
    assert {e for claim in RULES.claims for e in claim.elements} <= elements


def test_every_finding_points_to_its_words() -> None:
    verdict = judge(
        first_contact(), reply(), satisfaction="dissatisfied", fact_finding="不属实",
        first_contact_at="2024-06-11 14:20", replied_at="2024-06-17 09:00",
    )  # fmt: skip
    assert verdict.findings
    for finding in verdict.findings:
        for quote in finding.quotes:
            if quote.call is None:
                assert quote.field
            else:
                turns = verdict.inspections[quote.call].transcript.turns
                assert quote.text in turns[quote.turn].text


def test_a_doubtful_transcript_is_said_to_be_doubtful() -> None:
    verdict = judge(reply(), fact_finding="不属实")
    (sure,) = [f for f in verdict.findings if f.id == "cs.fact_finding"]
    assert sure.doubt == ""
    file = OrderFile.model_validate(
        {"order": ORDER, "filing": {"fact_finding": "不属实"}, "calls": [reply()]}
    )
    from dataclasses import replace

    heard = verdict.inspections[0]
    unsure = replace(heard, transcript=replace(heard.transcript, role_margin=0.01))
    findings = inspect_order(file, [unsure], now=NOW).findings
    (doubtful,) = [f for f in findings if f.id == "cs.fact_finding"]
    assert "请" in doubtful.doubt


def test_each_finding_costs_something_and_an_order_without_calls_has_no_score() -> None:
    good, bad = judge(reply()), judge(reply(), fact_finding="不属实")
    assert good.score is not None and bad.score is not None
    assert bad.score < good.score
    assert judge().score is None


def test_inspections_and_calls_must_match() -> None:
    file = OrderFile.model_validate({"order": ORDER, "calls": [reply()]})
    with pytest.raises(OrderError, match="1 通"):
        inspect_order(file, [], now=NOW)


def test_an_unknown_street_is_refused() -> None:
    with pytest.raises(CatalogueError, match="nowhere"):
        judge(reply(), profile="nowhere")


def test_a_wrong_rule_is_named(tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "catalogue"
    shutil.copytree(CATALOGUE_FOLDER, folder)
    path = folder / "report_wording.yaml"
    path.write_text(path.read_text("utf-8").replace("demand: must\n", "demand: may\n", 1), "utf-8")
    with pytest.raises(CatalogueError, match=r"report_wording.yaml 规则 rw\.yc.*demand"):
        load_order_rules("yichuan", folder)


EXPECTED = {
    "01-填报与录音不符": {"cs.satisfaction", "cs.fact_finding", "cs.figure", "pr.broken"},
    "03-推说不管后退单": {"cs.returned_shirk", "rw.wf.return_to"},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_samples_show_what_they_are_for(name: str, tmp_path: Path) -> None:
    out = tmp_path / "verdict.json"
    run = CliRunner().invoke(app, [str(ORDER_FILES / f"{name}.json"), "--json", str(out)])
    assert run.exit_code == 0, run.output
    verdict = json.loads(out.read_text("utf-8"))
    assert EXPECTED[name] <= {finding["id"] for finding in verdict["findings"]}
    assert verdict["order_id"] in json.dumps(verdict)
    assert "周明华" not in run.output and "何玉兰" not in run.output


def test_a_recording_in_an_order_file_is_listened_to(tmp_path: Path) -> None:
    out = tmp_path / "verdict.json"
    path = ORDER_FILES / "02-规范办理.json"
    run = CliRunner().invoke(app, [str(path), "--json", str(out)])
    assert run.exit_code == 0, run.output
    verdict = json.loads(out.read_text("utf-8"))
    assert [f["id"] for f in verdict["findings"]] == []
    assert {p["status"] for p in verdict["ledger"]} == {"kept"}
    assert verdict["ledger"][0]["quote"]["start"] > 0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "JSON"),
        ("[]", "对象"),
        ('{"order": {}, "calls": [{"kind": "reply"}]}', "turns 或 recording"),
        ('{"order": {}, "calls": [{"turns": [{"role": "agent", "text": "喂"}]}]}', "kind"),
        ('{"order": {}, "filing": {"closed_at": "昨天"}}', "closed_at"),
        ('{"order": {}, "calls": [{"kind": "reply", "recording": "nothing.wav"}]}', "nothing.wav"),
    ],
)
def test_a_wrong_order_file_is_told_in_one_sentence(
    content: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "order.json"
    path.write_text(content, "utf-8")
    run = CliRunner().invoke(app, [str(path)])
    assert run.exit_code == 2
    assert says in run.output
    assert "Traceback" not in run.output
