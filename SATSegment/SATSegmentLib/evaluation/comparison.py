"""How sure are the means, and is one method better than another on the same cases?

Cases are what varies: all structures of one scan share its quality and its patient. So cases are drawn with
replacement, within their datasets, and the whole merge is done again for each draw (percentile bootstrap, Efron 1979,
`scipy.stats.bootstrap`). The paired test is Wilcoxon's signed-rank test on the cases' mean differences, and p-values
of many labels or regions are adjusted for their number (Benjamini and Hochberg 1995).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from SATSegmentLib.evaluation.protocol import ABNORMAL, REGIONS, CaseScore, LabelKey, region_of

RESAMPLES = 2000
CONFIDENCE = 0.95
_SEED = 2025
_BATCH = 200
# Metrics that get intervals and tests; volume errors are signed, so a smaller one is not better.
TESTED = ("dsc", "nsd", "hd95_mm", "absolute_volume_error_percent")

Level = Literal["overall", "region", "label"]
OVERALL = "all labels"


class Scope(NamedTuple):
    """What a number is about: everything, a region, or a label ("ct liver")."""

    level: Level
    name: str


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % confidence interval.

    Attributes
    ----------
    mean : float
        Merged as in `protocol`.
    low, high : float | None
        None where there are fewer than two cases, which say nothing about their spread.
    cases : int
        Cases behind it.
    """

    mean: float
    low: float | None
    high: float | None
    cases: int


@dataclass(frozen=True)
class Difference:
    """One method against another on the cases and labels that both have.

    Attributes
    ----------
    scope : Scope
        What is compared.
    metric : str
        What is compared.
    first, second : float
        The methods' means over these cases.
    interval : Interval
        Of first minus second.
    p : float | None
        two-sided, Wilcoxon's signed-rank test; None for fewer than two cases.
    p_adjusted : float | None
        For the number of comparisons of the same level and metric.
    """

    scope: Scope
    metric: str
    first: float
    second: float
    interval: Interval
    p: float | None
    p_adjusted: float | None = None


class _CaseKey(NamedTuple):
    dataset: str
    modality: str
    case: str


@dataclass(frozen=True, eq=False)
class _Table:
    """Values of one metric: for each dataset a matrix (case, label) with NaN where there is none."""

    matrices: tuple[np.ndarray, ...]
    labels: tuple[LabelKey, ...]

    def of(self, labels: Sequence[LabelKey]) -> _Table:
        """The same for some of the labels, without the cases and datasets that then have nothing."""
        columns = [self.labels.index(label) for label in labels]
        parts = (matrix[:, columns] for matrix in self.matrices)
        parts = (part[~np.isnan(part).all(axis=1)] for part in parts)
        return _Table(tuple(part for part in parts if len(part)), tuple(labels))

    @property
    def cases(self) -> int:
        return sum(len(matrix) for matrix in self.matrices)

    def case_means(self) -> np.ndarray:
        """Mean over the labels of each case."""
        return np.concatenate([np.nanmean(matrix, axis=1) for matrix in self.matrices])


def intervals(rows: Sequence[CaseScore]) -> dict[tuple[Scope, str], Interval]:
    """Mean and confidence interval of each metric, for each label, region, and all labels."""
    found: dict[tuple[Scope, str], Interval] = {}
    for metric in TESTED:
        table = _tabulate({_place(row): row.metric(metric) for row in rows})
        for scope, labels in _scopes(table.labels).items():
            found[scope, metric] = _interval(table.of(labels))
    return found


def compare(first: Sequence[CaseScore], second: Sequence[CaseScore]) -> list[Difference]:
    """First against second, on the (case, label) pairs that both have; HD95 where both have one."""
    differences: list[Difference] = []
    for metric in TESTED:
        ours = {_place(row): row.metric(metric) for row in first}
        theirs = {_place(row): row.metric(metric) for row in second}
        both = [p for p, value in ours.items() if value is not None and theirs.get(p) is not None]
        a, b = (_tabulate({place: values[place] for place in both}) for values in (ours, theirs))
        delta = _Table(tuple(x - y for x, y in zip(a.matrices, b.matrices, strict=True)), a.labels)
        found = [_difference(scope, metric, a, b, delta, labels) for scope, labels in _scopes(a.labels).items()]
        differences += _adjusted(found)
    return differences


def _difference(
    scope: Scope, metric: str, a: _Table, b: _Table, delta: _Table, labels: Sequence[LabelKey]
) -> Difference:
    part = delta.of(labels)
    return Difference(
        scope, metric, _merged_mean(a.of(labels)), _merged_mean(b.of(labels)), _interval(part), _signed_rank(part)
    )


