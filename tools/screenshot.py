"""Photographs of the panel in its states, through the test rig: `make screenshot`, or

    .venv/bin/python tools/screenshot.py --out build/screenshots

Every state is reached as a user reaches it, with the real widgets, the real worker, the embedded demonstration
model and the head scan that comes with it. Only the error is put there, because no memory runs out here.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT / "SATSegment"), str(PROJECT / "SATSegment" / "Testing")]

from rig.start import settingsFolder, start  # noqa: E402

start()

import qt  # noqa: E402
from gui.panel_rig import PanelInRig, addRealHead  # noqa: E402
from models.hub_server import Hub  # noqa: E402
from PySide6 import QtGui, QtWidgets  # noqa: E402
from rig.hands import click, settle, typeText, waitFor  # noqa: E402
from rig.slicer_app import newScene  # noqa: E402

from SATSegmentLib.errors import OutOfMemory  # noqa: E402
from SATSegmentLib.models.catalog import catalog  # noqa: E402

WIDTHS = {"narrow": 340, "normal": 400, "wide": 620}


def empty(rig: PanelInRig) -> None:
    """As it opens."""


def typing(rig: PanelInRig) -> None:
    line = rig.panel.promptBox.lineEdit
    line.setFocus()
    typeText(line, "lt put")


def chips(rig: PanelInRig) -> None:
    rig.ask("left putamen", "right putamen", "brainstem")


def running(rig: PanelInRig) -> None:
    rig.ask("left putamen", "right putamen", "brainstem")
    click(rig.ui.runButton)
    waitFor(lambda: rig.ui.progressBar.value > 150 or not rig.panel.run.running, 600)
    assert rig.panel.run.running, rig.ui.errorLabel.text


def done(rig: PanelInRig) -> None:
    rig.ask("left putamen", "right putamen", "brainstem")
    click(rig.ui.runButton)
    rig.waitForEnd(600)
    assert rig.panel.results.rows, rig.ui.errorLabel.text
    rig.panel.results.table.setCurrentCell(0, 0)


def nothing_found(rig: PanelInRig) -> None:
    """The threshold so high that nothing is left."""
    rig.ask("brainstem")
    click(rig.ui.runButton)
    rig.waitForEnd(600)
    rig.panel.results.table.setCurrentCell(0, 0)
    rig.panel.run.run(
        lambda **callbacks: rig.panel._segment(
            rig.ui.inputSelector.currentNode(), rig.panel.promptBox.prompts(), "mri", 0.9999999, **callbacks
        )
    )
    rig.waitForEnd(600)


def error(rig: PanelInRig) -> None:
    rig.ask("left putamen")
    rig.panel.run.showError(
        OutOfMemory(
            "The GPU (cuda:0) ran out of memory. Nothing was lost.",
            "Close other programs, use SAT-Nano instead of SAT-Pro, or segment on the CPU.",
            device="cuda:0",
        )
    )


def settings(rig: PanelInRig) -> None:
    rig.ui.settingsCollapsibleButton.collapsed = False
    # A folder of this machine belongs into no picture.
    rig.ui.weightsFolderEdit.blockSignals(True)
    rig.ui.weightsFolderEdit.setCurrentPath("SATSegment/models")


def setup_needed(rig: PanelInRig) -> None:
    choose(rig, "sat-pro")


def downloading(rig: PanelInRig) -> None:
    choose(rig, "sat-nano")
    rig.panel.setup.consentBox.click()
    click(rig.ui.setupButton)
    waitFor(lambda: "/s" in rig.ui.setupLabel.text, 60)


STATES: tuple[Callable[[PanelInRig], None], ...] = (
    empty,
    typing,
    chips,
    running,
    done,
    nothing_found,
    error,
    settings,
    setup_needed,
    downloading,
)


def choose(rig: PanelInRig, model: str) -> None:
    rig.ui.modelComboBox.setCurrentIndex(rig.ui.modelComboBox.findData(model))
    settle()


def qt_scene() -> object:
    import slicer

    return slicer.mrmlScene


def dark_palette() -> QtGui.QPalette:
    """Slicer's dark style is Qt's Fusion with such colours."""
    palette = QtGui.QPalette()
    role = QtGui.QPalette
    for name, colour in (
        (role.Window, "#353535"),
        (role.WindowText, "#ffffff"),
        (role.Base, "#232323"),
        (role.AlternateBase, "#353535"),
        (role.Text, "#ffffff"),
        (role.Button, "#353535"),
        (role.ButtonText, "#ffffff"),
        (role.ToolTipBase, "#353535"),
        (role.ToolTipText, "#ffffff"),
        (role.Highlight, "#2a82da"),
        (role.HighlightedText, "#ffffff"),
        (role.Link, "#5aa9f0"),
        (role.PlaceholderText, "#8f8f8f"),
    ):
        palette.setColor(name, QtGui.QColor(colour))
    for name in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(role.Disabled, name, QtGui.QColor("#7f7f7f"))
    return palette


@contextmanager
def server() -> Iterator[None]:
    """A slow hub of our own, so that nothing is fetched from anybody."""
    nano = next(entry for entry in catalog() if entry.name == "sat-nano")
    files = {f"{nano.repository}/{nano.network}": bytes(40_000_000), f"{nano.tokenizer}/config.json": b"{}"}
    hub = Hub({**files, f"{nano.repository}/{nano.text_encoder}": bytes(10_000_000)})
    hub.bytes_per_second = 2e6
    os.environ["HF_ENDPOINT"] = hub.address
    try:
        yield
    finally:
        hub.close()


def photograph(state: Callable[[PanelInRig], None], theme: str, width: str, out: Path) -> Path:
    """One picture; returns its path."""
    newScene()
    qt.QSettings().setValue("SATSegment/model", "demo")
    addRealHead(qt_scene())
    rig = PanelInRig()
    try:
        parent = rig.moduleWidget.parent
        parent.resize(WIDTHS[width], 760)
        settle()
        state(rig)
        settle()
        picture = parent.grab()
        popup = QtWidgets.QApplication.activePopupWidget() or next(
            (one for one in QtWidgets.QApplication.topLevelWidgets() if one.visible and one is not parent), None
        )
        if popup is not None:
            painter = QtGui.QPainter(picture)
            painter.drawPixmap(parent.mapFromGlobal(popup.mapToGlobal(popup.rect.topLeft())), popup.grab())
            painter.end()
        path = out / f"{state.__name__.replace('_', '-')}-{theme}{'' if width == 'normal' else '-' + width}.png"
        picture.save(str(path))
        return path
    finally:
        rig.panel.promptBox.popup.hide()
        rig.panel.run.abandon()
        rig.cleanup()


def main() -> int:
    """Take all pictures; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=PROJECT / "build" / "screenshots")
    parser.add_argument("--only", help="only this state")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    application = QtWidgets.QApplication.instance()
    QtWidgets.QApplication.setStyle("Fusion")
    light = QtGui.QPalette(application.palette())
    with tempfile.TemporaryDirectory() as scratch, server():
        settingsFolder(str(Path(scratch) / "settings"))
        os.environ["SATSEGMENT_MODELS"] = str(Path(scratch) / "models")
        shots = [(state, theme, "normal") for theme in ("light", "dark") for state in STATES]
        shots += [(state, "light", width) for state in (chips, done) for width in ("narrow", "wide")]
        for state, theme, width in shots:
            if arguments.only in (None, state.__name__):
                QtWidgets.QApplication.setPalette(dark_palette() if theme == "dark" else light)
                print(photograph(state, theme, width, arguments.out).name, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
