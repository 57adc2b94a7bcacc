"""`hotline-qc catalog`: the rules themselves."""

from __future__ import annotations

import json

import typer

from qc.catalogue import DEFAULT_PROFILE
from qc.commands.common import ProfileName, console


def catalog_check(profile: ProfileName = DEFAULT_PROFILE) -> None:
    """检查每条规则、时限和通知，并用规则自带的正反例运行一遍。"""
    from models.judge.classifier import load_classifier
    from qc.catalogue_check import check_examples
    from qc.orders.examples import check_order_examples
    from qc.standards import load_standards

    standards = load_standards(profile)
    outcomes = [
        *check_examples(standards.catalogue, load_classifier()),
        *check_order_examples(standards.orders.consistency, standards.wording),
    ]
    screen, failures = console(), [outcome for outcome in outcomes if not outcome.passed]
    for outcome in failures:
        expected = "应命中" if outcome.expected else "不应命中"
        told = f"✗ {outcome.rule} {expected}：{outcome.text}"
        screen.print(told, style="red", highlight=False, markup=False)
    timing, notices = standards.timing, standards.notices
    screen.print(
        f"{notices.street}：时限 {len(timing.limits)} 条，未接通 {len(timing.attempts)} 条，"
        f"通知 {len(notices.rules)} 条，报告用语 {len(standards.orders.wording)} 条，写法无误。",
        highlight=False,
    )
    passed = len(outcomes) - len(failures)
    screen.print(f"共 {len(outcomes)} 条例句，{passed} 条通过，{len(failures)} 条不符。")
    if failures:
        raise typer.Exit(1)


def catalog_schema() -> None:
    """打印规则文件的 JSON Schema（供编辑器校验和提示）。"""
    from qc.rule_schemas import rule_schemas

    print(json.dumps(rule_schemas(), ensure_ascii=False, indent=2))
