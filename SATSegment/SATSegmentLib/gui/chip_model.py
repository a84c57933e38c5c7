"""What a chip stands for, and what it becomes on the other side or in another modality. No widgets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from SATSegmentLib import anatomy
from SATSegmentLib.anatomy.personal.user_words import find_words, is_taught
from SATSegmentLib.types import Modality, Prompt

Side = Literal["left", "right", "both"]

_SIDE = re.compile(r"\b(left|right)\b")
_NEXT: dict[Side, Side] = {"left": "right", "right": "both", "both": "left"}


@dataclass(frozen=True)
class Chip:
    """One or more structures that were asked for together.

    Attributes
    ----------
    name : str
        What the chip says.
    prompts : tuple[Prompt, ...]
        What it stands for; each in the modality that is chosen, or, where SAT was not trained on it there, in the
        one it was asked for.
    """

    name: str
    prompts: tuple[Prompt, ...]

    @property
    def isFreeText(self) -> bool:
        return any(not prompt.trained and not is_taught(prompt) for prompt in self.prompts)

    @property
    def isTaught(self) -> bool:
        return any(is_taught(prompt) for prompt in self.prompts)

    @property
    def side(self) -> Side | None:
        """Which side a sided chip is on; None for what has no sides, or is several structures."""
        variants = sides(self.prompts)
        return next((side for side, prompts in variants.items() if set(prompts) == set(self.prompts)), None)

    def toggled(self) -> Chip:
        """Left becomes right becomes both becomes left; a chip without sides stays as it is."""
        side = self.side
        return self if side is None else self.on(_NEXT[side])

    def on(self, side: Side) -> Chip:
        """The same structure on another side.

        Raises
        ------
        KeyError
            It has no such side.
        """
        prompts = sides(self.prompts)[side]
        name = prompts[0].text
        return Chip(_SIDE.sub("left and right", name, count=1) if side == "both" else name, prompts)

    def without(self, prompt: Prompt) -> Chip:
        """The chip with one structure less."""
        return Chip(self.name, tuple(kept for kept in self.prompts if kept != prompt))

    def inModality(self, modality: Modality) -> Chip:
        """The same structures asked for in another modality, as far as SAT was trained on them there."""
        return Chip(self.name, tuple(_inModality(prompt, modality) for prompt in self.prompts))

    def fits(self, modality: Modality) -> tuple[Prompt, ...]:
        """The prompts that can be run in this modality."""
        return tuple(prompt for prompt in self.prompts if prompt.modality == modality)


def sides(prompts: tuple[Prompt, ...]) -> dict[Side, tuple[Prompt, ...]]:
    """Left, right and both of a structure that has sides; empty for all else."""
    if not 1 <= len(prompts) <= 2 or not all(prompt.trained for prompt in prompts):
        return {}
    texts = {side: _SIDE.sub(side, prompts[0].text, count=1) for side in ("left", "right")}
    if texts["left"] == texts["right"] or not {prompt.text for prompt in prompts} <= set(texts.values()):
        return {}
    labels = {side: anatomy.find_label(prompts[0].modality, text) for side, text in texts.items()}
    left, right = labels["left"], labels["right"]
    if left is None or right is None:
        return {}
    return {"left": (left.prompt(),), "right": (right.prompt(),), "both": (left.prompt(), right.prompt())}


def _inModality(prompt: Prompt, modality: Modality) -> Prompt:
    if is_taught(prompt):
        # A word is taught in one modality; another word of that name may be there for the other.
        others = find_words(prompt.text, modality)
        return others[0].record.prompt() if others else prompt
    if not prompt.trained:
        return Prompt(prompt.text, modality, trained=False)
    label = anatomy.find_label(modality, prompt.text)
    return prompt if label is None else label.prompt()
