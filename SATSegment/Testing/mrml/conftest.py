"""A scene of Slicer's own nodes, from the package slicer-core."""

from __future__ import annotations

import pytest
import slicer


@pytest.fixture
def scene() -> object:
    scene = slicer.vtkMRMLScene()
    yield scene
    scene.Clear(1)
