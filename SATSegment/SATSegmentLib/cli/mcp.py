"""`satsegment mcp`: tools for an agent (an MCP client), over standard input and output or HTTP."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from SATSegmentLib.cli.engine import add_server
from SATSegmentLib.cli.help_text import describe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    describe(
        parser,
        "satsegment mcp --folder ~/scans  # an MCP client starts this, and speaks through pipes",
        "SATSEGMENT_TOKEN=secret satsegment mcp --http --folder ~/scans",
        notes=(
            "Tools: search, resolve, inspect, plan, segment, statistics, flags, picture, report_to_prompts. No code is "
            "run, nothing outside the folders is read or written, no answer names a patient. See Docs/mcp.md.",
        ),
        codes={0: "ended: the client closed the connection, or Ctrl+C; with --http also SIGTERM", 1: "cancelled"},
    )
    parser.add_argument(
        "--folder",
        type=Path,
        action="append",
        required=True,
        help="folder to read scans from and write results to; may be repeated",
    )
    parser.add_argument("--model", default="demo", help="model folder or name (default: demo)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps (default: auto)")
    parser.add_argument("--http", action="store_true", help="listen for HTTP; without it, standard input and output")
    parser.add_argument("--host", default="127.0.0.1", help="for --http (default: this computer only)")
    parser.add_argument("--port", type=int, default=8766, help="for --http (default: %(default)s)")
    parser.add_argument("--tokens", type=Path, metavar="FILE", help='for --http: one "user token" a line')
    add_server(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve until the client ends, or the process is told to; returns the exit code."""
    from SATSegmentLib.engine.api import EngineError

    try:
        from SATSegmentLib.agent.mcp_server import create_server, http_app
    except ModuleNotFoundError as error:
        raise EngineError(
            f"The tools need the package {error.name}, which is not installed.", "pip install 'satsegment[mcp]'"
        ) from error
    from SATSegmentLib.agent.desk import Desk
    from SATSegmentLib.agent.folders import Folders

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    engine = _engine(arguments)
    try:
        server = create_server(Desk(Folders(arguments.folder), engine, arguments.model, arguments.device))
        if arguments.http:
            from SATSegmentLib.server.serve import Listening, serve_app
            from SATSegmentLib.server.tokens import read_tokens

            tokens = read_tokens(arguments.tokens)
            listening = Listening(arguments.host, arguments.port)
            serve_app(lambda: http_app(server, tokens, arguments.host), listening, tokens, "SATSegment's tools listen")
        else:
            server.run("stdio")
    finally:
        engine.close()
    return 0


def _engine(arguments: argparse.Namespace):  # type: ignore[no-untyped-def]
    """A process of its own: what libraries print there does not come between the messages."""
    if arguments.server is not None:
        from SATSegmentLib.engine.remote import RemoteEngine
        from SATSegmentLib.engine.transport.http import find_token

        return RemoteEngine(arguments.server, find_token(arguments.token_file), arguments.ca_file or "")
    from SATSegmentLib.engine.offline import offline_environment
    from SATSegmentLib.engine.process import WorkerEngine

    return WorkerEngine(environment=offline_environment())
