"""What the panel keeps in the scene, so that a saved scene opens with it: scan, result, modality, structures."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import slicer

from SATSegmentLib.types import MODALITIES, Modality, Prompt

MODULE = "SATSegment"
INPUT, OUTPUT = "inputVolume", "outputSegmentation"
_MODALITY, _PROMPTS = "modality", "prompts"


class PanelState:
    """The module's parameter node, in the layout that Slicer's modules use.

    Parameters
    ----------
    scene : Any
        The node is found there, or made.
    """

    def __init__(self, scene: Any) -> None:
        node = scene.GetSingletonNode(MODULE, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.vtkMRMLScriptedModuleNode()
            node.SetSingletonTag(MODULE)
            node.SetName(MODULE)
            node.SetAttribute("ModuleName", MODULE)
            node.SetModuleName(MODULE)
            node = scene.AddNode(node)
        self.node = node

    def reference(self, role: str) -> Any:
        """The node of this role (`INPUT`, `OUTPUT`), or None."""
        return self.node.GetNodeReference(role)

    def setReference(self, role: str, node: Any) -> None:
        self.node.SetNodeReferenceID(role, node.GetID() if node is not None else None)

    @property
    def modality(self) -> Modality | None:
        """None where nobody has chosen yet."""
        said = self.node.GetParameter(_MODALITY)
        return next((one for one in MODALITIES if one == said), None)

    @modality.setter
    def modality(self, modality: Modality | None) -> None:
        self.node.SetParameter(_MODALITY, modality or "")

    @property
    def prompts(self) -> list[Prompt]:
        """What is asked for; a scene of another version may hold none that can be read."""
        try:
            return [Prompt(**one) for one in json.loads(self.node.GetParameter(_PROMPTS) or "[]")]
        except (ValueError, TypeError):
            return []

    @prompts.setter
    def prompts(self, prompts: Sequence[Prompt]) -> None:
        self.node.SetParameter(_PROMPTS, json.dumps([dataclasses.asdict(prompt) for prompt in prompts]))
