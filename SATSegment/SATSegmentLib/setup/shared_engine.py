"""The one engine of a Slicer: a child process here, or a server; started at the first run and kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_PythonOf = Callable[[], tuple[str, dict[str, str]]]


class SharedEngine:
    """Holds the engine, and knows where runs go."""

    def __init__(self) -> None:
        self._engine: Any = None
        self._server: tuple[str, str] = ("", "")

    def get(self, python: _PythonOf) -> Any:
        """The engine, made where there is none.

        Parameters
        ----------
        python : callable
            Gives the interpreter and the environment of a child process.
        """
        if self._engine is None:
            self._engine = self._remote() if self._server[0] else self._worker(python)
        return self._engine

    def close(self) -> None:
        """End it, if there is one; a later run makes another."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def use(self, url: str, token_file: str) -> None:
        """Have runs go to a server, or to this computer where the address is empty."""
        if (url, token_file) != self._server:
            self.close()
            self._server = (url, token_file)

    def _remote(self) -> Any:
        from SATSegmentLib.engine.remote import RemoteEngine
        from SATSegmentLib.engine.transport.http import find_token

        url, token_file = self._server
        return RemoteEngine(url, find_token(token_file or None))

    @staticmethod
    def _worker(python: _PythonOf) -> Any:
        from SATSegmentLib.engine.offline import offline_environment
        from SATSegmentLib.engine.process import WorkerEngine

        interpreter, environment = python()
        return WorkerEngine(interpreter, offline_environment(environment))


shared_engine = SharedEngine()
