"""One picture for the Extensions Index: the running panel in a window laid out as Slicer's, with slices and surfaces.

    .venv/bin/python tools/screenshot_window.py --out Docs/images/panel-in-window.png

The panel is the real one in the test rig, in the middle of a run of the demonstration model on the head scan that comes
with it; the masks are those of the run before. The views beside it are drawn here, from the same scan and masks:
Slicer's own views need Slicer.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT / "tools"), str(PROJECT / "SATSegment"), str(PROJECT / "SATSegment" / "Testing")]

from rig.start import settingsFolder, start  # noqa: E402

start()

import qt  # noqa: E402
import slicer  # noqa: E402
import vtk  # noqa: E402
from gui.panel_rig import PanelInRig, addRealHead  # noqa: E402
from PySide6 import QtCore, QtGui, QtWidgets  # noqa: E402
from rig.hands import click, settle, waitFor  # noqa: E402
from rig.slicer_app import newScene  # noqa: E402
from screenshot import qt_scene  # noqa: E402

# Slicer's colours of its three slice views, and of the 3-D view's ground.
VIEWS = {"R": (0, "#f34a33"), "G": (1, "#6eb04b"), "Y": (2, "#edd54c")}
GROUND = "#9090d0"


def masks(node: Any, volume_node: Any) -> list[tuple[np.ndarray, tuple[int, ...]]]:
    """Each segment's mask on the scan's grid, KJI, with its colour."""
    from SATSegmentLib.mrml.example import exampleOf

    segmentation = node.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
    colours = [tuple(round(255 * c) for c in segmentation.GetSegment(one).GetColor()) for one in ids]
    return [(exampleOf(volume_node, node, one).mask, colour) for one, colour in zip(ids, colours, strict=True)]


def facing(volume_node: Any) -> tuple[tuple[int, int, int], tuple[slice, ...]]:
    """How a KJI array is turned to (superior, anterior, right), each axis beginning there: permutation and flips.

    So rows and columns are as radiologists see them: the front on top, the patient's right on the left.
    """
    matrix = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASMatrix(matrix)
    axes = np.array([[matrix.GetElement(world, index) for index in range(3)] for world in (2, 1, 0)])
    sources = np.abs(axes).argmax(1)
    flips = tuple(slice(None, None, -1 if axes[n, source] > 0 else 1) for n, source in enumerate(sources))
    i, j, k = (int(2 - source) for source in sources)
    return (i, j, k), flips


def shown(piece: np.ndarray, array: np.ndarray) -> np.ndarray:
    low, high = np.percentile(array, (1, 99.5))
    grey = np.clip((piece - low) / (high - low), 0, 1) * 255
    return np.repeat(grey[..., None], 3, 2)


def picture(rgb: np.ndarray, sizes: tuple[float, float], room: QtCore.QSize) -> QtGui.QPixmap:
    """An array (rows, columns, 3) with pixels of these sizes, as large as there is room."""
    rgb = np.ascontiguousarray(rgb.astype(np.uint8))
    rows, columns, _ = rgb.shape
    image = QtGui.QImage(rgb.data, columns, rows, 3 * columns, QtGui.QImage.Format_RGB888).copy()
    height, width = rows * sizes[0], columns * sizes[1]
    scale = min(room.width() / width, room.height() / height)
    size = QtCore.QSize(round(width * scale), round(height * scale))
    return QtGui.QPixmap.fromImage(image.scaled(size, QtCore.Qt.IgnoreAspectRatio, QtCore.Qt.SmoothTransformation))


def slice_picture(
    axis: int, array: np.ndarray, found: list[Any], spacing: np.ndarray, room: QtCore.QSize
) -> QtGui.QPixmap:
    """The slice through the middle of what was found, masks half transparent."""
    whole = np.any([mask for mask, _ in found], axis=0)
    index = int(np.mean(np.nonzero(whole)[axis]))
    rgb = shown(np.take(array, index, axis), array)
    for mask, colour in found:
        inside = np.take(mask, index, axis)
        rgb[inside] = 0.45 * rgb[inside] + 0.55 * np.array(colour)
    rest = [one for one in range(3) if one != axis]
    return picture(rgb, (spacing[rest[0]], spacing[rest[1]]), room)


def surfaces(found: list[Any], spacing: np.ndarray, room: QtCore.QSize) -> QtGui.QPixmap:
    """What was found, seen from the front, shaded by its depth."""
    ground = np.array(QtGui.QColor(GROUND).getRgb()[:3], float)
    whole = np.any([mask for mask, _ in found], axis=0)
    box = tuple(slice(max(int(p.min()) - 6, 0), int(p.max()) + 7) for p in np.nonzero(whole))
    depth = np.full((box[0].stop - box[0].start, box[2].stop - box[2].start), np.inf)
    rgb = np.ones((*depth.shape, 3)) * ground
    for mask, colour in found:
        part = mask[box]
        first = np.where(part.any(1), part.argmax(1).astype(float), np.inf)
        nearer = first < depth
        depth[nearer] = first[nearer]
        rgb[nearer] = colour
    solid = np.where(np.isfinite(depth), depth, depth[np.isfinite(depth)].max())
    down, right = np.gradient(solid)
    light = np.clip(1.05 - 0.12 * np.abs(right) - 0.12 * np.abs(down), 0.4, 1.1)
    inside = np.isfinite(depth)
    rgb[inside] = np.clip(rgb[inside] * light[inside][:, None], 0, 255)
    return picture(rgb, (spacing[0], spacing[2]), room)


def view(title: str, colour: str, pixmap: QtGui.QPixmap, ground: str) -> QtWidgets.QWidget:
    """A view with its bar of colour."""
    frame = QtWidgets.QWidget()
    column = QtWidgets.QVBoxLayout(frame)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    bar = QtWidgets.QLabel(f"  {title}")
    bar.setFixedHeight(20)
    bar.setStyleSheet(f"background: {colour}; color: black")
    area = QtWidgets.QLabel()
    area.setAlignment(QtCore.Qt.AlignCenter)
    area.setStyleSheet(f"background: {ground}")
    area.setPixmap(pixmap)
    column.addWidget(bar)
    column.addWidget(area, 1)
    return frame


def window(rig: PanelInRig, volume_node: Any, node: Any) -> QtWidgets.QMainWindow:
    """Modules on the left, four views on the right."""
    array = slicer.util.arrayFromVolume(volume_node)
    order, flips = facing(volume_node)
    spacing = np.array(volume_node.GetSpacing())[::-1][list(order)]
    array = array.transpose(order)[flips]
    found = [(mask.transpose(order)[flips], colour) for mask, colour in masks(node, volume_node)]
    main = QtWidgets.QMainWindow()
    main.setWindowTitle("3D Slicer")
    for name in ("File", "Edit", "View", "Help"):
        main.menuBar().addMenu(name)
    bar = main.addToolBar("Modules")
    bar.addWidget(QtWidgets.QLabel(" Modules: "))
    combo = QtWidgets.QComboBox()
    combo.addItem("SAT Segment")
    combo.setMinimumWidth(200)
    bar.addWidget(combo)
    room = QtCore.QSize(420, 360)
    grid = QtWidgets.QGridLayout()
    grid.setSpacing(2)
    places = {"R": (0, 0), "Y": (1, 1), "G": (1, 0)}
    for name, (axis, colour) in VIEWS.items():
        grid.addWidget(view(name, colour, slice_picture(axis, array, found, spacing, room), "black"), *places[name])
    grid.addWidget(view("1", "#8080c0", surfaces(found, spacing, QtCore.QSize(330, 300)), GROUND), 0, 1)
    views = QtWidgets.QWidget()
    views.setLayout(grid)
    row = QtWidgets.QHBoxLayout()
    panel = rig.moduleWidget.parent
    panel.setFixedWidth(430)
    row.addWidget(panel)
    row.addWidget(views, 1)
    middle = QtWidgets.QWidget()
    middle.setLayout(row)
    main.setCentralWidget(middle)
    main.resize(1340, 860)
    return main


def main() -> int:
    """Take the picture; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=PROJECT / "build" / "screenshots" / "panel-in-window.png")
    arguments = parser.parse_args()
    QtWidgets.QApplication.setStyle("Fusion")
    with tempfile.TemporaryDirectory() as scratch:
        settingsFolder(str(Path(scratch) / "settings"))
        os.environ["SATSEGMENT_MODELS"] = str(Path(scratch) / "models")
        qt.QSettings().setValue("SATSegment/model", "demo")
        newScene()
        volume_node = addRealHead(qt_scene())
        rig = PanelInRig()
        rig.ask("left putamen", "right putamen", "brainstem", "left hippocampus")
        click(rig.ui.runButton)
        rig.waitForEnd(600)
        node = rig.ui.outputSelector.currentNode()
        rig.panel.results.table.setCurrentCell(0, 0)
        whole = window(rig, volume_node, node)
        whole.show()
        rig.ask("right hippocampus")
        click(rig.ui.runButton)
        waitFor(lambda: rig.ui.progressBar.value > 100 or not rig.panel.run.running, 600)
        settle()
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        whole.grab().save(str(arguments.out))
        print(arguments.out)
        rig.panel.run.abandon()
        rig.cleanup()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
