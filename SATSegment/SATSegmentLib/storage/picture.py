"""A picture of what was found: three slices through the scan and a view in three dimensions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from SATSegmentLib.files import atomic_path
from SATSegmentLib.grid.affine import spacing_mm
from SATSegmentLib.grid.orientation import orient
from SATSegmentLib.segments.style import style_of
from SATSegmentLib.types import Image, SegmentResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BACKGROUND = "#14171c"
_INK = "#e8ebf0"
# Where the light comes from, in RAS: from the left, in front and above.
_LIGHT = np.array([-0.45, 0.5, 0.75]) / np.linalg.norm([-0.45, 0.5, 0.75])
_SHELL_OPACITY = 0.06
_LEGEND_WIDTH = 32


@dataclass(frozen=True, eq=False)
class _Shape:
    """A structure to draw: its name, colour (0..1) and mask, axes R-L, P-A, I-S with R, A, S growing."""

    name: str
    color: tuple[float, float, float]
    mask: np.ndarray


def draw_picture(
    path: Path,
    image: Image,
    results: Sequence[SegmentResult],
    *,
    centre: str,
    shell: str,
    flat: Collection[str] = (),
    title: str,
    subtitle: str,
    overwrite: bool = False,
) -> None:
    """Draw `results` over the scan and in three dimensions, as a PNG.

    Patient right is on the picture's left, as radiologists look at a scan; each panel says so.

    Parameters
    ----------
    results : Sequence[SegmentResult]
        What to draw, from large to small: later ones lie on top. Empty ones are left out.
    centre : str
        Name of the structure that the slices go through.
    shell : str
        Name of the structure that is drawn as a faint hull around the others, in 3-D only.
    flat : Collection[str], optional
        Names of structures that are drawn on the slices only, because they would hide the others in 3-D.
    title, subtitle : str
        Text above and below the panels.

    Raises
    ------
    OutputError
        The picture cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    scan, shapes, spacing = _upright(image, results)
    hull = [shape for shape in shapes if shape.name == shell]
    solid = [shape for shape in shapes if shape.name != shell]
    figure = Figure(figsize=(15, 9.4), facecolor=_BACKGROUND)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        2, 3, width_ratios=(1, 1, 0.62), left=0.015, right=0.995, top=0.93, bottom=0.05, wspace=0.03, hspace=0.06
    )
    point = _centre_of(centre, shapes, scan.shape)
    for axis, place in ((2, grid[0, 0]), (1, grid[0, 1]), (0, grid[1, 0])):
        _slice(figure.add_subplot(place), scan, solid, spacing, axis, point[axis])
    deep = [shape for shape in solid if shape.name not in flat]
    _space(figure.add_subplot(grid[1, 1], projection="3d"), deep, hull, spacing)
    _legend(figure.add_subplot(grid[:, 2]), solid)
    figure.text(0.02, 0.955, title, color=_INK, fontsize=17, fontweight="bold")
    figure.text(0.02, 0.015, subtitle, color="#ffb454", fontsize=11.5)
    with atomic_path(path, overwrite=overwrite) as temporary:
        figure.savefig(temporary, dpi=100, format="png", facecolor=_BACKGROUND)


def draw_slices(image: Image, results: Sequence[SegmentResult], centre: str) -> bytes:
    """Draw `results` over three slices, as a PNG that is given back; parameters as `draw_picture`."""
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    scan, shapes, spacing = _upright(image, results)
    figure = Figure(figsize=(15, 5.4), facecolor=_BACKGROUND)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        1, 4, width_ratios=(1, 1, 1, 0.6), left=0.01, right=0.995, top=0.98, bottom=0.08, wspace=0.03
    )
    point = _centre_of(centre, shapes, scan.shape)
    for column, axis in enumerate((2, 1, 0)):
        _slice(figure.add_subplot(grid[0, column]), scan, shapes, spacing, axis, point[axis])
    _legend(figure.add_subplot(grid[0, 3]), shapes)
    figure.text(0.01, 0.02, "Research use only. Not a medical device.", color="#ffb454", fontsize=11.5)
    content = io.BytesIO()
    figure.savefig(content, dpi=80, format="png", facecolor=_BACKGROUND)
    return content.getvalue()


def _upright(
    image: Image, results: Sequence[SegmentResult]
) -> tuple[np.ndarray, list[_Shape], tuple[float, float, float]]:
    """Scan, found structures and spacing with axes R-L, P-A, I-S, cut to where the scan is not empty."""
    sources, flips = orient(image.ijk_to_ras, "RAS")

    def turn(array_kji: np.ndarray) -> np.ndarray:
        turned = array_kji.transpose(2, 1, 0).transpose(sources)
        return np.flip(turned, tuple(axis for axis, flip in enumerate(flips) if flip))

    scan = turn(image.array).astype(np.float32)
    box = tuple(_used(scan > 0, axis) for axis in range(3))
    shapes = []
    for result in results:
        if result.status == "found":
            red, green, blue = (part / 255 for part in style_of(result.prompt).color)
            mask = turn(result.whole_mask(image.array.shape))[box]
            shapes.append(_Shape(result.prompt.text, (red, green, blue), mask))
    x, y, z = spacing_mm(image.ijk_to_ras)[sources]
    return scan[box], shapes, (float(x), float(y), float(z))


def _used(mask: np.ndarray, axis: int) -> slice:
    """The part of an axis along which a mask is not empty; all of it where the mask is empty."""
    used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
    return slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(None)