def _signed_rank(delta: _Table) -> float | None:
    from scipy.stats import wilcoxon

    means = delta.case_means()
    if len(means) < 2:
        return None
    # Differences that are zero but for the last digit of a sum are no differences, and get no rank.
    means = np.round(means, 9)
    return float(wilcoxon(means).pvalue) if means.any() else 1.0


def _adjusted(differences: Sequence[Difference]) -> list[Difference]:
    from dataclasses import replace

    from scipy.stats import false_discovery_control

    adjusted = list(differences)
    for level in ("overall", "region", "label"):
        places = [n for n, d in enumerate(adjusted) if d.scope.level == level and d.p is not None]
        if places:
            for place, p in zip(places, false_discovery_control([adjusted[n].p for n in places]), strict=True):
                adjusted[place] = replace(adjusted[place], p_adjusted=float(p))
    return adjusted


def _place(row: CaseScore) -> tuple[_CaseKey, LabelKey]:
    return _CaseKey(row.dataset, row.key.modality, row.case), row.key


def _tabulate(values: Mapping[tuple[_CaseKey, LabelKey], float | None]) -> _Table:
    present = {place: value for place, value in values.items() if value is not None}
    labels = sorted({label for _, label in present})
    column = {label: n for n, label in enumerate(labels)}
    by_dataset: dict[tuple[str, str], dict[str, int]] = {}
    for case, _ in sorted(present):
        members = by_dataset.setdefault((case.dataset, case.modality), {})
        members.setdefault(case.case, len(members))
    matrices = {place: np.full((len(cases), len(labels)), np.nan) for place, cases in by_dataset.items()}
    for (case, label), value in present.items():
        place = (case.dataset, case.modality)
        matrices[place][by_dataset[place][case.case], column[label]] = value
    return _Table(tuple(matrices.values()), tuple(labels))


def _scopes(labels: Sequence[LabelKey]) -> dict[Scope, list[LabelKey]]:
    scopes: dict[Scope, list[LabelKey]] = {Scope("overall", OVERALL): list(labels)} if labels else {}
    for region in (*REGIONS, ABNORMAL):
        members = [label for label in labels if region_of(label.label) == region]
        if members:
            scopes[Scope("region", region)] = members
    for label in labels:
        scopes[label_scope(label)] = [label]
    return scopes


def label_scope(key: LabelKey) -> Scope:
    """The scope of one label."""
    return Scope("label", f"{key.modality} {key.label}")


def _merged_mean(table: _Table) -> float:
    counts = [np.ones((1, len(matrix))) for matrix in table.matrices]
    return float(_merge_draws(table, counts)[0])


def _merge_draws(table: _Table, counts: Sequence[np.ndarray]) -> np.ndarray:
    """The merged mean of each draw; `counts` says per dataset how often each case was drawn, (draws, cases)."""
    per_dataset = []
    for matrix, count in zip(table.matrices, counts, strict=True):
        known = ~np.isnan(matrix)
        numbers = count @ known
        with np.errstate(invalid="ignore"):
            per_dataset.append(count @ np.where(known, matrix, 0) / np.where(numbers > 0, numbers, np.nan))
    return _mean_of_known(_mean_of_known(np.stack(per_dataset), axis=0), axis=-1)


def _mean_of_known(values: np.ndarray, axis: int) -> np.ndarray:
    """Like `np.nanmean`, without its warning where nothing is known."""
    known = ~np.isnan(values)
    numbers = known.sum(axis=axis)
    mean: np.ndarray = np.where(known, values, 0).sum(axis=axis) / np.where(numbers > 0, numbers, np.nan)
    return mean


def _interval(table: _Table) -> Interval:
    from scipy.stats import bootstrap

    mean = _merged_mean(table)
    # A dataset of one case is the same in every draw.
    drawn = [n for n, matrix in enumerate(table.matrices) if len(matrix) > 1]
    if not drawn:
        return Interval(mean, None, None, table.cases)

    def statistic(*places: np.ndarray, axis: int) -> np.ndarray:
        counts = [np.ones((len(places[0]), len(matrix))) for matrix in table.matrices]
        for number, drawn_cases in zip(drawn, places, strict=True):
            counts[number] = _times_drawn(drawn_cases, len(table.matrices[number]))
        return _merge_draws(table, counts)

    result = bootstrap(
        [np.arange(len(table.matrices[number])) for number in drawn],
        statistic,
        n_resamples=RESAMPLES,
        batch=_BATCH,
        vectorized=True,
        axis=-1,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    )
    low, high = result.confidence_interval
    return Interval(mean, float(low), float(high), table.cases)


def _times_drawn(places: np.ndarray, cases: int) -> np.ndarray:
    """How often each case is in each draw: (draws, cases) from the drawn cases' numbers."""
    draws = len(places)
    apart = places + cases * np.arange(draws)[:, None]
    return np.bincount(apart.ravel(), minlength=draws * cases).reshape(draws, cases)
