"""Spot-check plans: who is drawn how often, why, and what the result says of all."""

import csv
import json
import math
from collections import Counter
from pathlib import Path
from random import Random

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from qc.commands.common import speaks_plainly
from qc.commands.sample import sample
from qc.errors import QcError
from qc.sampling.agreement import MACHINE, Vote, agreements, assign
from qc.sampling.pick_list import write_picks
from qc.sampling.plan import (
    Candidate,
    Plan,
    draw,
    inclusion_probabilities,
    read_plan,
    wanted_size,
    watch_list,
)
from qc.sampling.population import read_population
from qc.sampling.results import Reviewed, estimate, wilson

candidates = st.lists(
    st.builds(
        Candidate,
        id=st.integers(0, 10**6).map(str),
        department=st.sampled_from(["城管中队", "房管办", ""]),
        handler=st.sampled_from(["李敏", "陈刚", "吴琳", ""]),
        repeated=st.booleans(),
        dissatisfied=st.booleans(),
        disproved=st.none() | st.booleans(),
        confidence=st.none() | st.floats(0, 1),
    ),
    min_size=1,
    max_size=80,
    unique_by=lambda candidate: candidate.id,
)
plans = st.builds(
    Plan,
    share=st.floats(0.01, 1),
    at_least=st.integers(0, 4),
    watch=st.sampled_from([(), ("房管办",)]),
    watch_orders=st.integers(1, 5),
    seed=st.integers(0, 10**6),
)


@settings(max_examples=150, deadline=None)
@given(candidates, plans)
def test_sizes_and_quotas_hold_and_probabilities_add_up(
    population: list[Candidate], plan: Plan
) -> None:
    drawn = draw(population, plan)
    picked = [pick.candidate for pick in drawn.picks]
    probabilities = inclusion_probabilities(population, plan)
    assert math.isclose(sum(probabilities.values()), len(picked), abs_tol=1e-6)
    assert all(0 < value <= 1 for value in probabilities.values())
    assert len({c.id for c in picked}) == len(picked)
    people = Counter((c.department, c.handler) for c in population)
    looked_at = Counter((c.department, c.handler) for c in picked)
    assert all(looked_at[who] >= min(plan.at_least, count) for who, count in people.items())
    quotas = sum(min(plan.at_least, count) for count in people.values())
    assert len(picked) == max(wanted_size(plan, len(population)), quotas)
    assert all(pick.reason for pick in drawn.picks)


@settings(max_examples=30, deadline=None)
@given(candidates, plans)
def test_the_same_seed_gives_the_same_picks_whatever_the_order_of_the_list(
    population: list[Candidate], plan: Plan
) -> None:
    assert draw(population, plan) == draw(population[::-1], plan)


def people(size: int, seed: int = 1) -> list[Candidate]:
    random = Random(seed)
    return [
        Candidate(
            str(i),
            random.choice(["城管中队", "房管办"]),
            random.choice(["李敏", "陈刚", "吴琳"]),
            dissatisfied=random.random() < 0.1,
        )
        for i in range(size)
    ]


def test_each_is_drawn_as_often_as_its_probability_says() -> None:
    population = people(60)
    plan = Plan(share=0.2, at_least=1)
    probabilities = inclusion_probabilities(population, plan)
    times = Counter(
        pick.candidate.id
        for seed in range(600)
        for pick in draw(population, plan.model_copy(update={"seed": seed})).picks
    )
    for name, probability in probabilities.items():
        error = 4.5 * math.sqrt(probability * (1 - probability) / 600)
        assert abs(times[name] / 600 - probability) <= error


def test_dissatisfied_orders_are_drawn_three_times_as_often() -> None:
    population = people(400)
    probabilities = inclusion_probabilities(population, Plan(share=0.1, at_least=0))
    bad = {probabilities[c.id] for c in population if c.dissatisfied}
    good = {probabilities[c.id] for c in population if not c.dissatisfied}
    assert max(bad) / max(good) == pytest.approx(3, rel=1e-3)


def test_precision_asks_for_less_of_a_small_population() -> None:
    plan = Plan(precision=0.05)
    assert wanted_size(plan, 10**9) == 385  # z²p(1-p)/d² = 384.1
    assert wanted_size(plan, 500) == 218
    assert wanted_size(plan, 10) == 10


def test_a_department_with_many_disproved_orders_is_watched() -> None:
    population = [Candidate(str(i), "房管办", disproved=i < 4) for i in range(10)]
    population += [Candidate(f"x{i}", "平安办", disproved=True) for i in range(3)]  # too few
    assert watch_list(population, Plan(share=0.1)) == {"房管办": "不属实率较高（40%）"}


def test_every_reason_is_said() -> None:
    one = Candidate("1", "房管办", "陈刚", repeated=True, dissatisfied=True, confidence=0.3)
    (pick,) = draw([one], Plan(share=1, watch=("房管办",), at_least=0)).picks
    assert pick.reason == "不满意件、重复投诉、部门列入重点跟踪名单、机器把握低（0.30）"
    (pick,) = draw([Candidate("1")], Plan(share=1, at_least=0)).picks
    assert pick.reason == "随机抽取"


@pytest.mark.parametrize("text", ["share: 0.1\nprecision: 0.03", "title: x", "share: 5", "shar: 1"])
def test_a_wrong_plan_is_refused_with_a_sentence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(QcError, match=r"plan\.yaml"):
        read_plan(path)


def test_nothing_to_draw_from_and_doubles_are_refused() -> None:
    with pytest.raises(QcError, match="没有可抽"):
        draw([], Plan(share=0.1))
    with pytest.raises(QcError, match="两次"):
        draw([Candidate("1"), Candidate("1")], Plan(share=0.1))


