"""Tasks of the engine in processes of their own: a connection that hangs can only be ended with its process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from SATSegmentLib.engine.api import RunListener
from SATSegmentLib.engine.offline import download_environment, offline_environment
from SATSegmentLib.engine.process import WorkerEngine
from SATSegmentLib.types import Progress


class ChildTasks:
    """Does tasks for `models.install.Installer`.

    Parameters
    ----------
    python : str
        The interpreter to run them with; in Slicer, PythonSlicer.
    environment : Mapping or None
        Their environment without what switches downloads on or off; this process's own by default.
    """

    def __init__(self, python: str, environment: Mapping[str, str] | None = None) -> None:
        self._python = python
        self._environment = environment

    def __call__(
        self,
        task: str,
        fields: Mapping[str, Any],
        progress: Callable[[Progress], None] | None = None,
        cancel: Callable[[], bool] | None = None,
    ) -> Any:
        """Do a task of `engine.tasks`; only a download may use the network."""
        switch = download_environment if task == "download" else offline_environment
        engine = WorkerEngine(self._python, switch(self._environment))
        try:
            return engine.call(task, fields, RunListener(progress, cancel))
        finally:
            engine.close()
