"""The training loop.

Everything random in a step follows from the numbers of its samples: the samples themselves, and dropout. So neither
the number of workers, nor an interruption, nor how the samples are shared out between processes and accumulated
batches changes what is learned.
"""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from SATSegmentLib.errors import OutOfMemory, OutputError
from SATSegmentLib.learning.sample import Samples
from SATSegmentLib.learning.segmentation.batches import Batch, batches
from SATSegmentLib.learning.segmentation.checkpoint import Position, read_checkpoint, write_checkpoint
from SATSegmentLib.learning.segmentation.errors import NonFiniteLoss, TrainingError
from SATSegmentLib.learning.segmentation.log import Log
from SATSegmentLib.learning.segmentation.optimizer import make_optimizer, set_learning_rate
from SATSegmentLib.learning.segmentation.queries import Queries
from SATSegmentLib.learning.segmentation.settings import FREE_TO_CHANGE, Precision, Settings
from SATSegmentLib.learning.segmentation.supervised import SupervisedNetwork
from SATSegmentLib.learning.segmentation.team import Team
from SATSegmentLib.learning.segmentation.validation import Scores, judge, summarise
from SATSegmentLib.sat.network import SATNetwork
from SATSegmentLib.scratch import held_folder
from SATSegmentLib.types import Progress

LAST_FILE = "last.pth"
BEST_FILE = "best.pth"


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes
    ----------
    step : int
        Optimizer steps taken, over all its runs.
    finished : bool
        False where it was stopped before its last step; it can be resumed.
    best_dice : float | None
        Highest validation Dice; None without validation.
    checkpoint : Path
        The best checkpoint where there was validation, else the last.
    """

    step: int
    finished: bool
    best_dice: float | None
    checkpoint: Path


def fit(
    network: SATNetwork,
    queries: Queries,
    samples: Samples,
    settings: Settings,
    folder: Path,
    validation: Samples | None = None,
    heads: Mapping[str, Tensor] | None = None,
    resume: bool = False,
    team: Team | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Train a network in place, from the state it is in.

    `folder` gets `last.pth` and, with validation, `best.pth` in the layout of released checkpoints, `log.jsonl`, and
    TensorBoard's files. Ctrl+C, SIGTERM or a closed terminal ends the step, saves, and returns; a second one interrupts
    at once.

        network = new_network(architecture, (48, 64, 48))
        outcome = fit(network, LabelQueries.free(labels, 192), samples, Settings(steps=1000), Path("run"))

    Parameters
    ----------
    network : SATNetwork
        Are trained in place.
    queries : Queries
        Are trained in place.
    samples : Samples
        Training windows; the run takes them by number, from 0.
    settings : Settings
        Length and pace.
    folder : Path
        Is made where it is missing.
    validation : Samples | None, optional
        Windows that are judged every `settings.validate_every` steps, always the same ones.
    heads : Mapping[str, Tensor] | None, optional
        Start values of the training's own heads (see `checkpoint.read_start`).
    resume : bool, optional
        Go on where the folder's last checkpoint stands; start anew where it has none.
    team : Team | None, optional
        The processes that train together.
    progress : Callable[[Progress], None] | None, optional
        Called after each step, in the leading process.

    Raises
    ------
    OutputError
        The folder holds a training and `resume` is False, another process trains into it, or a file cannot be
        written; the last checkpoint stays whole.
    NonFiniteLoss
        The loss or a gradient is not a number; names the records and the step.
    TrainingError
        A sample does not fit, or the checkpoint is of another training.
    """
    team = team or Team()
    folder = _prepare_folder(folder, resume)
    # A job that a cluster began anew may meet the one that it was begun for.
    with held_folder(folder) if team.is_main_process else contextlib.nullcontext():
        trainer = Trainer(network, queries, settings, folder, heads, team)
        if resume and (folder / LAST_FILE).exists():
            trainer.go_on()
        return trainer.run(samples, validation, progress or (lambda _: None))


