"""From a configuration to a model folder: new networks, and fine-tuned ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

from SATSegmentLib.learning.data import NO_AUGMENTATION, CaseCache, PatchDataset, Record, read_records, split
from SATSegmentLib.learning.data.case_files import StoredCase
from SATSegmentLib.learning.data.merging import built_in_rules
from SATSegmentLib.learning.sample import TrainingPrompt
from SATSegmentLib.learning.segmentation.checkpoint import Start, read_start
from SATSegmentLib.learning.segmentation.config import Config, DataConfig, QueriesConfig
from SATSegmentLib.learning.segmentation.errors import ConfigError
from SATSegmentLib.learning.segmentation.export import export_model
from SATSegmentLib.learning.segmentation.initial import new_network
from SATSegmentLib.learning.segmentation.queries import LabelQueries, Queries, TextQueries
from SATSegmentLib.learning.segmentation.team import Team
from SATSegmentLib.learning.segmentation.trainer import Outcome, fit
from SATSegmentLib.models.catalog import find_model
from SATSegmentLib.models.folder import BANK_FILE, NETWORK_FILE, TEXT_FOLDER, ModelDescription, read_description
from SATSegmentLib.sat.backbone import Spec, Triple
from SATSegmentLib.sat.backbones.registry import NAMED_SPECS
from SATSegmentLib.sat.checkpoint.released import build_network
from SATSegmentLib.sat.network import SATNetwork
from SATSegmentLib.sat.text.bank import EmbeddingBank, Label
from SATSegmentLib.sat.text.folder import ENCODER_FILE
from SATSegmentLib.types import RELEASED_SPACING, RELEASED_WINDOW, Orientation, Progress

MODEL_FOLDER = "model"

Cases = Sequence[tuple[Record, StoredCase]]
# Opens a progress bar with a title; `cli.progress.progress_bar` is one.
Bar = Callable[[str], AbstractContextManager[Callable[[Progress], None]]]


@dataclass(frozen=True, eq=False)
class Origin:
    """What a fine-tuning starts from.

    Attributes
    ----------
    start : Start
        The network and its training heads.
    folder : Path | None
        The model folder it was in; None for a checkpoint file.
    description : ModelDescription | None
        Of that folder.
    """

    start: Start
    folder: Path | None
    description: ModelDescription | None


def train(config: Config, out: Path, resume: bool, team: Team, bar: Bar) -> Outcome:
    """Train a new network and write `out/model`.

    Raises
    ------
    SATSegmentError
        One of its kinds; see `trainer.fit` and `learning.data`.
    """
    architecture = _architecture(config)
    window = _checked_window(config.window or RELEASED_WINDOW, architecture)
    network = new_network(architecture, window, config.training.seed)
    return _train(config, network, None, out, resume, team, bar)


def read_origin(path: Path) -> Origin:
    """Read a model folder, an installed model by its name, or a checkpoint file to fine-tune.

    Raises
    ------
    CheckpointError, ModelNotFound
        It is not there, or not what it should be.
    """
    path = Path(path).expanduser()
    if not path.exists() and not path.suffix:
        path = find_model(path)
    if path.is_dir():
        description = read_description(path)
        return Origin(read_start(path / NETWORK_FILE), path, description)
    return Origin(read_start(path), None, None)


def finetune(config: Config, origin: Origin, out: Path, resume: bool, team: Team, bar: Bar) -> Outcome:
    """Train a network further and write `out/model`; the origin is only read.

    Raises
    ------
    SATSegmentError
        As for `train`.
    """
    if config.architecture is not None:
        raise ConfigError("architecture cannot be chosen: a fine-tuned network keeps its own.", "Remove the key.")
    weights = origin.start.weights
    window = config.window or (origin.description.window if origin.description else RELEASED_WINDOW)
    network = build_network(weights, _checked_window(window, weights.architecture))
    return _train(config, network, origin, out, resume, team, bar)


def _train(
    config: Config,
    network: SATNetwork,
    origin: Origin | None,
    out: Path,
    resume: bool,
    team: Team,
    bar: Bar,
) -> Outcome:
    described = origin.description if origin else None
    spacing = config.spacing or (described.spacing if described else RELEASED_SPACING)
    records, validation_records = _records(config.data, config.training.seed)
    cases = _cases(config.data, records, spacing, out, team, bar)
    labels = _labels(cases)
    validation_cases = _cases(config.data, validation_records, spacing, out, team, bar) if validation_records else ()
    query_dim = network.architecture.query_dim
    queries = _queries(config.queries, origin, (*labels, *_labels(validation_cases)), query_dim, config.training.seed)
    recipe = dataclasses.replace(config.data.recipe, window=network.window)
    samples = PatchDataset(cases, recipe, config.training.seed)
    validation = None
    if validation_cases:
        plain = dataclasses.replace(recipe, augmentation=NO_AUGMENTATION, dataset_weights={})
        # Other numbers than the training draws, for the case that someone validates on the same scans.
        validation = PatchDataset(validation_cases, plain, config.training.seed + 1)
    heads = origin.start.heads if origin else None
    with bar("Training") as progress:
        outcome = fit(network, queries, samples, config.training, out, validation, heads, resume, team, progress)
    if outcome.finished and team.is_main_process:
        description = ModelDescription(config.name, network.window, spacing, _orientations(cases))
        export_model(outcome.checkpoint, queries, out / MODEL_FOLDER, description, labels)
    return outcome


def _architecture(config: Config) -> Spec:
    chosen = config.architecture or "nano"
    return NAMED_SPECS[chosen] if isinstance(chosen, str) else chosen


def _checked_window(window: Triple, architecture: Spec) -> Triple:
    step = architecture.downsampling
    if any(side < unit or side % unit for side, unit in zip(window, step, strict=True)):
        raise ConfigError(f"This network cannot have a window of {window}.", f"Its sides must be multiples of {step}.")
    if tuple(window) == tuple(step):
        raise ConfigError(
            f"A window of {window} is too small to train with: its coarsest map is a single voxel.",
            f"Double a side at least; each must be a multiple of {step}.",
        )
    return window


def _records(data: DataConfig, seed: int) -> tuple[Sequence[Record], Sequence[Record]]:
    """Records to train and to validate on; a held-out share is divided by patient."""
    records = read_records(data.train, skip_bad=data.skip_bad).records
    if data.validation:
        return records, read_records(data.validation, skip_bad=data.skip_bad).records
    if not data.validation_share:
        return records, ()
    parts = split(records, {"train": 1 - data.validation_share, "validation": data.validation_share}, seed)
    return parts["train"], parts["validation"]


def _cases(
    data: DataConfig, records: Sequence[Record], spacing: tuple[float, float, float], out: Path, team: Team, bar: Bar
) -> Cases:
    rules = built_in_rules if data.derive_labels else lambda _: ()
    cache = CaseCache(data.cache or out.with_name(f"{out.name}-cache"), spacing, rules)
    if not team.is_main_process:
        team.gather(None)  # waits until the leader has made everything
    with bar("Preparing scans") as progress:
        cases = cache.prepare(records, skip_bad=data.skip_bad, progress=progress).cases
    if team.is_main_process:
        team.gather(None)
    return cases


def _labels(cases: Cases) -> tuple[Label, ...]:
    return tuple(sorted({(label.label, record.modality) for record, case in cases for label in case.labels}))


def _orientations(cases: Cases) -> tuple[Orientation, ...]:
    return tuple(sorted({case.orientation for _, case in cases}))


def _queries(
    config: QueriesConfig, origin: Origin | None, labels: Sequence[Label], query_dim: int, seed: int
) -> Queries:
    """Queries for all these labels; a label that there can be none for is told now, not in the thousandth step."""
    folder = origin.folder if origin else None
    bank = folder / BANK_FILE if folder else None
    queries: Queries
    if config.text_encoder is not None and config.language_model is not None:
        queries = TextQueries.load(config.text_encoder, config.language_model, config.train_modality)
    elif config.free:
        queries = _free(labels, query_dim, seed, EmbeddingBank.load(bank) if bank and bank.is_file() else None)
    elif folder is not None and (folder / TEXT_FOLDER / ENCODER_FILE).is_file():
        text = folder / TEXT_FOLDER
        queries = TextQueries.load(text / ENCODER_FILE, text, config.train_modality)
    elif bank is not None and bank.is_file():
        queries = LabelQueries.of_bank(EmbeddingBank.load(bank))
    else:
        raise ConfigError("Nothing says where the queries come from.", "Give queries.text_encoder, or queries.free.")
    if queries.query_dim != query_dim:
        raise ConfigError(f"The queries have {queries.query_dim} numbers, but the network takes {query_dim}.")
    with torch.no_grad():
        queries([TrainingPrompt(*label) for label in labels])
    return queries


def _free(labels: Sequence[Label], query_dim: int, seed: int, bank: EmbeddingBank | None) -> LabelQueries:
    """Free vectors; those that a bank knows start from there."""
    queries = LabelQueries.free(tuple(dict.fromkeys(labels)), query_dim, seed)
    if bank is not None and bank.query_dim == query_dim:
        with torch.no_grad():
            for row, (text, modality) in enumerate(queries.labels):
                if bank.has(text, modality):
                    queries.vectors[row] = torch.from_numpy(bank.lookup(text, modality).copy())
    return queries
