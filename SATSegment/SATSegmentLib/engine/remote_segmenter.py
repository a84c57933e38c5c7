"""A segmenter on a server, for Python: used like the one that `Segmenter.load` gives, without PyTorch."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from SATSegmentLib.anatomy.resolver.names import Structures
from SATSegmentLib.engine.api import DEFAULT_MODEL, EngineError, RunListener, RunOptions, SegmentRequest
from SATSegmentLib.engine.remote import RemoteEngine
from SATSegmentLib.inference.run_plan import RunPlan
from SATSegmentLib.types import DEFAULT_OVERLAP, DEFAULT_THRESHOLD, Image, Modality, Progress, SegmentResult, WindowRule


class RemoteSegmenter:
    """A model of a server that segments scans.

        with Segmenter.connect("https://gpu-box:8765", model="sat-nano") as segmenter:
            results = segmenter.segment(image, "left kidney", modality="ct")

    Parameters
    ----------
    engine : RemoteEngine
        The server.
    options : RunOptions
        Model, device and precision of all runs.
    """

    def __init__(self, engine: RemoteEngine, options: RunOptions) -> None:
        self.engine, self._options = engine, options

    @classmethod
    def connect(
        cls,
        url: str,
        token: str | None = None,
        model: str = DEFAULT_MODEL,
        device: str = "auto",
        precision: str = "auto",
        ca_file: str | os.PathLike[str] = "",
    ) -> RemoteSegmenter:
        """Greet a server; no scan is sent before the first one is segmented.

        Parameters
        ----------
        url : str
            "https://gpu-box:8765".
        token : str, optional
            By default that of SATSEGMENT_TOKEN, or of the file that SATSEGMENT_TOKEN_FILE names.
        model : str, optional
            Name of a model that is installed there.
        device, precision : str, optional
            As in `RunOptions`; the server chooses by default.
        ca_file : path, optional
            Certificates to trust instead of the system's.

        Raises
        ------
        VersionMismatch, AccessDenied, ConnectionLost, EngineError
            Why it cannot be used, and what to do.
        """
        engine = RemoteEngine(url, token, ca_file)
        engine.hello()
        return cls(engine, RunOptions(model, device, precision))

    @staticmethod
    def load(*_: Any, **__: Any) -> NoReturn:
        """Stands for `Segmenter.load` where PyTorch is not installed, and says so."""
        raise EngineError(
            "PyTorch is not installed here, so no model can be loaded.",
            "Install it (pip install 'satsegment[local]'), or ask a server: Segmenter.connect(URL).",
        )

    def segment(
        self,
        image: Image,
        prompts: Structures,
        progress: Callable[[Progress], None] | None = None,
        cancel: Callable[[], bool] | None = None,
        threshold: float = DEFAULT_THRESHOLD,
        on_plan: Callable[[RunPlan], None] | None = None,
        words: Sequence[bytes] | None = None,
        modality: Modality | None = None,
        keep_probabilities: bool = False,
        on_result: Callable[[int, SegmentResult], None] | None = None,
        windows: WindowRule = "all",
        overlap: float = DEFAULT_OVERLAP,
    ) -> list[SegmentResult]:
        """Segment the prompts in a scan; parameters and errors as `Segmenter.segment`, and those of the connection."""
        listener = RunListener(progress, cancel, on_plan=on_plan, on_result=on_result)
        request = self._request(image, prompts, threshold, words, modality, windows, overlap, keep_probabilities)
        return list(self.engine.segment(request, listener).results)

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
        """What `segment` would take; the scan is sent, if it is not there yet."""
        return self.engine.plan(self._request(image, prompts, threshold, words, modality, windows, overlap))

    def close(self) -> None:
        """Have the server let the scans go."""
        self.engine.close()

    def __enter__(self) -> RemoteSegmenter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _request(
        self,
        image: Image,
        structures: Structures,
        threshold: float,
        words: Sequence[bytes] | None,
        modality: Modality | None,
        windows: WindowRule,
        overlap: float,
        keep_probabilities: bool = False,
    ) -> SegmentRequest:
        options = dataclasses.replace(
            self._options,
            threshold=threshold,
            keep_probabilities=keep_probabilities,
            windows=windows,
            overlap=overlap,
        )
        request = SegmentRequest.of(image, structures, options, modality)
        return request if words is None else dataclasses.replace(request, words=tuple(words))