class Trainer:
    """One process's share of a training. `fit` is the way to use it."""

    def __init__(
        self,
        network: SATNetwork,
        queries: Queries,
        settings: Settings,
        folder: Path,
        heads: Mapping[str, Tensor] | None,
        team: Team,
    ) -> None:
        self.settings, self.folder, self.team = settings, folder, team
        precision = choose_precision(settings.precision, team.device)
        with _seeded(settings.seed):  # heads without start values are random
            self.model = SupervisedNetwork(network, queries, settings, heads, precision).to(team.device)
        self.optimizer = make_optimizer(self.model, settings)
        self.scaler = torch.amp.GradScaler(team.device.type, enabled=precision == torch.float16)
        self._wrapped: nn.Module = self.model
        if team.size > 1:
            self._wrapped = DistributedDataParallel(self.model)
        self._trained = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        self.step = 0
        self.best: float | None = None

    @property
    def recipe(self) -> dict[str, Any]:
        """What must not change between a checkpoint and its continuation."""
        recipe = {k: v for k, v in dataclasses.asdict(self.settings).items() if k not in FREE_TO_CHANGE}
        return {**recipe, "samples_per_step": self.settings.batch_size * self.settings.accumulate * self.team.size}

    def go_on(self) -> None:
        """Take up the folder's last checkpoint."""
        position = read_checkpoint(self.folder / LAST_FILE, self.model, self.optimizer, self.scaler)
        changed = [name for name, value in self.recipe.items() if position.recipe.get(name) != value]
        if changed:
            raise TrainingError(
                f"The training in {self.folder.name} was started with other settings: "
                + ", ".join(f"{name} {position.recipe.get(name)}, not {self.recipe[name]}" for name in changed)
                + ".",
                "Resume with the settings it was started with, or train into another folder.",
            )
        self.step, self.best = position.step, position.best

    def run(self, samples: Samples, validation: Samples | None, progress: Callable[[Progress], None]) -> Outcome:
        """Take the remaining steps."""
        log = Log(self.folder, self.step) if self.team.is_main_process else None
        with _restored_random_state(), _stop_on_signal() as asked_to_stop, contextlib.ExitStack() as closing:
            if log is not None:
                closing.callback(log.close)
            stopped = self._steps(samples, validation, progress, log, asked_to_stop)
        best = self.folder / BEST_FILE
        path = best if self.best is not None and best.exists() else self.folder / LAST_FILE
        return Outcome(self.step, not stopped, self.best, path)

    def _steps(
        self,
        samples: Samples,
        validation: Samples | None,
        progress: Callable[[Progress], None],
        log: Log | None,
        asked_to_stop: Callable[[], bool],
    ) -> bool:
        """Train until the last step, or until asked to stop; returns whether that was so."""
        settings, first, start = self.settings, self.step, time.monotonic()
        self.model.train()
        source = iter(self._batches(samples))
        while self.step < settings.steps:
            entry = self._step([next(source) for _ in range(settings.accumulate)])
            self.step += 1
            last, stop = self.step == settings.steps, self.team.any(asked_to_stop())
            improved = False
            if validation is not None and (last or self.step % settings.validate_every == 0):
                scores = self._validate(validation)
                entry |= dataclasses.asdict(scores)
                improved = scores.validation_dice is not None and (
                    self.best is None or scores.validation_dice > self.best
                )
                self.best = scores.validation_dice if improved else self.best
            seconds = time.monotonic() - start
            if log is not None:
                log.write({**entry, "seconds": round(seconds, 3)})
                if last or stop or improved or self.step % settings.checkpoint_every == 0:
                    log.flush()  # what a checkpoint stands for is in the log
                    self._save(improved)
                left = seconds / (self.step - first) * (settings.steps - self.step)
                stage = f"step {self.step} of {settings.steps}, loss {entry['loss']:.4f}"
                progress(Progress(self.step / settings.steps, stage, left))
            if stop and not last:
                return True
        return False

    def _step(self, parts: list[Batch]) -> dict[str, Any]:
        """One optimizer step over accumulated batches; returns its log entry."""
        rate = set_learning_rate(self.optimizer, self.step, self.settings)
        self.optimizer.zero_grad()
        losses = []
        for place, batch in enumerate(parts):
            final = place == len(parts) - 1
            torch.manual_seed(self._dropout_seed(place))
            # Processes exchange gradients once per step, not once per batch.
            waiting = contextlib.nullcontext() if final else self._no_sync()
            with waiting, _told_when_out_of_memory():
                loss, finest = self._wrapped(batch.images, batch.masks, batch.prompts)
                losses.append(torch.stack((loss.detach(), finest)).mean(1))
                self._refuse_non_finite(loss.detach(), batch.sources)
                self.scaler.scale(loss.mean() / len(parts)).backward()
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self._trained, self.settings.max_grad_norm)
        if not self.scaler.is_enabled() and not norm.isfinite():
            sources = [source for batch in parts for source in batch.sources]
            raise _not_finite("gradient", self.step, sources)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        # With scaled gradients a step may be left out because they overflowed; JSON knows no infinity.
        known = norm.item() if norm.isfinite() else None
        loss, finest = self.team.mean(torch.stack(losses).mean(0)).tolist()
        return {"step": self.step, "loss": loss, "finest_loss": finest, "rate": rate, "grad_norm": known}

    def _no_sync(self) -> contextlib.AbstractContextManager[None]:
        wrapped = self._wrapped
        return wrapped.no_sync() if isinstance(wrapped, DistributedDataParallel) else contextlib.nullcontext()

    def _refuse_non_finite(self, losses: Tensor, sources: list[str]) -> None:
        bad = [source for source, fine in zip(sources, losses.isfinite().tolist(), strict=True) if not fine]
        if bad:
            raise _not_finite("loss", self.step, bad)

    def _batches(self, samples: Samples) -> Iterator[Batch]:
        """The batches of this process, from the present step to the last."""
        size, team = self.settings.batch_size, self.team
        firsts = (
            self._batch_number(step, place) * size
            for step in range(self.step, self.settings.steps)
            for place in range(self.settings.accumulate)
        )
        numbers = (range(first, first + size) for first in firsts)
        pinned = team.device.type == "cuda"
        for batch in batches(samples, numbers, self.model.network.window, self.settings.workers, pinned):
            yield batch.to(team.device)

    def _batch_number(self, step: int, place: int) -> int:
        """Batches are numbered over all steps, accumulated batches and processes."""
        return (step * self.settings.accumulate + place) * self.team.size + self.team.rank

    def _dropout_seed(self, place: int) -> int:
        return self.settings.seed * 1_000_003 + self._batch_number(self.step, place)

    def _validate(self, validation: Samples) -> Scores:
        size, team = self.settings.batch_size, self.team
        mine = range(team.rank, self.settings.validation_samples, team.size)
        numbers = [mine[start : start + size] for start in range(0, len(mine), size)]
        window = self.model.network.window
        found = judge(self.model, batches(validation, numbers, window, self.settings.workers), team.device)
        return summarise(one for part in team.gather(found) for one in part)

    def _save(self, best: bool) -> None:
        position = Position(self.step, self.best, self.recipe)
        names = (LAST_FILE, BEST_FILE) if best else (LAST_FILE,)
        for name in names:
            write_checkpoint(self.folder / name, self.model, self.optimizer, self.scaler, position)


