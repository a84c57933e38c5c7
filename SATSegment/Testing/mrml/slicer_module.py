"""The module file, loaded by its path as Slicer does; by name, pytest would give the folder SATSegment."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import SATSegmentLib

PATH = Path(SATSegmentLib.__file__).parent.parent / "SATSegment.py"

_spec = importlib.util.spec_from_file_location("SATSegmentModule", PATH)
SATSegment = importlib.util.module_from_spec(_spec)
sys.modules["SATSegmentModule"] = SATSegment
_spec.loader.exec_module(SATSegment)
