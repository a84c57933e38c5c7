"""Merging scores as SAT's evaluation merges them: case -> dataset -> label -> region -> overall.

Each step is a plain mean, so every dataset counts the same for a label however many cases it has, and every label the
same for its region. Overall is the mean over the labels (not over the regions). A lesion goes to a row of its own
instead of its region. Unlike SAT's own script, labels are kept as pairs and never cut out of a string, so names may
hold commas and underscores.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from SATSegmentLib.anatomy.vocabulary.labels import load_labels
from SATSegmentLib.evaluation.metrics import Scores
from SATSegmentLib.types import Modality

ABNORMAL = "abnormal"
UNKNOWN = "unknown"
# In the order of SAT's list, which decides where a name stands in two of them (the oesophagus).
REGIONS = (
    "brain",
    "head and neck",
    "thorax",
    "spine",
    "abdomen",
    "pelvis",
    "lower limb",
    "upper limb",
    "whole body",
)

# What is merged, and how people call it.
METRICS = {
    "dsc": "DSC",
    "nsd": "NSD",
    "hd95_mm": "HD95 (mm)",
    "volume_error_ml": "volume error (mL)",
    "volume_error_percent": "volume error (%)",
    "absolute_volume_error_percent": "absolute volume error (%)",
}


class LabelKey(NamedTuple):
    """What SAT calls "modality_label"; a pair, so that no character in a name can mislead."""

    modality: Modality
    label: str


@dataclass(frozen=True)
class CaseScore:
    """One structure of one case.

    Attributes
    ----------
    dataset, case : str
        Where it comes from; a case's name is unique within its dataset.
    key : LabelKey
        Modality and label.
    scores : Scores
        How prediction and reference compare.
    given_reference, given_prediction : str
        What the files call the structure; the latter is empty where there was no mask.
    missing : bool
        The method gave no mask in this case, though it did in others: counted as empty.
    resampled : bool
        The prediction was resampled onto the reference's grid.
    outside : float
        Share of the prediction's volume outside the reference's grid, which was not judged.
    """

    dataset: str
    case: str
    key: LabelKey
    scores: Scores
    given_reference: str = ""
    given_prediction: str = ""
    missing: bool = False
    resampled: bool = False
    outside: float = 0.0

    def metric(self, name: str) -> float | None:
        """One of `METRICS`; None where it is not defined."""
        if name == "absolute_volume_error_percent":
            percent = self.scores.volume_error_percent
            return None if percent is None else abs(percent)
        value: float | None = getattr(self.scores, name)
        return value


@dataclass(frozen=True)
class Mean:
    """The mean of some scores.

    Attributes
    ----------
    means : Mapping[str, float | None]
        Metric -> mean; None where no member has a value.
    cases : int
        (case, structure) pairs behind it.
    labels : int
        Labels behind it.
    """

    means: Mapping[str, float | None]
    cases: int
    labels: int = 1


@dataclass(frozen=True)
class Merged:
    """All steps of the merge.

    Attributes
    ----------
    datasets : Mapping[tuple[str, LabelKey], Mean]
        (dataset, label) -> mean over cases.
    labels : Mapping[LabelKey, Mean]
        Label -> mean over its datasets.
    regions : Mapping[str, Mean]
        Region -> mean over its labels, in SAT's order, "abnormal" last; regions without labels are left out.
        Labels that SAT does not know count in `overall` only.
    overall : Mean
        Mean over all labels.
    """

    datasets: Mapping[tuple[str, LabelKey], Mean]
    labels: Mapping[LabelKey, Mean]
    regions: Mapping[str, Mean]
    overall: Mean


def region_of(label: str) -> str:
    """The row a label counts in; modality plays no part.

    "abnormal" where SAT's authors list the name among the lesions, else the first region that lists it, else "unknown".
    """
    return _regions_by_name().get(label.lower(), UNKNOWN)


@cache
def _regions_by_name() -> dict[str, str]:
    regions: dict[str, str] = {}
    for label in load_labels():
        name = label.text.lower()
        found = [*label.regions, *([regions[name]] if name in regions and regions[name] in REGIONS else [])]
        if label.abnormal or regions.get(name) == ABNORMAL:
            regions[name] = ABNORMAL
        else:
            regions[name] = min(found, key=REGIONS.index)
    return regions


def merge(rows: Iterable[CaseScore]) -> Merged:
    """Merge the scores of one method; see the module."""
    by_dataset: dict[tuple[str, LabelKey], list[CaseScore]] = {}
    for row in rows:
        by_dataset.setdefault((row.dataset, row.key), []).append(row)
    datasets = {place: _of_cases(members) for place, members in sorted(by_dataset.items())}
    by_label: dict[LabelKey, list[Mean]] = {}
    for (_, key), mean in datasets.items():
        by_label.setdefault(key, []).append(mean)
    labels = {key: _of_means(means, labels=1) for key, means in sorted(by_label.items(), key=_in_order)}
    by_region: dict[str, list[Mean]] = {}
    for key, mean in labels.items():
        by_region.setdefault(region_of(key.label), []).append(mean)
    regions = {
        region: _of_means(by_region[region], len(by_region[region]))
        for region in (*REGIONS, ABNORMAL)
        if region in by_region
    }
    return Merged(datasets, labels, regions, _of_means(list(labels.values()), len(labels)))


def _in_order(item: tuple[LabelKey, object]) -> tuple[int, LabelKey]:
    rows = (*REGIONS, ABNORMAL, UNKNOWN)
    return rows.index(region_of(item[0].label)), item[0]


def _of_cases(rows: Sequence[CaseScore]) -> Mean:
    return Mean({name: mean_of([row.metric(name) for row in rows]) for name in METRICS}, len(rows))


def _of_means(members: Sequence[Mean], labels: int) -> Mean:
    means = {name: mean_of([member.means[name] for member in members]) for name in METRICS}
    return Mean(means, sum(member.cases for member in members), labels)


def mean_of(values: Iterable[float | None]) -> float | None:
    """The mean of those that are numbers; None where there are none."""
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers else None
