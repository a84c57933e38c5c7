"""From a scan and prompts to masks in the scan's own grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from SATSegmentLib.errors import CheckpointError, OutOfMemory, PairMismatch, PromptError
from SATSegmentLib.inference.cache import FeatureCache, default_cache
from SATSegmentLib.inference.catalog import find_model
from SATSegmentLib.inference.checks import check_image, refuse_label_map, warn_about_modality
from SATSegmentLib.inference.device import choose_device, choose_precision
from SATSegmentLib.inference.geometry import NetworkGrid
from SATSegmentLib.inference.preprocess import PreparedScan, prepare
from SATSegmentLib.inference.progress import CancelCallback, ProgressCallback, Run
from SATSegmentLib.inference.scan_pass import Ask, ScanPass
from SATSegmentLib.sat.checkpoint import build_network, read_network
from SATSegmentLib.sat.cost import encode_macs
from SATSegmentLib.sat.model_folder import DESCRIPTION_FILE, NETWORK_FILE, ModelDescription, read_description
from SATSegmentLib.sat.network import SATNetwork
from SATSegmentLib.sat.queries import QuerySource
from SATSegmentLib.types import MODALITIES, Image, Modality, Orientation, Prompt, SegmentResult

THRESHOLD = 0.5


class Segmenter:
    """A loaded model that segments scans.

        segmenter = Segmenter.load("demo")
        results = segmenter.segment(image, [Prompt("left putamen", "mri")])

    Not thread-safe: one run at a time.

    Attributes
    ----------
    description: window, spacing and provenance of the model.
    cache: image features of the scans seen last; prompts that come later find them there.
    device, precision: what the network runs on.
    """

    def __init__(
        self,
        network: SATNetwork,
        description: ModelDescription,
        queries: QuerySource | None = None,
        device: str = "auto",
        precision: str = "auto",
        cache: FeatureCache | None = None,
    ) -> None:
        self.description = description
        self.cache = cache or default_cache()
        self.device = choose_device(device)
        dtype = choose_precision(precision, self.device, encode_macs(network.architecture, network.window))
        self.precision = str(dtype).removeprefix("torch.")
        network.set_encoder_precision(dtype)
        self._network = network.to(self.device).eval()
        self._queries = queries
        self._identity = f"{description.network_sha256} {id(network)} {self.precision}"

    @classmethod
    def load(
        cls,
        folder_or_name: str | Path,
        device: str = "auto",
        precision: str = "auto",
        cache: FeatureCache | None = None,
    ) -> Segmenter:
        """Load a converted model.

        Parameters
        ----------
        folder_or_name: a model folder, or a name of the catalog ("demo", "sat-nano", "sat-pro").
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        precision: "auto", "float32", "bfloat16" or "float16"; of the image encoder.
        cache: where image features are kept; by default half of the free memory and as much of the disk.

        Raises
        ------
        ModelNotFound, CheckpointError, PairMismatch: the model is not there, or not whole.
        DeviceError: the device or precision is not there.
        """
        choose_device(device)  # A wrong device must not cost the wait for the weights.
        folder = find_model(folder_or_name)
        description = read_description(folder)
        weights = read_network(folder / NETWORK_FILE)
        if description.network_file_sha256 not in ("", weights.sha256):
            raise PairMismatch(
                f"The network in the model folder {folder.name} is not the one its {DESCRIPTION_FILE} describes.",
                "Convert the checkpoint again.",
            )
        try:
            network = build_network(weights, description.window)
        except ValueError as error:
            raise CheckpointError(
                f"The {DESCRIPTION_FILE} of the model {folder.name} names a window its network cannot have.",
                "Convert the checkpoint again.",
            ) from error
        queries = QuerySource.of_model(folder, description, network.architecture.query_dim)
        return cls(network, description, queries, device, precision, cache)

    def segment(
        self,
        image: Image,
        prompts: Sequence[Prompt],
        progress: ProgressCallback | None = None,
        cancel: CancelCallback | None = None,
        threshold: float = THRESHOLD,
    ) -> list[SegmentResult]:
        """Segment the prompts in a scan: one result each, in their order.

        Parameters
        ----------
        image: the scan.
        prompts: what to segment; each one only once.
        progress: called with a `Progress` after each step.
        cancel: asked before each step; where it answers True the run ends with `Cancelled`.
        threshold: a voxel belongs to a structure where its probability exceeds this.

        Raises
        ------
        PromptError: none, empty, given twice, or unknown to the model.
        ScanError, GeometryError: the scan cannot be segmented.
        OutOfMemory, Cancelled.
        """
        self._check_prompts(prompts)
        check_image(image)
        refuse_label_map(image)
        for modality in sorted({prompt.modality for prompt in prompts}):
            warn_about_modality(image, modality)
        if self._queries is None:
            raise PromptError(
                f"The model {self.description.name} has no query vectors for words.",
                "Convert it again together with its text encoder.",
            )
        queries = self._queries.embed(prompts)
        asks = [Ask(i, prompt, query) for i, (prompt, query) in enumerate(zip(prompts, queries, strict=True))]
        return self._run(image, asks, progress, cancel, threshold)

    def segment_queries(
        self,
        image: Image,
        queries: np.ndarray,
        modality: Modality,
        orientation: Orientation = "RAS",
        names: Sequence[str] | None = None,
        progress: ProgressCallback | None = None,
        cancel: CancelCallback | None = None,
        threshold: float = THRESHOLD,
    ) -> list[SegmentResult]:
        """Segment query vectors instead of words, as `segment`.

        Parameters
        ----------
        queries: (N, query_dim), one row per structure.
        modality: how the scan's intensities are normalised.
        orientation: axis order of the pass.
        names: what the results are called; "query 1", "query 2", ... by default.
        """
        queries = np.asarray(queries, dtype=np.float32)
        dim = self._network.architecture.query_dim
        if queries.ndim != 2 or not len(queries) or queries.shape[1] != dim or not np.isfinite(queries).all():
            raise PromptError(
                f"Query vectors of the shape {queries.shape} were given; this model takes finite (N, {dim}).",
                "Use vectors that were made with this model's own text encoder.",
            )
        names = names or [f"query {number + 1}" for number in range(len(queries))]
        prompts = [Prompt(name, modality, orientation, trained=False) for name in names]
        self._check_prompts(prompts)
        check_image(image)
        asks = [Ask(i, prompt, query) for i, (prompt, query) in enumerate(zip(prompts, queries, strict=True))]
        return self._run(image, asks, progress, cancel, threshold)

    def probability_maps(
        self, image: Image, queries: np.ndarray, modality: Modality, orientation: Orientation = "RAS"
    ) -> tuple[NetworkGrid, Iterator[np.ndarray]]:
        """The blended probabilities on the network's own grid, as SAT itself is evaluated.

        Parameters
        ----------
        queries: (N, query_dim).

        Returns
        -------
        The grid, and one float32 map per query, axes as in the grid. A map is valid until the next is asked for.
        """
        with torch.inference_mode():
            scan = prepare(image, modality, orientation, self.description.spacing)
        asks = [
            Ask(i, Prompt(f"query {i + 1}", modality, orientation, trained=False), q) for i, q in enumerate(queries)
        ]

        def maps() -> Iterator[np.ndarray]:
            with torch.inference_mode():
                one = self._pass(scan, asks, threshold=0)
                for answer in one.answers(Run(one.work, None, None)):
                    yield answer.probability

        return scan.grid, maps()

    def _check_prompts(self, prompts: Sequence[Prompt]) -> None:
        if not prompts:
            raise PromptError("No prompts were given.", "Name at least one structure.")
        seen = set()
        for prompt in prompts:
            if not prompt.text.strip():
                raise PromptError("A prompt is empty.", "Name a structure, or remove the prompt.")
            if prompt.modality not in MODALITIES:
                raise PromptError(f"{prompt.modality!r} is not a modality.", f"Use {', '.join(MODALITIES)}.")
            if prompt.orientation not in self.description.orientations:
                raise PromptError(
                    f"{prompt.text!r} was trained with axes in the order {prompt.orientation}, "
                    f"which the model {self.description.name} was not.",
                    "Choose another model.",
                )
            if (prompt.text.lower(), prompt.modality) in seen:
                raise PromptError(f"{prompt.text!r} was given twice.", "Remove one of them.")
            seen.add((prompt.text.lower(), prompt.modality))

    def _run(
        self,
        image: Image,
        asks: list[Ask],
        progress: ProgressCallback | None,
        cancel: CancelCallback | None,
        threshold: float,
    ) -> list[SegmentResult]:
        groups: dict[tuple[Modality, Orientation], list[Ask]] = {}
        for ask in asks:
            groups.setdefault((ask.prompt.modality, ask.prompt.orientation), []).append(ask)
        passes = []
        results: dict[int, SegmentResult] = {}
        try:
            with torch.inference_mode():
                run = Run(0, None, cancel)
                for (modality, orientation), group in groups.items():
                    run.check()
                    scan = prepare(image, modality, orientation, self.description.spacing)
                    passes.append(self._pass(scan, group, threshold))
                run = Run(sum(one.work for one in passes), progress, cancel)
                for one in passes:
                    results.update(one.results(run))
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise _out_of_memory(self.device) from error
        except RuntimeError as error:
            if "not enough memory" in str(error) or "out of memory" in str(error):
                raise _out_of_memory(self.device) from error
            raise
        return [results[index] for index in range(len(asks))]

    def _pass(self, scan: PreparedScan, asks: list[Ask], threshold: float) -> ScanPass:
        return ScanPass(self._network, self._identity, scan, asks, self.cache, threshold)


def _out_of_memory(device: torch.device) -> OutOfMemory:
    place = "The computer" if device.type == "cpu" else f"The graphics card ({device})"
    return OutOfMemory(
        f"{place} ran out of memory. Nothing was lost.",
        "Close other programs, use SAT-Nano instead of SAT-Pro, or segment on the processor.",
    )