def choose_precision(asked: Precision, device: torch.device) -> torch.dtype:
    """What the U-Net is trained in."""
    if asked != "auto":
        return getattr(torch, asked)
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def _prepare_folder(folder: Path, resume: bool) -> Path:
    folder = Path(folder).expanduser()
    if (folder / LAST_FILE).exists() and not resume:
        raise OutputError(f"{folder} already holds a training.", "Resume it, or choose another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made: {error.strerror}.", "Choose another one.") from error
    return folder


def _not_finite(what: str, step: int, sources: list[str]) -> NonFiniteLoss:
    return NonFiniteLoss(
        f"In step {step} the {what} is not a finite number any more; it came from {', '.join(sources)}.",
        "Look at that record; if it is sound, lower the learning rate or use another precision. "
        "The last checkpoint is from before this step.",
    )


@contextlib.contextmanager
def _told_when_out_of_memory() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            "The GPU has too little memory for a training step.",
            "Lower training.batch_size (and raise accumulate), data.recipe.max_prompts or the window.",
        ) from error


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with _restored_random_state():
        torch.manual_seed(seed)
        yield


@contextlib.contextmanager
def _restored_random_state() -> Iterator[None]:
    """The caller's random numbers go on afterwards as if there had been no training."""
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=gpus):
        yield


@contextlib.contextmanager
def _stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Answers whether Ctrl+C or SIGTERM came, or the terminal was closed; a second time is let through."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    known = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # What is ignored stays so: `nohup` and a script's background jobs are to go on.
    before = {number: signal.signal(number, ask) for number in known if signal.getsignal(number) != signal.SIG_IGN}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
