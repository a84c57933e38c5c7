"""From a scan and prompts to masks in the scan's own grid."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from SATSegmentLib.anatomy.resolver.names import Structures, prompts_for
from SATSegmentLib.errors import CheckpointError, ScanError
from SATSegmentLib.files import reading_folder
from SATSegmentLib.grid.network_grid import GridRule, NetworkGrid
from SATSegmentLib.inference.admission import admit
from SATSegmentLib.inference.asked import Asked, asked_in_words, checked_vectors, divided, looked_for_together
from SATSegmentLib.inference.cache import FeatureCache, default_cache
from SATSegmentLib.inference.device import check_storage, choose_device, inferring, precision_name
from SATSegmentLib.inference.identity import Weights
from SATSegmentLib.inference.loading import load_network
from SATSegmentLib.inference.plan import plan_precision
from SATSegmentLib.inference.preprocess import PreparedScan, PreparedScans, check_arrived
from SATSegmentLib.inference.progress import CancelCallback, ProgressCallback, ResultCallback, Run, check_cancelled
from SATSegmentLib.inference.query import Output, Query
from SATSegmentLib.inference.run_plan import RunPlan
from SATSegmentLib.inference.runner import PlanCallback, Runner
from SATSegmentLib.inference.scan_pass import ScanPass
from SATSegmentLib.inference.windows import WindowChoice
from SATSegmentLib.models.catalog import find_model
from SATSegmentLib.models.folder import ModelDescription, read_description
from SATSegmentLib.quality import assess
from SATSegmentLib.sat.network import SATNetwork
from SATSegmentLib.sat.text.queries import QuerySource
from SATSegmentLib.types import (
    DEFAULT_OVERLAP,
    DEFAULT_THRESHOLD,
    Image,
    Modality,
    Orientation,
    Prompt,
    SegmentResult,
    WindowRule,
)


class Segmenter:
    """A loaded model that segments scans. Not thread-safe: one run at a time.

        segmenter = Segmenter.load("demo")
        results = segmenter.segment(image, [Prompt("left putamen", "mri")])

    Attributes
    ----------
    description : ModelDescription
        Window, spacing and provenance of the model.
    cache : FeatureCache | None
        Image features of the scans seen last, for prompts that come later.
    device, precision, feature_storage : str
        What the network runs on, and how image features are kept.
    scans : PreparedScans
        The scans' views on the network's grid.
    grid : GridRule
        "own", or "sat" to see scans on the very grid of SAT's own preprocessing.
    """

    def __init__(
        self,
        network: SATNetwork,
        description: ModelDescription,
        queries: QuerySource | None = None,
        device: str = "auto",
        precision: str = "auto",
        cache: FeatureCache | None = None,
        feature_storage: str = "native",
        file_sha256: str = "",
    ) -> None:
        self.description = description
        self.cache = cache or default_cache()
        self.device = choose_device(device)
        dtype = plan_precision(precision, self.device, network)
        self.feature_storage = check_storage(feature_storage)
        self.precision = precision_name(dtype)
        self._network = network.settle(self.device, dtype)
        self._queries = queries
        self._runner = Runner(self._network, self.feature_storage)
        self.scans = PreparedScans()
        self.grid: GridRule = "own"
        self._weights = Weights(self._network, file_sha256)

    @classmethod
    def load(
        cls,
        folder_or_name: str | Path,
        device: str = "auto",
        precision: str = "auto",
        cache: FeatureCache | None = None,
        feature_storage: str = "native",
    ) -> Segmenter:
        """Load a converted model.

        Parameters
        ----------
        folder_or_name : str | Path
            A model folder, or a name of the catalog ("demo", "sat-nano", "sat-pro").
        device : str, optional
            "auto", "cpu", "cuda", "cuda:1" or "mps".
        precision : str, optional
            "auto", "float32", "bfloat16" or "float16", of the image encoder.
        feature_storage : str, optional
            "native", or "uint8": image features are kept in eight bits, in half the memory.
        cache : FeatureCache | None, optional
            Where image features are kept; by default in half of the free memory and a quarter of the disk.

        Raises
        ------
        ModelNotFound, CheckpointError, PairMismatch
            The model is not there, or not whole.
        DeviceError
            The device or precision is not there.
        """
        # What is wrong with these must not cost the wait for the weights.
        choose_device(device)
        check_storage(feature_storage)
        folder = find_model(folder_or_name)
        with reading_folder(CheckpointError, folder):
            description = read_description(folder)
            network, file_sha256 = load_network(folder, description)
            queries = QuerySource.of_model(folder, description, network.architecture.query_dim)
        return cls(network, description, queries, device, precision, cache, feature_storage, file_sha256)

    @staticmethod
    def connect(url: str, **options: Any) -> Any:
        """A segmenter on a server, used in the same way; see `engine.remote_segmenter.RemoteSegmenter.connect`."""
        # By its name: the rooms above are not this one's to know.
        remote = importlib.import_module("SATSegmentLib.engine.remote_segmenter")
        return remote.RemoteSegmenter.connect(url, **options)

    def segment(
        self,
        image: Image,
        prompts: Structures,
        progress: ProgressCallback | None = None,
        cancel: CancelCallback | None = None,
        threshold: float = DEFAULT_THRESHOLD,
        on_plan: PlanCallback | None = None,
        words: Sequence[bytes] | None = None,
        modality: Modality | None = None,
        keep_probabilities: bool = False,
        on_result: ResultCallback | None = None,
        windows: WindowRule = "all",
        overlap: float = DEFAULT_OVERLAP,
    ) -> list[SegmentResult]:
        """Segment the prompts in a scan: one result each, in their order, with statistics and plausibility flags.

        What the model does not know has the status "unknown", with a `SATSegmentWarning`: nothing is looked for.

        Parameters
        ----------
        image : Image
            The scan.
        prompts : Structures
            What to segment, each one only once: `Prompt` objects, or names that the resolver knows ("lt kidney").
        progress : ProgressCallback | None, optional
            Called with a `Progress` after each step.
        cancel : CancelCallback | None, optional
            Asked before each step; where it answers True the run ends with `Cancelled`.
        threshold : float, optional
            A voxel belongs to a structure where its probability exceeds this.
        on_plan : PlanCallback | None, optional
            Called with what the run will take before it starts, and after each step to less (a `SATSegmentWarning`).
        modality : Modality | None, optional
            Of the scan; needed where `prompts` has names.
        words : Sequence[bytes] | None, optional
            Contents of the files of taught words; by default they are looked for in this computer's folders.
        keep_probabilities : bool, optional
            Whether results keep the network's probability (`SegmentResult.probability`); masks stay the same.
        on_result : ResultCallback | None, optional
            Called with a prompt's place among `prompts` and its result as soon as the mask is final, in the order in
            which they are finished. Statistics and flags come with the returned results only.
        windows, overlap : str, float, optional
            Which windows of the scan are looked at, and how much of its side each shares with the next (`RunOptions`).

        Raises
        ------
        NameQuestion, PromptError
            A name can mean several things or nothing; prompts are none, empty or given twice, or the model knows none.
        ScanError, GeometryError
            The scan cannot be segmented.
        DeviceError
            `windows` or `overlap` cannot be.
        OutOfMemory, Cancelled
        """
        output = Output(threshold, keep_probabilities, WindowChoice(windows, overlap))
        asked = self._divided(prompts, modality)
        asks = self._asks(self._admit(image, asked.known), words)
        results = self._run(image, asks, Run(progress, cancel, asked.placed(on_result)), output, on_plan)
        found = assess(image, results, lambda: check_cancelled(cancel))
        return asked.completed(found)

    def _divided(self, prompts: Structures, modality: Modality | None) -> Asked:
        asked = prompts_for(prompts, modality, model_sha256=self.description.network_sha256)
        return divided(self.description.name, asked, self._queries)

    def plan(
        self,
        image: Image,
        prompts: Structures,
        threshold: float = DEFAULT_THRESHOLD,
        words: Sequence[bytes] | None = None,
        modality: Modality | None = None,
        windows: WindowRule = "all",
        overlap: float = DEFAULT_OVERLAP,
    ) -> RunPlan:
        """What `segment` would take with the features that are kept now; parameters and errors as there."""
        output = Output(threshold, windows=WindowChoice(windows, overlap))
        asks = self._asks(self._admit(image, self._divided(prompts, modality).known), words)
        with inferring():
            return self._runner.plan(self._passes(image, asks, output, Run()), self.cache)

    def segment_queries(
        self,
        image: Image,
        queries: np.ndarray,
        modality: Modality,
        orientation: Orientation = "RAS",
        names: Sequence[str] | None = None,
        mask_embedding_offsets: Sequence[np.ndarray | None] | None = None,
        progress: ProgressCallback | None = None,
        cancel: CancelCallback | None = None,
        threshold: float = DEFAULT_THRESHOLD,
        on_plan: PlanCallback | None = None,
        keep_probabilities: bool = False,
        windows: WindowRule = "all",
        overlap: float = DEFAULT_OVERLAP,
    ) -> list[SegmentResult]:
        """Segment query vectors instead of words, as `segment`.

        Parameters
        ----------
        queries : np.ndarray
            (N, query_dim), one row per structure.
        modality : Modality
            How the scan's intensities are normalised.
        orientation : Orientation, optional
            Axis order of the pass.
        names : Sequence[str] | None, optional
            What the results are called; "query 1", "query 2", ... by default.
        mask_embedding_offsets : Sequence[np.ndarray | None] | None, optional
            (C,) for each query, added to its mask embedding; None where there is none.
        """
        asks = self._query_asks(image, queries, modality, orientation, names, mask_embedding_offsets)
        output = Output(threshold, keep_probabilities, WindowChoice(windows, overlap))
        return self._run(image, asks, Run(progress, cancel), output, on_plan)

    def probability_maps(
        self, image: Image, queries: np.ndarray, modality: Modality, orientation: Orientation = "RAS"
    ) -> tuple[NetworkGrid, Iterator[np.ndarray]]:
        """The blended probabilities on the network's own grid, as SAT itself is evaluated.

        Parameters
        ----------
        queries : np.ndarray
            (N, query_dim).

        Returns
        -------
        tuple[NetworkGrid, Iterator[np.ndarray]]
            The grid, and one float32 map per query, axes as in the grid. A map is valid until the next is asked for.
        """
        asks = self._query_asks(image, queries, modality, orientation)
        with inferring():
            scan = self._prepare(image, modality, orientation)

        def maps() -> Iterator[np.ndarray]:
            with inferring():
                one = self._pass(scan, asks, Output(0))
                plan = self._runner.plan([one], self.cache)
                for _, answer in one.answers(Run(), plan, range(len(asks))):
                    yield answer.probability

        return scan.grid, maps()

    @property
    def encode_seconds(self) -> float:
        """Spent in the image encoder by the last run; 0 where all features were kept from earlier ones."""
        return self._runner.encode_seconds

    @property
    def network(self) -> SATNetwork:
        """The network, on the device it runs on."""
        return self._network

    @property
    def queries(self) -> QuerySource | None:
        """The text side of the model; None where it has none."""
        return self._queries

    def forget(self, digest: str) -> None:
        """Let all that is kept of one scan go (`grid.digest.digest_of`); a later prompt prepares it again."""
        self.scans.forget(digest)
        self.cache.forget(digest)

    def windows(self, image: Image, modality: Modality, orientation: Orientation = "RAS") -> ScanPass:
        """A scan's windows with their features, to learn from: `boxes`, `features(number)`, `weights(number)`.

        Features are computed where they are asked for and not in the cache yet.

        Raises
        ------
        ScanError, GeometryError
            The scan cannot be segmented.
        """
        self._admit(image, [Prompt("its windows", modality, orientation, trained=False)])
        with inferring():
            return self._pass(self._prepare(image, modality, orientation), [], Output(DEFAULT_THRESHOLD))

    def _admit(self, image: Image, prompts: Sequence[Prompt], phantoms: bool = False) -> tuple[Prompt, ...]:
        """The one gate of everything that looks at a scan; see `admission.admit`."""
        source = self._queries
        has_bank = source is not None and source.bank is not None
        # Labels that the model does not have are refused for that, and not for axes that it does not have either.
        answered = source is None or not all(one.trained and not source.answers(one) for one in prompts)
        try:
            return admit(image, prompts, self.description, has_bank, phantoms=phantoms, check_axes=answered)
        except ScanError:
            # What is wrong with a scan may be what happened to it on its way here.
            check_arrived(image)
            raise

    def _asks(self, prompts: Sequence[Prompt], words: Sequence[bytes] | None) -> list[Query]:
        return asked_in_words(self.description.name, self._network.architecture, self._queries, prompts, words)

    def _query_asks(
        self,
        image: Image,
        queries: np.ndarray,
        modality: Modality,
        orientation: Orientation,
        names: Sequence[str] | None = None,
        mask_embedding_offsets: Sequence[np.ndarray | None] | None = None,
    ) -> list[Query]:
        """Query vectors as they are asked, where they and the scan can be used."""
        queries = checked_vectors(queries, self._network.architecture)
        names = names or [f"query {number + 1}" for number in range(len(queries))]
        asked = [Prompt(name, modality, orientation, trained=False) for name in names]
        prompts = self._admit(image, asked, phantoms=True)
        offsets = mask_embedding_offsets or [None] * len(prompts)
        return [Query(i, *one) for i, one in enumerate(zip(prompts, queries, offsets, strict=True))]

    def _run(
        self, image: Image, asks: list[Query], run: Run, output: Output, on_plan: PlanCallback | None
    ) -> list[SegmentResult]:
        with inferring():
            self._runner.run(lambda: self._passes(image, asks, output, run), self.cache, run, on_plan)
        return [run.results[index] for index in range(len(asks))]

    def _passes(self, image: Image, asks: Sequence[Query], output: Output, run: Run) -> list[ScanPass]:
        passes = []
        for (modality, orientation), group in looked_for_together(asks).items():
            run.check()
            passes.append(self._pass(self._prepare(image, modality, orientation), group, output))
        return passes

    def _prepare(self, image: Image, modality: Modality, orientation: Orientation) -> PreparedScan:
        return self.scans.get(image, modality, orientation, self.description.spacing, self.grid)

    def _pass(self, scan: PreparedScan, asks: list[Query], output: Output) -> ScanPass:
        return ScanPass(self._network, self._weights.digest, scan, asks, self.cache, output, self.feature_storage)
