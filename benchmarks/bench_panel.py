"""What a user of the panel waits for, as ratios to what cannot be avoided, in one run.

    python benchmarks/bench_panel.py [--only first]

* from the click on Segment to the first mask in the scene, of the demonstration head in a panel that was open for 20 s,
  to the network's own time for it (image encoder and prompts, as the segmentation process reports them); the same where
  the click comes at once, with what is said meanwhile;
* a key in the prompt line until its list is painted, to the search alone;
* writing 100 overlapping segments of a body scan, to writing one of them 100 times;
* the longest pause of the event loop during a run, to the longest one while nothing happens.

Runs in the test rig, so it needs PySide6 and slicer-core (requirements/dev.txt). Other programs lengthen the times; the
ratios say more. Nothing here is asserted: `make test` asserts counts, order and processor work instead.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1] / "SATSegment"
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

TEXTS = ("left kidney", "rt adren", "vertebra l3", "hippocampus", "pulmonary vein")
SEGMENTS = 100
IDLE_SECONDS = 3.0
OPEN_SECONDS = 20.0


def main() -> None:
    from rig.start import settingsFolder, start

    start()
    only = argparse.ArgumentParser()
    only.add_argument("--only", choices=("first",))
    with tempfile.TemporaryDirectory(prefix="bench-panel-") as folder:
        settingsFolder(str(Path(folder) / "settings"))
        for name, seconds in (("open for 20 s", OPEN_SECONDS), ("just opened", 0.0)):
            (Path(folder) / name).mkdir()
            first, network, stages = _first_mask(Path(folder) / name, seconds)
            _report(f"click to first mask, panel {name}", "the network's own time", first, network, 1.0, "s")
            print(f"    said meanwhile: {', '.join(stages)}")
        if only.parse_args().only:
            return
        _report("key to painted list", "search alone", *_keys(), 1e3, "ms")
        _report(f"{SEGMENTS} segments", f"{SEGMENTS} times one segment", *_segments(), 1.0, "s")
        _report("longest pause in a run", "longest pause at rest", *_pauses(Path(folder)), 1e3, "ms")


def _report(what: str, beside: str, value: float, base: float, scale: float, unit: str) -> None:
    print(f"{what}: {value * scale:.1f} {unit}; {beside}: {base * scale:.1f} {unit}; ratio {value / base:.2f}")


def _first_mask(folder: Path, open_seconds: float) -> tuple[float, float, list[str]]:
    """Seconds to the first mask, seconds of the network, and what the panel said until then."""
    import pytest
    import slicer
    from gui.panel_rig import addRealHead, panelWithDemoModel
    from rig.hands import waitFor
    from rig.slicer_app import newScene

    addRealHead(newScene())
    answers, stages = [], []
    with pytest.MonkeyPatch.context() as patch, panelWithDemoModel(folder, patch) as rig:
        until = time.monotonic() + open_seconds
        rig.ask("cerebellum", "lateral ventricle", "white matter")
        waitFor(lambda: time.monotonic() > until, 10 * OPEN_SECONDS)
        engine = rig.module.sharedEngine()
        segment = engine.segment
        patch.setattr(engine, "segment", lambda *asked: answers.append(segment(*asked)) or answers[-1])
        rig.panel.run.progressed.connect(lambda progress: stages.append(progress.stage.split(" ·")[0]))
        began = time.perf_counter()
        rig.ui.runButton.click()
        waitFor(lambda: _has_segment(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")), 600)
        first = time.perf_counter() - began
        said = list(dict.fromkeys(stages))
        rig.waitForEnd(600)
    network = answers[0].encode_seconds + sum(one.seconds for one in answers[0].results)
    return first, network, said


def _has_segment(nodes: Any) -> bool:
    return any(node.GetSegmentation().GetNumberOfSegments() for node in nodes)


def _keys() -> tuple[float, float]:
    """Medians over all letters, in seconds."""
    import qt
    from rig import hands

    from SATSegmentLib.gui import search_tables
    from SATSegmentLib.gui.popup_rows import find
    from SATSegmentLib.gui.prompt_box import PromptBox

    search_tables.read("ct")
    window = qt.QWidget()
    box = PromptBox(window, "ct")
    window.show()
    painted, searched = [], []
    for text in TEXTS:
        for end in range(1, len(text) + 1):
            painted.append(_seconds(lambda letter=text[end - 1]: _type_and_paint(hands, box, letter)))
            searched.append(_seconds(lambda beginning=text[:end]: find(beginning, "ct")))
        box.lineEdit.clear()
        box.popup.hide()
    box.cleanup()
    window.deleteLater()
    return statistics.median(painted), statistics.median(searched)


def _type_and_paint(hands: Any, box: Any, letter: str) -> None:
    hands.typeText(box.lineEdit, letter)
    if box.popup.visible:
        box.popup.view.repaint()


def _segments() -> tuple[float, float]:
    import numpy as np
    from mrml.mrml_phantom import addVolume, grid
    from mrml.test_segmentations import ball
    from rig.slicer_app import newScene

    from SATSegmentLib.mrml.segmentations import createSegmentation, writeResults

    scene = newScene()
    shape, random = (300, 512, 512), np.random.default_rng(0)
    results = [ball(number, shape, random) for number in range(SEGMENTS)]
    volume_node = addVolume(scene, np.zeros(shape, np.int16), grid("oblique"))
    whole = _seconds(lambda: writeResults(createSegmentation(volume_node), volume_node, results))
    one = _seconds(lambda: [writeResults(createSegmentation(volume_node), volume_node, [each]) for each in results])
    scene.Clear(1)
    return whole, one


def _pauses(folder: Path) -> tuple[float, float]:
    import pytest
    from gui.panel_rig import Heart, addRealHead, panelWithDemoModel
    from rig.hands import waitFor
    from rig.slicer_app import newScene

    addRealHead(newScene())
    with pytest.MonkeyPatch.context() as patch, panelWithDemoModel(folder, patch) as rig:
        rig.ask("cerebellum", "lateral ventricle", "white matter")
        rest, until = Heart(), time.monotonic() + IDLE_SECONDS
        waitFor(lambda: time.monotonic() > until, 10 * IDLE_SECONDS)
        rest.stop()
        run = Heart()
        rig.ui.runButton.click()
        rig.waitForEnd(600)
        run.stop()
    return run.longestPause, rest.longestPause


def _seconds(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
