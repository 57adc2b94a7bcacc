"""The verdict on an order as a whole: what was filed, its calls, and its promises."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from qc.catalogue import DEFAULT_PROFILE, Catalogue, Severity, load_catalogue
from qc.deadlines.missed_calls import check_attempts
from qc.deadlines.timeliness import check_timeliness
from qc.deadlines.timing import load_timing
from qc.errors import OrderError
from qc.evidence import Classifier
from qc.filed import Filing, OrderFile
from qc.inspect import inspect_call
from qc.inspection import Inspection
from qc.order import Order
from qc.orders.claims import check_claims
from qc.orders.consistency import check_consistency
from qc.orders.evidence import Case
from qc.orders.finding import OrderFinding
from qc.orders.promises import Promise, keep_ledger
from qc.orders.report_wording import check_wording
from qc.orders.rules import OrderRules, load_order_rules

_SEVERITIES: tuple[Severity, ...] = ("fatal", "major", "minor")
# Points off for findings that have no rule in consistency.yaml or report_wording.yaml: deadlines
# and attempts. What is only due soon (tl.soon.*) costs nothing.
_PENALTIES: dict[Severity, float] = {"minor": 2, "major": 6, "fatal": 30}


@dataclass(frozen=True)
class OrderInspection:
    """Everything that was found about one order."""

    order: Order
    filing: Filing
    inspections: tuple[Inspection, ...]  # of its calls
    findings: tuple[OrderFinding, ...]  # the most severe first
    ledger: tuple[Promise, ...]  # in the order in which they were made
    score: int | None  # 0..100; None without a call

    def to_json(self) -> dict[str, Any]:
        """The verdict as the command line and the API give it; nothing is masked."""
        return {
            "order_id": self.order.order_id,
            "score": self.score,
            "findings": [finding.to_json() for finding in self.findings],
            "ledger": [promise.to_json() for promise in self.ledger],
            "calls": [inspection.to_json() for inspection in self.inspections],
        }


def inspect_order_calls(
    file: OrderFile, catalogue: Catalogue, classifier: Classifier | None
) -> tuple[Inspection, ...]:
    """Judge the calls of an order file whose turns are given, each against the file's order."""
    return tuple(
        inspect_call(call.model_copy(update={"order": file.order}), catalogue, classifier)
        for call in file.calls
    )


def inspect_order(
    file: OrderFile,
    inspections: Sequence[Inspection],
    *,
    profile: str = DEFAULT_PROFILE,
    now: datetime,
) -> OrderInspection:
    """Hold what was filed against the calls, and the calls against each other.

    Args:
        inspections: of `file.calls`, in the same order.
        profile: the street whose clauses, deadlines and wording rules apply.
        now: aware; decides what is overdue and which promises are not due yet.

    Raises:
        OrderError: not one inspection for each call.
        CatalogueError: there is no such profile, or a rule is wrong.
    """
    if len(inspections) != len(file.calls):
        raise OrderError(
            f"工单有 {len(file.calls)} 通录音，结论有 {len(inspections)} 份", "请逐通检查后再合并"
        )
    rules = load_order_rules(profile)
    timing = load_timing(profile)
    reliability = load_catalogue(profile=profile).scoring.reliability
    case = Case(file, tuple(inspections), rules, reliability)
    ledger = keep_ledger(file, case.inspections, rules, now)
    findings = [
        *check_consistency(case),
        *check_claims(case),
        *_promise_findings(case, ledger),
        *check_wording(case),
        *check_timeliness(file.order, file.filing, timing, now),
        *check_attempts(file.filing, timing),
    ]
    findings.sort(key=lambda finding: _SEVERITIES.index(finding.severity))
    return OrderInspection(
        file.order,
        file.filing,
        case.inspections,
        tuple(findings),
        ledger,
        _score(case.inspections, findings, rules),
    )


def _promise_findings(case: Case, ledger: Sequence[Promise]) -> list[OrderFinding]:
    """Broken promises, and those that a later call, which reached the citizen, leaves open."""
    found = []
    later = {i for i, call in enumerate(case.inspections) if i > 0}
    for promise in ledger:
        followed = any(call > (promise.quote.call or 0) for call in later)
        if promise.status == "broken":
            rule = "pr.broken"
        elif promise.status == "unmentioned" and followed:
            rule = "pr.unmentioned"
        else:
            continue
        due = f"（{promise.due_said}）" if promise.due_said else ""
        manner = "" if promise.grounded else "随意"
        text = f"{manner}承诺“{promise.title}”{due}：{promise.reason}。"
        found.append(case.finding(rule, text, [promise.quote, *promise.proof]))
    return found


def _score(
    inspections: Sequence[Inspection], findings: Sequence[OrderFinding], rules: OrderRules
) -> int | None:
    """The calls' mean score less what each kind of finding costs, a kind counted once."""
    if not inspections:
        return None
    wording = {rule.id: rule.penalty for rule in rules.wording}
    lost = 0.0
    for rule_id, severity in {finding.id: finding.severity for finding in findings}.items():
        if rule_id in rules.consistency.findings:
            lost += rules.rule(rule_id).penalty
        elif not rule_id.startswith("tl.soon"):
            lost += wording.get(rule_id, _PENALTIES[severity])
    mean = sum(inspection.score for inspection in inspections) / len(inspections)
    return max(0, round(mean - lost))