def _centre_of(name: str, shapes: Sequence[_Shape], shape: tuple[int, ...]) -> tuple[int, int, int]:
    for candidate in shapes:
        if candidate.name == name:
            x, y, z = (round(float(np.median(places))) for places in np.nonzero(candidate.mask))
            return x, y, z
    x, y, z = (size // 2 for size in shape)
    return x, y, z


def _slice(
    axes: Axes, scan: np.ndarray, shapes: Sequence[_Shape], spacing: tuple[float, float, float], axis: int, at: int
) -> None:
    """One slice with the structures over it: patient right, or anterior, on the left."""
    across, up = (other for other in range(3) if other != axis)
    size_across, size_up = scan.shape[across] * spacing[across], scan.shape[up] * spacing[up]
    window = np.percentile(scan[scan > 0], (1, 99.5)) if (scan > 0).any() else (0, 1)

    def show(picture: np.ndarray, **how: Any) -> None:
        # R (and A) grow with the index, and belong on the left.
        turned = np.flip(np.moveaxis(picture, 0, 1), axis=1)
        axes.imshow(turned, origin="lower", extent=(0, size_across, 0, size_up), **how)

    show(scan.take(at, axis), cmap="gray", vmin=window[0], vmax=window[1], interpolation="bilinear")
    positions = [(np.arange(scan.shape[other]) + 0.5) * spacing[other] for other in (across, up)]
    for shape in shapes:
        part = shape.mask.take(at, axis)
        if not part.any():
            continue
        show(np.dstack([np.broadcast_to(shape.color, (*part.shape, 3)), 0.38 * part]))
        outline = np.flip(part.T.astype(float), axis=1)
        axes.contour(
            size_across - positions[0][::-1], positions[1], outline, [0.5], colors=[shape.color], linewidths=1.1
        )
    axes.set_facecolor("black")
    axes.set_xticks([])
    axes.set_yticks([])
    left, right = ("A", "P") if axis == 0 else ("R", "L")
    bottom, top = ("P", "A") if axis == 2 else ("I", "S")
    how: dict[str, Any] = {"transform": axes.transAxes, "color": "white", "fontsize": 15, "fontweight": "bold"}
    axes.text(0.02, 0.5, left, ha="left", va="center", **how)
    axes.text(0.98, 0.5, right, ha="right", va="center", **how)
    axes.text(0.5, 0.03, bottom, ha="center", va="bottom", **how)
    axes.text(0.5, 0.97, top, ha="center", va="top", **how)
    name = ("sagittal", "coronal", "axial")[axis]
    axes.text(0.02, 0.97, name, transform=axes.transAxes, color=_INK, fontsize=12, va="top")


def _space(axes: Any, shapes: Sequence[_Shape], hull: Sequence[_Shape], spacing: tuple[float, float, float]) -> None:
    """Surfaces, seen from the patient's front left and above.

    All triangles go into one collection: matplotlib sorts by depth within a collection only.
    """
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    pieces = [_surface(shape, spacing, 1.0, 1) for shape in shapes]
    pieces += [_surface(shape, spacing, _SHELL_OPACITY, 2) for shape in hull]
    triangles = np.concatenate([triangle for triangle, _ in pieces]) if pieces else np.zeros((0, 3, 3))
    axes.set_facecolor(_BACKGROUND)
    axes.set_axis_off()
    axes.set_proj_type("ortho")
    axes.view_init(elev=20, azim=125)
    if not len(triangles):
        return
    colors = np.concatenate([color for _, color in pieces])
    axes.add_collection3d(Poly3DCollection(triangles, facecolors=colors, edgecolors="none", antialiased=False))
    low, high = triangles.min((0, 1)), triangles.max((0, 1))
    for set_limits, start, end in zip((axes.set_xlim, axes.set_ylim, axes.set_zlim), low, high, strict=True):
        set_limits(start, end)
    axes.set_box_aspect(high - low, zoom=1.35)
    middle = (low + high) / 2
    for x, letter in ((low[0], "L"), (high[0], "R")):
        axes.text(x, middle[1], low[2], letter, color="white", fontsize=15, fontweight="bold", ha="center", va="center")


def _surface(
    shape: _Shape, spacing: tuple[float, float, float], opacity: float, step: int
) -> tuple[np.ndarray, np.ndarray]:
    """Triangles (N, 3 corners, 3) in millimetres and their shaded colours (N, 4)."""
    from scipy.ndimage import gaussian_filter
    from skimage.measure import marching_cubes

    smooth = gaussian_filter(np.pad(shape.mask, 3).astype(np.float32), [1.6 / side for side in spacing])
    if smooth.max() <= 0.5:  # too thin to survive the smoothing
        smooth = np.pad(shape.mask, 3).astype(np.float32)
    corners, faces, _, _ = marching_cubes(smooth, 0.5, spacing=spacing, step_size=step)
    triangles = corners[faces]
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    light = 0.45 + 0.55 * np.abs(normals @ _LIGHT)
    return triangles, np.column_stack([light[:, None] * np.array(shape.color), np.full(len(triangles), opacity)])


def _legend(axes: Axes, shapes: Sequence[_Shape]) -> None:
    from textwrap import fill

    from matplotlib.patches import Patch

    axes.set_axis_off()
    axes.legend(
        handles=[Patch(facecolor=shape.color, label=fill(shape.name, _LEGEND_WIDTH)) for shape in shapes],
        loc="center left",
        frameon=False,
        labelcolor=_INK,
        fontsize=12.5,
        handlelength=1.1,
        handleheight=1.1,
        labelspacing=0.55,
    )
