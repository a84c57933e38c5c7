"""The pretraining run: steps, checkpoints, log. Stopped and continued, it gives the same weights."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from SATSegmentLib.errors import Cancelled, CheckpointError, SATSegmentError
from SATSegmentLib.learning.knowledge.contrast import Temperature
from SATSegmentLib.learning.knowledge.encoder import CHECKPOINT_FILE, LearningEncoder
from SATSegmentLib.learning.knowledge.objective import Objective
from SATSegmentLib.learning.knowledge.recipe import KnowledgeRecipe
from SATSegmentLib.learning.saving import save_atomically
from SATSegmentLib.learning.schedule import warmed_cosine
from SATSegmentLib.scratch import held_folder
from SATSegmentLib.types import Progress

STATE_FILE = "pretraining.pt"
LOG_FILE = "log.jsonl"

# Beyond this a step is a jump, not a step.
_GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Outcome:
    """What a run left behind.

    Attributes
    ----------
    checkpoint : Path
        Text checkpoint in the released layout.
    step : int
        Steps that were made in all.
    loss : float
        Of the last step.
    """

    checkpoint: Path
    step: int
    loss: float


class Pretraining:
    """A run in a folder: `pretraining.pt` (to continue from), `log.jsonl`, and at the end `text_encoder.pth`.

    Parameters
    ----------
    encoder : LearningEncoder
        What learns.
    objective : Objective
        What from: `objective.TextObjective`, or `regions.RegionObjective`.
    recipe : KnowledgeRecipe
        How.
    out : Path
        Folder of the run; a run that is there is continued.
    """

    def __init__(self, encoder: LearningEncoder, objective: Objective, recipe: KnowledgeRecipe, out: Path) -> None:
        self.encoder, self.objective, self.recipe, self.out = encoder, objective, recipe, Path(out).expanduser()
        self.temperature = Temperature(recipe.temperature).to(encoder.device)
        objective.beside.to(encoder.device)
        encoder.train_upper_layers(recipe.trained_layers)
        self.optimizer = _optimizer(encoder, objective, self.temperature, recipe)
        self.step = 0
        self.loss = math.nan

    def run(
        self,
        progress: Callable[[Progress], None] | None = None,
        cancel: Callable[[], bool] | None = None,
    ) -> Outcome:
        """Train to the recipe's end, from where the folder's checkpoint stands.

        Raises
        ------
        Cancelled
            `cancel` said so; the steps so far are kept.
        SATSegmentError
            The loss is no number any more; the last good checkpoint stays.
        CheckpointError
            The folder's run has another recipe or another language model.
        OutputError
            The folder cannot be written, or another process trains into it; the last good checkpoint stays.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        with held_folder(self.out):
            return self._run(progress, cancel)

    def _run(self, progress: Callable[[Progress], None] | None, cancel: Callable[[], bool] | None) -> Outcome:
        self._resume()
        started, first = time.monotonic(), self.step
        with (self.out / LOG_FILE).open("a", encoding="utf-8") as log:
            while self.step < self.recipe.steps:
                if cancel is not None and cancel():
                    self._save()
                    raise Cancelled
                self._one_step()
                log.write(json.dumps(self._line()) + "\n")
                if self.step % self.recipe.save_every == 0:
                    log.flush()
                    self._save()
                if progress is not None:
                    left = (time.monotonic() - started) / (self.step - first) * (self.recipe.steps - self.step)
                    stage = f"step {self.step} of {self.recipe.steps}, loss {self.loss:.2f}"
                    progress(Progress(self.step / self.recipe.steps, stage, left))
        self._save()
        self.encoder.module.eval()
        self.encoder.write_language_files(self.out)
        return Outcome(self.encoder.write(self.out / CHECKPOINT_FILE, self.step), self.step, self.loss)

    def _one_step(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = group["lr_multiplier"] * rate(self.step, self.recipe)
        # Dropout is drawn from the step's own seed, so that a continued run drops what it would have dropped.
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.step)
        self.encoder.module.train()
        self.objective.beside.train()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.objective.loss(self.encoder, self.step, self.temperature())
        if not loss.isfinite():
            raise SATSegmentError(
                f"The loss is not a finite number at step {self.step + 1}, from {self.objective.shown(self.step)}.",
                "Lower the learning rate, and continue from the last checkpoint, which was kept.",
            )
        loss.backward()
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, _GRADIENT_NORM)
        self.optimizer.step()
        self.step += 1
        self.loss = loss.item()

    def _line(self) -> dict[str, float]:
        scale = self.temperature().item()
        return {"step": self.step, "loss": self.loss, "temperature": 1 / scale, "rate": rate(self.step, self.recipe)}

    def _save(self) -> None:
        state = {
            "recipe": dataclasses.asdict(self.recipe),
            "step": self.step,
            "loss": self.loss,
            "module": self.encoder.module.state_dict(),
            "temperature": self.temperature.state_dict(),
            "beside": self.objective.beside.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        save_atomically(state, self.out / STATE_FILE)

    def _resume(self) -> None:
        path = self.out / STATE_FILE
        if not path.is_file():
            return
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            if state["recipe"] != dataclasses.asdict(self.recipe):
                raise CheckpointError(
                    f"The run in {self.out.name} was started with another recipe.",
                    "Continue it with the same settings, or choose another folder.",
                )
            self.encoder.module.load_state_dict(state["module"])
            self.temperature.load_state_dict(state["temperature"])
            self.objective.beside.load_state_dict(state["beside"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.loss = int(state["step"]), float(state["loss"])
        except (RuntimeError, KeyError, ValueError, EOFError, OSError) as error:
            raise CheckpointError(
                f"The run in {self.out.name} is damaged, or was started with another language model.",
                "Choose another folder.",
            ) from error
        _cut_log(self.out / LOG_FILE, self.step)


def rate(step: int, recipe: KnowledgeRecipe) -> float:
    """Learning rate of a step: linear warm-up, then a cosine to zero."""
    return warmed_cosine(step, recipe.steps, recipe.warmup_steps, recipe.learning_rate)


def _optimizer(
    encoder: LearningEncoder, objective: Objective, temperature: Temperature, recipe: KnowledgeRecipe
) -> torch.optim.AdamW:
    language = [p for p in encoder.module.transformer.parameters() if p.requires_grad]
    head = list(encoder.module.head["projection_layer"].parameters())
    beside = list(objective.beside.parameters())
    if beside:
        # Only images tell one modality from another.
        beside += encoder.module.head["modality_embed"].parameters()
    groups = [
        {"params": language, "lr_multiplier": 1.0, "weight_decay": recipe.weight_decay},
        {"params": head, "lr_multiplier": recipe.head_rate, "weight_decay": recipe.weight_decay},
        {"params": beside, "lr_multiplier": recipe.head_rate, "weight_decay": recipe.weight_decay},
        {"params": list(temperature.parameters()), "lr_multiplier": recipe.head_rate, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=recipe.learning_rate)


def _cut_log(path: Path, step: int) -> None:
    """Forget the lines of steps that are made anew."""
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()[:step]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
