"""`satsegment serve`: this computer's models and devices for several users, over HTTP."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from SATSegmentLib.cli.help_text import describe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    describe(
        parser,
        "satsegment serve  # for this computer only",
        "satsegment serve --host 0.0.0.0 --tokens tokens.txt --certificate server.pem --key server.key",
        "satsegment serve --device cuda:0 --device cuda:1 --tokens tokens.txt --host 0.0.0.0",
        notes=(
            "Clients: satsegment segment --server URL, the panel's Settings, Segmenter.connect(URL). See "
            "Docs/server.md. Scans are held in memory only, and dropped when their client disconnects.",
        ),
        codes={0: "stopped, by Ctrl+C or SIGTERM", 1: "cancelled before it listened"},
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this computer only)")
    parser.add_argument("--port", type=int, default=8765, help="port; 0 for any that is free (default: %(default)s)")
    parser.add_argument(
        "--tokens",
        type=Path,
        metavar="FILE",
        help='who may use it: one "user token" a line, readable by you only; or set SATSEGMENT_TOKEN for one user. '
        "Needed unless it listens on this computer only",
    )
    parser.add_argument("--certificate", type=Path, metavar="PEM", help="for TLS; or put a proxy in front")
    parser.add_argument("--key", type=Path, metavar="PEM", help="the certificate's key")
    parser.add_argument(
        "--device", action="append", help="auto, cpu, cuda:0, ...; give it several times for several (default: auto)"
    )
    parser.add_argument(
        "--replicas", type=int, metavar="N", help="number of servers under Ray Serve, for several GPUs or computers"
    )
    parser.add_argument("--gpus-per-replica", type=float, default=1.0, metavar="N", help="for --replicas (default: 1)")
    parser.add_argument("--features-gb", type=float, metavar="GB", help="memory for image features, on each device")
    parser.add_argument(
        "--spill", action="store_true", help="move features that do not fit in memory to a private folder on disk"
    )
    parser.add_argument("--scan-gb", type=float, metavar="GB", help="largest scan that is accepted (default: 4)")
    parser.add_argument(
        "--user-gb", type=float, metavar="GB", help="memory for the scans and features of one user (default: 32)"
    )
    parser.add_argument(
        "--idle-minutes", type=float, metavar="N", help="minutes after which an unused scan is dropped (default: 30)"
    )
    parser.add_argument(
        "--lease-seconds",
        type=float,
        metavar="N",
        help="seconds after which the scan of a silent client is dropped (default: 60)",
    )
    parser.add_argument(
        "--run-minutes", type=float, metavar="N", help="minutes after which a run is stopped (default: 60)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until the process is told to end; returns the exit code."""
    from SATSegmentLib.server.serve import Listening, serve
    from SATSegmentLib.server.service import ServerOptions
    from SATSegmentLib.server.tokens import read_tokens

    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s")
    logging.getLogger("SATSegmentLib.server").setLevel(logging.INFO)
    listening = Listening(arguments.host, arguments.port, arguments.certificate, arguments.key)
    options = ServerOptions(
        tuple(arguments.device or ["auto"]),
        None if arguments.features_gb is None else int(arguments.features_gb * 1e9),
        arguments.spill,
        _limits(arguments),
    )
    tokens = read_tokens(arguments.tokens)
    if arguments.replicas is None:
        serve(listening, options, tokens)
        return 0
    try:
        from SATSegmentLib.server.cluster import serve_replicas
    except ModuleNotFoundError as error:
        from SATSegmentLib.engine.api import EngineError

        raise EngineError(f"--replicas needs the package {error.name}.", "pip install 'satsegment[cluster]'") from error
    serve_replicas(listening, options, tokens, arguments.replicas, arguments.gpus_per_replica)
    return 0


def _limits(arguments: argparse.Namespace):  # type: ignore[no-untyped-def]
    from SATSegmentLib.server.limits import ServerLimits

    given = {
        "scan_bytes": arguments.scan_gb and int(arguments.scan_gb * 1e9),
        "user_bytes": arguments.user_gb and int(arguments.user_gb * 1e9),
        "lease_seconds": arguments.lease_seconds,
        "idle_seconds": arguments.idle_minutes and arguments.idle_minutes * 60,
        "run_seconds": arguments.run_minutes and arguments.run_minutes * 60,
    }
    return ServerLimits(**{name: value for name, value in given.items() if value})
