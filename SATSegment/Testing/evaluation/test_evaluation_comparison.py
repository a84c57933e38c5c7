"""Intervals and paired tests."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import wilcoxon

from SATSegmentLib.evaluation.comparison import Scope, compare, intervals
from SATSegmentLib.evaluation.metrics import Scores
from SATSegmentLib.evaluation.protocol import CaseScore, LabelKey, merge

ALL = Scope("overall", "all labels")


def rows(values, dataset="d", label="liver", modality="ct"):
    """One row per value; None leaves the case out."""
    return [
        CaseScore(dataset, f"case {n}", LabelKey(modality, label), Scores(value, value, None, 1.0, 1.0))
        for n, value in enumerate(values)
        if value is not None
    ]


def test_the_mean_is_the_merged_mean():
    rng = np.random.default_rng(1)
    scored = [
        one
        for dataset, label in product(("A", "B"), ("liver", "spleen", "heart"))
        for one in rows([None if rng.random() < 0.3 else rng.random() for _ in range(7)], dataset, label)
    ]
    merged, found = merge(scored), intervals(scored)
    assert found[ALL, "dsc"].mean == pytest.approx(merged.overall.means["dsc"])
    for region, mean in merged.regions.items():
        assert found[Scope("region", region), "dsc"].mean == pytest.approx(mean.means["dsc"])
    for key, mean in merged.labels.items():
        assert found[Scope("label", f"ct {key.label}"), "nsd"].mean == pytest.approx(mean.means["nsd"])
    for interval in found.values():
        assert interval.low <= interval.mean <= interval.high


def test_the_interval_is_the_percentile_bootstrap_of_the_merge():
    rng = np.random.default_rng(2)
    first, second = rng.random(12), rng.random(5)
    found = intervals([*rows(first, "A"), *rows(second, "B")])[ALL, "dsc"]

    draws = [(rng.choice(first, 12).mean() + rng.choice(second, 5).mean()) / 2 for _ in range(20000)]
    low, high = np.percentile(draws, [2.5, 97.5])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.015)
    assert found.cases == 17


def test_one_case_has_no_interval_and_no_test():
    found = intervals(rows([0.5]))[ALL, "dsc"]
    assert (found.mean, found.low, found.high, found.cases) == (0.5, None, None, 1)
    difference = compare(rows([0.5]), rows([0.4]))[0]
    assert difference.interval.mean == pytest.approx(0.1)
    assert difference.p is None
    assert difference.interval.low is None


def test_a_method_against_itself():
    values = np.random.default_rng(3).random(9)
    for difference in compare(rows(values), rows(values)):
        assert (difference.interval.mean, difference.interval.low, difference.interval.high) == (0, 0, 0)
        assert (difference.p, difference.p_adjusted) == (1, 1)


def test_a_difference_is_found_with_its_sign_and_turns_with_the_order():
    rng = np.random.default_rng(4)
    worse = rng.uniform(0.4, 0.8, 15)
    better = worse + rng.uniform(0.05, 0.15, 15)
    forth = {(d.scope, d.metric): d for d in compare(rows(better), rows(worse))}
    back = {(d.scope, d.metric): d for d in compare(rows(worse), rows(better))}
    one, other = forth[ALL, "dsc"], back[ALL, "dsc"]

    assert 0.05 < one.interval.low < one.interval.mean < one.interval.high < 0.15
    assert one.first - one.second == pytest.approx(one.interval.mean)
    assert one.p == pytest.approx(wilcoxon(better, worse).pvalue)
    assert one.p < 0.001
    assert other.interval.mean == pytest.approx(-one.interval.mean)
    assert other.p == pytest.approx(one.p)


def test_only_what_both_have_is_compared():
    ours = [*rows([0.9, 0.8, 0.1]), *rows([0.2], label="spleen")]
    theirs = [*rows([0.5, 0.6, None]), *rows([1.0], label="heart")]
    found = {(d.scope, d.metric): d for d in compare(ours, theirs)}
    assert found[ALL, "dsc"].interval.cases == 2
    assert found[ALL, "dsc"].interval.mean == pytest.approx(0.3)
    assert {scope.name for scope, _ in found} == {"all labels", "abdomen", "ct liver"}


def test_cases_of_one_name_in_two_datasets_are_two_cases():
    found = compare([*rows([0.9], "A"), *rows([0.1], "B")], [*rows([0.5], "A"), *rows([0.5], "B")])
    assert found[0].interval.cases == 2


def test_structures_of_one_scan_are_not_counted_as_independent():
    """Thirty labels that all rise and fall with their scan are as uncertain as one."""
    values = np.random.default_rng(5).uniform(0.3, 0.9, 8)
    alone = intervals(rows(values))[ALL, "dsc"]
    names = ["liver", "spleen", "heart", "pancreas", "stomach", "brain"]
    many = intervals([one for name in names for one in rows(values, label=name)])[ALL, "dsc"]
    assert many.high - many.low == pytest.approx(alone.high - alone.low)


def test_p_values_are_adjusted_for_their_number():
    rng = np.random.default_rng(6)
    names = ["liver", "spleen", "heart", "pancreas", "stomach", "brain"]
    ours = [one for name in names for one in rows(rng.random(10), label=name)]
    theirs = [one for name in names for one in rows(rng.random(10), label=name)]
    labels = [d for d in compare(ours, theirs) if d.scope.level == "label" and d.metric == "dsc"]
    assert len(labels) == len(names)
    assert all(d.p_adjusted >= d.p for d in labels)
    smallest = min(labels, key=lambda d: d.p)
    assert smallest.p_adjusted <= smallest.p * len(names) + 1e-12


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(7)
    inside = 0
    for _ in range(60):
        found = intervals(rows(rng.normal(0.7, 0.1, 25)))[ALL, "dsc"]
        inside += found.low <= 0.7 <= found.high
    assert inside >= 50
