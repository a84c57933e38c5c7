"""The one engine of a Slicer: a child process here, or a server; started at the first run and kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# No address, no file of a token, none of certificates.
_HERE = ("", "", "")
_PythonOf = Callable[[], tuple[str, dict[str, str]]]


class SharedEngine:
    """Holds the engine, and knows where runs go."""

    def __init__(self) -> None:
        self._engine: Any = None
        self._server = _HERE

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

    def use(self, url: str, token_file: str = "", ca_file: str = "") -> None:
        """Have runs go to a server, or to this computer where the address is empty."""
        server = (url, token_file, ca_file) if url else _HERE
        if server != self._server:
            self.close()
            self._server = server

    def leave_server(self, url: str = "") -> None:
        """Have runs stay on this computer, unless they go to the server of this address."""
        if self._server[0] != url:
            self.use("")

    def _remote(self) -> Any:
        from SATSegmentLib.engine.remote import RemoteEngine
        from SATSegmentLib.engine.transport.http import find_token

        url, token_file, ca_file = self._server
        return RemoteEngine(url, find_token(token_file or None), ca_file)

    @staticmethod
    def _worker(python: _PythonOf) -> Any:
        from SATSegmentLib.engine.offline import offline_environment
        from SATSegmentLib.engine.process import WorkerEngine

        interpreter, environment = python()
        return WorkerEngine(interpreter, offline_environment(environment))


shared_engine = SharedEngine()
