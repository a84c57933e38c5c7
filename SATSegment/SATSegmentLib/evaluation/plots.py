"""Pictures of the results: regions as a radar, labels as bars, volumes after Bland and Altman."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from SATSegmentLib.evaluation.comparison import label_scope
from SATSegmentLib.evaluation.protocol import METRICS, REGIONS, LabelKey, region_of
from SATSegmentLib.evaluation.report import Judged
from SATSegmentLib.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLOTS = ("regions_dsc.png", "regions_nsd.png", "labels_dsc.png", "labels_nsd.png", "volumes.png")
# Colour-blind safe (Okabe and Ito).
_COLORS = ("#0072B2", "#D55E00")
_DPI = 130
_FEWEST_SPOKES = 3
# A picture higher than 2^16 points cannot be drawn; SAT's 498 labels stay below.
_BAR_INCHES = 0.3


def draw(folder: Path, methods: Sequence[Judged], overwrite: bool) -> None:
    """Write all pictures into a folder that is there.

    Raises
    ------
    OutputError
        A picture cannot be written.
    """
    for metric in ("dsc", "nsd"):
        _save(_regions(methods, metric), folder / f"regions_{metric}.png", overwrite)
        _save(_labels(methods, metric), folder / f"labels_{metric}.png", overwrite)
    _save(_volumes(methods), folder / "volumes.png", overwrite)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Figure, path: Path, overwrite: bool) -> None:
    with atomic_path(path, overwrite=overwrite) as temporary:
        figure.savefig(temporary, dpi=_DPI, format="png")


def _regions(methods: Sequence[Judged], metric: str) -> Figure:
    """A radar with a spoke for each region; bars where there are too few regions for one."""
    regions = [r for r in methods[0].merged.regions if all(r in judged.merged.regions for judged in methods)]
    regions.sort(key=[*REGIONS, "abnormal"].index)
    values = [[judged.merged.regions[region].means[metric] or 0.0 for region in regions] for judged in methods]
    names = [f"{region}\n({methods[0].merged.regions[region].labels})" for region in regions]
    figure = _figure(7.5, 7)
    if len(regions) >= _FEWEST_SPOKES:
        _radar(figure.add_subplot(projection="polar"), names, values, methods)
    else:
        _few_bars(figure.add_subplot(), names, values, methods)
    figure.suptitle(f"{METRICS[metric]} by region (number of labels)")
    figure.legend(loc="outside lower center", ncols=len(methods), frameon=False)
    return figure


def _radar(axes: Any, names: Sequence[str], values: Sequence[Sequence[float]], methods: Sequence[Judged]) -> None:
    angles = np.linspace(0, 2 * np.pi, len(names), endpoint=False)
    closed = np.append(angles, angles[0])
    for color, judged, row in zip(_COLORS, methods, values, strict=False):
        axes.plot(closed, [*row, row[0]], color=color, marker="o", markersize=4, label=_legend(judged))
        axes.fill(closed, [*row, row[0]], color=color, alpha=0.12)
    axes.set_theta_offset(np.pi / 2)
    axes.set_theta_direction(-1)
    axes.set_xticks(angles, names)
    axes.tick_params(axis="x", pad=22)
    axes.set_ylim(0, 1)
    axes.set_yticks([0.2, 0.4, 0.6, 0.8, 1.0])
    axes.set_rlabel_position(180 / len(names))  # between two spokes


def _few_bars(axes: Axes, names: Sequence[str], values: Sequence[Sequence[float]], methods: Sequence[Judged]) -> None:
    width = 0.8 / len(methods)
    for number, (color, judged, row) in enumerate(zip(_COLORS, methods, values, strict=False)):
        axes.bar(np.arange(len(names)) + (number + 0.5) * width - 0.4, row, width, color=color, label=_legend(judged))
    axes.set_xticks(range(len(names)), names)
    axes.set_ylim(0, 1)


def _labels(methods: Sequence[Judged], metric: str) -> Figure:
    """A bar for each label with its 95 % interval, in the order of regions."""
    keys = list(dict.fromkeys(key for judged in methods for key in judged.merged.labels))
    keys.sort(key=_label_order)
    figure = _figure(9, 1.6 + _BAR_INCHES * len(keys))
    axes = figure.add_subplot()
    width = 0.8 / len(methods)
    for number, (color, judged) in enumerate(zip(_COLORS, methods, strict=False)):
        at = np.array([n for n, key in enumerate(keys) if key in judged.merged.labels])
        mine = [keys[n] for n in at]
        means = [judged.merged.labels[key].means[metric] or 0.0 for key in mine]
        places = at + (number + 0.5) * width - 0.4
        axes.barh(places, means, width, color=color, label=_legend(judged))
        axes.errorbar(means, places, xerr=_bars(judged, mine, metric, means), fmt="none", ecolor="#333333", lw=0.8)
    axes.set_yticks(range(len(keys)), [f"{key.label} ({key.modality.upper()}, {region_of(key.label)})" for key in keys])
    axes.set_ylim(len(keys) - 0.4, -0.6)
    axes.set_xlim(0, 1.02)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    figure.suptitle(f"{METRICS[metric]} by label, 95 % bootstrap interval over cases")
    figure.legend(loc="outside lower center", ncols=len(methods), frameon=False)
    return figure


def _bars(judged: Judged, keys: Sequence[LabelKey], metric: str, means: Sequence[float]) -> np.ndarray:
    ends = []
    for key, mean in zip(keys, means, strict=True):
        interval = judged.intervals.get((label_scope(key), metric))
        known = interval is not None and interval.low is not None and interval.high is not None
        ends.append((mean - interval.low, interval.high - mean) if known else (0.0, 0.0))  # type: ignore
    return np.clip(np.array(ends, float).reshape(-1, 2).T, 0, None)


def _label_order(key: LabelKey) -> tuple[int, str, str]:
    rows = [*REGIONS, "abnormal", "unknown"]
    return rows.index(region_of(key.label)), key.label, key.modality


def _volumes(methods: Sequence[Judged]) -> Figure:
    """Differences against means of volumes (Bland and Altman 1986), in mL and in per cent, a row for each method."""
    figure = _figure(12, 4.6 * len(methods))
    for number, (color, judged) in enumerate(zip(_COLORS, methods, strict=False)):
        volumes = np.array([(r.scores.reference_ml, r.scores.prediction_ml) for r in judged.scores.rows]).reshape(-1, 2)
        # Nothing on both sides is no measurement.
        volumes = volumes[volumes.any(axis=1)]
        mean, difference = volumes.mean(axis=1), volumes[:, 1] - volumes[:, 0]
        for place, (values, unit) in enumerate(((difference, "mL"), (100 * difference / mean, "% of the mean"))):
            axes = figure.add_subplot(len(methods), 2, 2 * number + place + 1)
            _bland_altman(axes, mean, values, unit, color)
            axes.set_title(judged.scores.method, fontsize=10)
    figure.suptitle("Volumes: prediction minus reference; mean and 95 % limits of agreement (Bland-Altman)")
    return figure


def _bland_altman(axes: Axes, mean: np.ndarray, difference: np.ndarray, unit: str, color: str) -> None:
    axes.scatter(mean, difference, s=12, color=color, alpha=0.6, linewidths=0)
    if len(mean):
        axes.set_xscale("log")
    axes.set_xlabel("mean of both volumes (mL)")
    axes.set_ylabel(f"difference ({unit})")
    if len(difference) > 1:
        bias, spread = float(difference.mean()), 1.96 * float(difference.std(ddof=1))
        for height, style in ((bias, "-"), (bias - spread, "--"), (bias + spread, "--")):
            axes.axhline(height, color="#333333", linestyle=style, linewidth=1)
            axes.annotate(
                f"{height:.3g}", (1, height), xycoords=("axes fraction", "data"), va="bottom", ha="right", fontsize=8
            )
    axes.grid(alpha=0.25)


def _legend(judged: Judged) -> str:
    name = judged.scores.method
    # matplotlib leaves names that begin with an underscore out of a legend.
    return f" {name}" if name.startswith("_") else name