def test_wilson_is_the_published_interval() -> None:
    assert wilson(0.9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert wilson(0.0, 10)[0] == 0.0


def test_the_estimate_undoes_the_over_sampling() -> None:
    reviewed = [Reviewed("房管办", 0.5, False)] * 10 + [Reviewed("房管办", 0.1, True)] * 10
    total, part = estimate(reviewed, {"房管办": 120})
    assert total.rate == part.rate == pytest.approx(100 / 120)
    assert total.low < total.rate < total.high


def test_a_full_count_leaves_no_doubt() -> None:
    (total, _) = estimate([Reviewed("房管办", 1.0, i < 3) for i in range(4)], {"房管办": 4})
    assert (total.low, total.rate, total.high) == (0.75, 0.75, 0.75)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    population, random = people(600), Random(3)
    passes = {c.id: random.random() < (0.5 if c.dissatisfied else 0.85) for c in population}
    truth = sum(passes.values()) / len(passes)
    covered = 0
    for seed in range(100):
        drawn = draw(population, Plan(share=0.2, seed=seed))
        reviewed = [
            Reviewed(p.candidate.department, p.probability, passes[p.candidate.id])
            for p in drawn.picks
        ]
        total = estimate(reviewed, drawn.departments)[0]
        covered += total.low <= truth <= total.high
    assert covered >= 88


def test_two_people_listen_blind_and_nobody_twice() -> None:
    given = assign([str(i) for i in range(20)], ["张三", "李四", "王五"], 0.3, seed=1)
    listeners = Counter(a.recording for a in given)
    assert Counter(listeners.values()) == {1: 14, 2: 6}
    assert len({(a.recording, a.reviewer) for a in given}) == len(given)
    loads = Counter(a.reviewer for a in given)
    assert max(loads.values()) - min(loads.values()) <= 1
    assert all(a.blind == (listeners[a.recording] == 2) for a in given)
    with pytest.raises(QcError, match="两个人"):
        assign(["1"], ["张三"], 0.5, seed=1)


def test_agreement_is_cohens_kappa_between_people_and_with_the_machine() -> None:
    # 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: kappa 0.4 (the textbook example)
    pairs = [("是", "是")] * 20 + [("是", "否")] * 5 + [("否", "是")] * 10 + [("否", "否")] * 15
    votes = [Vote(str(i), "张三", a) for i, (a, _) in enumerate(pairs)]
    votes += [Vote(str(i), MACHINE, b) for i, (_, b) in enumerate(pairs)]
    votes.append(Vote("只有一人", "李四", "是"))
    (found,) = agreements(votes)
    assert (found.one, found.other, found.compared) == ("张三", MACHINE, 50)
    assert found.kappa == pytest.approx(0.4)
    assert found.share == pytest.approx(0.7)


def test_kappa_is_not_made_up_where_all_say_the_same() -> None:
    (found,) = agreements([Vote("1", "张三", "是"), Vote("1", "李四", "是")])
    assert (found.kappa, found.share) == (None, 1.0)


HEADER = "工单编号,处置部门,经办人,重复投诉,回访结果,事实认定,机器把握"


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "工单.csv"
    lines = [f"20240611-{i:06},城管中队,李敏,否,满意,属实,90%" for i in range(40)]
    lines[0] = "20240611-000000,房管办,陈刚,是,不满意,不属实,0.3"
    path.write_text("\n".join([HEADER, *lines]), encoding="gb18030")
    return path


def test_a_table_is_read_with_its_chinese_columns(orders: Path) -> None:
    first = read_population(orders)[0]
    assert first == Candidate(
        *("20240611-000000", "房管办", "陈刚", "20240611-000000"), True, True, True, 0.3
    )


def test_order_files_and_batch_results_are_read(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    order = {"order": {"order_id": "T1", "department": "房管办"}, "filing": {}}
    order["filing"] = {"satisfaction": "dissatisfied", "fact_finding": "不属实"}
    path.write_text(json.dumps(order, ensure_ascii=False) + "\n", encoding="utf-8")
    (candidate,) = read_population(path)
    assert candidate == Candidate("T1", "房管办", "", "T1", False, True, True)


def test_the_command_writes_a_list_to_fill_in(orders: Path, tmp_path: Path) -> None:
    import typer

    app = typer.Typer()
    app.command()(speaks_plainly(sample))
    out = tmp_path / "picks.xlsx"
    result = CliRunner().invoke(app, [str(orders), "--share", "10%", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "40 件中抽取 4 件" in result.output
    book = openpyxl.load_workbook(out)
    rows = list(book["抽检清单"].iter_rows(values_only=True))
    assert rows[0][:3] == ("序号", "录音", "工单编号")
    assert len(rows) == 5
    assert any("不满意件" in str(row[5]) for row in rows)
    assert dict(book["方案"].iter_rows(values_only=True))["随机种子"] == 0
    wrong = CliRunner().invoke(app, [str(orders)])
    assert (wrong.exit_code, "Traceback" in wrong.output) == (2, False)


def test_a_csv_cannot_carry_a_formula(tmp_path: Path) -> None:
    evil = Candidate("=1+1", "=cmd()", "@x")
    write_picks(draw([evil], Plan(share=1)), tmp_path / "picks.csv")
    with (tmp_path / "picks.csv").open(encoding="utf-8-sig") as file:
        (_, row) = csv.reader(file)
    assert not any(cell.startswith(("=", "@", "+", "-")) for cell in row)
