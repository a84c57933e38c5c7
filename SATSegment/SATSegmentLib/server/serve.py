"""Starts the server: where it listens, with which certificate, for whom; and ends it with its children."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from SATSegmentLib.engine.api import EngineError
from SATSegmentLib.engine.packages import missing
from SATSegmentLib.engine.transport.wire import is_loopback
from SATSegmentLib.server.service import ServerOptions
from SATSegmentLib.server.tokens import Tokens

DEFAULT_PORT = 8765
_GOODBYE_SECONDS = 1


@dataclass(frozen=True)
class Listening:
    """Where a server listens.

    Attributes
    ----------
    host : str
        Address; "127.0.0.1" is this computer only.
    port : int
        0 for any that is free.
    certificate, key : Path or None
        PEM files for TLS.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    certificate: Path | None = None
    key: Path | None = None


def check(listening: Listening, tokens: Tokens) -> None:
    """Refuse what would let strangers in, before anything is started.

    Raises
    ------
    EngineError
        No token although others can reach it, or files of the certificate that are not there.
    """
    if not tokens and not is_loopback(listening.host):
        raise EngineError(
            f"Without a token the server would answer to everybody who reaches {listening.host}.",
            "Set SATSEGMENT_TOKEN, or give --tokens FILE; or listen on 127.0.0.1 only.",
        )
    if (listening.certificate is None) != (listening.key is None):
        raise EngineError("TLS needs a certificate and its key.", "Give --certificate and --key.")
    for file in (listening.certificate, listening.key):
        if file is not None and not file.is_file():
            raise EngineError(f"There is no file {file}.", "Check its name.")


def serve(listening: Listening, options: ServerOptions, tokens: Tokens) -> None:
    """Serve until the process is told to end.

    Raises
    ------
    EngineError
        As `check`; the address is taken, or a package that it needs is not installed.
    """
    check(listening, tokens)
    # The models' packages are imported by the child processes: without this, each run would fail and not the start.
    for name in missing():
        raise EngineError(
            f"The server needs the package {name}, which is not installed.",
            "pip install 'satsegment[server]'",
        )
    try:
        from SATSegmentLib.server.app import create_app
        from SATSegmentLib.server.service import Service
    except ModuleNotFoundError as error:
        raise EngineError(
            f"The server needs the package {error.name}, which is not installed.", "pip install 'satsegment[server]'"
        ) from error
    greeting = f"SATSegment listens ({', '.join(options.devices)})"
    serve_app(lambda: create_app(Service(options), tokens), listening, tokens, greeting)


def serve_app(make: Callable[[], Any], listening: Listening, tokens: Tokens, greeting: str) -> None:
    """Serve an ASGI application until the process is told to end.

    Parameters
    ----------
    make : callable
        Makes it, once the address is known to be free.
    greeting : str
        What is printed before the address.

    Raises
    ------
    EngineError
        As `check`; the address is taken, or uvicorn is not installed.
    """
    check(listening, tokens)
    try:
        import uvicorn

        from SATSegmentLib.server.direct_body import DirectBodyProtocol
    except ModuleNotFoundError as error:
        raise EngineError("The server needs the package uvicorn.", "pip install 'satsegment[server]'") from error
    bound = _bind(listening)
    scheme = "http" if listening.certificate is None else "https"
    host = f"[{listening.host}]" if ":" in listening.host else listening.host
    config = uvicorn.Config(
        make(),
        http=DirectBodyProtocol,
        log_level="warning",
        access_log=False,
        server_header=False,
        ssl_certfile=listening.certificate,
        ssl_keyfile=listening.key,
        timeout_graceful_shutdown=_GOODBYE_SECONDS,
    )
    print(f"{greeting} on {scheme}://{host}:{bound.getsockname()[1]} . Research use only.", flush=True)
    if scheme == "http" and not is_loopback(listening.host):
        print("Warning: no TLS. Let only a proxy that has it reach this address.", file=sys.stderr, flush=True)
    server = uvicorn.Server(config)
    try:
        with _hangup_stops(server):
            server.run(sockets=[bound])
    except (KeyboardInterrupt, SystemExit):
        # A signal is how a server is stopped. uvicorn has let its clients go by then, and raises the signal again.
        if not server.should_exit:
            raise
    print("The server has stopped.", flush=True)


@contextlib.contextmanager
def _hangup_stops(server: Any) -> Iterator[None]:
    """Let a terminal that is closed stop the server as SIGTERM does; uvicorn itself listens to SIGINT and SIGTERM."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    # `nohup` has a program ignore it.
    if not hasattr(signal, "SIGHUP") or not in_main_thread or signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        yield
        return
    before = signal.signal(signal.SIGHUP, server.handle_exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _bind(listening: Listening) -> socket.socket:
    """The socket, bound here so that a port that is taken is an error of ours."""
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((listening.host, listening.port))
        # Before the address is told: who comes early waits a moment, and is not refused.
        bound.listen(128)
    except (OSError, OverflowError) as error:
        bound.close()
        raise EngineError(
            f"The server cannot listen on {listening.host}, port {listening.port}: {error}.",
            "Choose another with --host and --port.",
        ) from error
    return bound
