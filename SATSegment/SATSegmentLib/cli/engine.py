"""Where a command's runs go: this process, or a server."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from SATSegmentLib.engine.api import EngineError, EngineReason
from SATSegmentLib.engine.packages import missing

if TYPE_CHECKING:
    from SATSegmentLib.engine.local import LocalEngine
    from SATSegmentLib.engine.remote import RemoteEngine


def lacking(package: str) -> EngineError:
    """The error of a computer that is to run a model without a package of `packages.OF_MODELS`."""
    return EngineError(
        f"Models need the package {package}, which is not installed here.",
        "pip install 'satsegment[local]'; or let a server run them: --server URL.",
        EngineReason.PACKAGE,
        package,
    )


def add_server(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that name a server."""
    parser.add_argument(
        "--server",
        metavar="URL",
        help="run on a `satsegment serve` at this address: the scan is sent there, and --model and --device are the "
        "server's. Its token comes from SATSEGMENT_TOKEN or from --token-file",
    )
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="file that holds the token, and nothing else")
    parser.add_argument("--ca-file", type=Path, metavar="PEM", help="certificates to trust, for a site's own")


@contextlib.contextmanager
def engine_of(arguments: argparse.Namespace) -> Iterator[LocalEngine | RemoteEngine]:
    """The engine that was chosen; a server's is greeted, and lets the scan go at the end.

    Raises
    ------
    SATSegmentError
        The server cannot be used, a token is given without a server, or a package that models need is not installed.
    """
    from SATSegmentLib.errors import PromptError

    if arguments.server is None:
        if arguments.token_file is not None or arguments.ca_file is not None:
            raise PromptError("--token-file and --ca-file are for a server.", "Add --server URL.")
        # Asked before anything is read or written.
        for name in missing():
            raise lacking(name)
        from SATSegmentLib.engine.local import LocalEngine

        yield LocalEngine()
        return
    from SATSegmentLib.engine.remote import RemoteEngine
    from SATSegmentLib.engine.transport.http import find_token

    engine = RemoteEngine(arguments.server, find_token(arguments.token_file), arguments.ca_file or "")
    try:
        engine.hello()
        yield engine
    finally:
        engine.close()
