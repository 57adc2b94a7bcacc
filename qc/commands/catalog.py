"""`hotline-qc catalog`: the rules themselves."""

from __future__ import annotations

import json

import typer

from qc.catalogue import DEFAULT_PROFILE, load_catalogue, rule_schemas
from qc.commands.common import ProfileName, console


def catalog_check(profile: ProfileName = DEFAULT_PROFILE) -> None:
    """检查每条规则，并用它自带的正反例运行一遍。"""
    from models.judge.classifier import load_classifier
    from qc.catalogue_check import check_examples

    rules = load_catalogue(profile=profile)
    screen, failures, count = console(), 0, 0
    for outcome in check_examples(rules, load_classifier()):
        count += 1
        if not outcome.passed:
            failures += 1
            expected = "应命中" if outcome.expected else "不应命中"
            told = f"✗ {outcome.rule} {expected}：{outcome.text}"
            screen.print(told, style="red", highlight=False, markup=False)
    screen.print(f"共 {count} 条例句，{count - failures} 条通过，{failures} 条不符。")
    if failures:
        raise typer.Exit(1)


def catalog_schema() -> None:
    """打印规则文件的 JSON Schema（供编辑器校验和提示）。"""
    print(json.dumps(rule_schemas(), ensure_ascii=False, indent=2))
