"""A real server on loopback: in this process for most tests, in a process of its own where it is to be killed."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import requests

import SATSegmentLib
from helpers.small_model import LABELS, headLikeImage
from SATSegmentLib.engine.api import RunOptions, SegmentRequest
from SATSegmentLib.types import Image, Prompt

ALICE, BOB = "alice-0123456789abcdef", "bob-0123456789abcdef0"
HEAD = tuple(Prompt(text, modality) for text, modality in LABELS[:3])
OPTIONS = RunOptions("tiny", "cpu", "float32")
_LIBRARY = str(Path(SATSegmentLib.__file__).parents[1])


@contextlib.contextmanager
def server_here(app: object, http: object = None) -> Iterator[str]:
    """An ASGI application on a free port of this computer; its address. `http` as uvicorn's, by default our own."""
    import socket

    import uvicorn

    from SATSegmentLib.server.direct_body import DirectBodyProtocol

    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, http=http or DirectBodyProtocol, log_level="warning", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    wait_until_up(url)
    yield url
    server.should_exit = True
    thread.join(timeout=10)
    assert not thread.is_alive()


class ServerProcess:
    """`satsegment serve` in a process of its own.

    Parameters
    ----------
    environment : Mapping
        What it sees beside this process's environment.
    *words : str
        Further words of the command.
    before : str
        Python that is run in it first.
    """

    def __init__(self, environment: Mapping[str, str], *words: str, port: int = 0, before: str = "") -> None:
        program = f"{before}\nimport sys; from SATSegmentLib.cli import main; sys.exit(main())"
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, "serve", "--port", str(port), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": _LIBRARY, "OMP_NUM_THREADS": "1", **environment},
        )
        line = ""
        found = None
        while found is None and (line := self.process.stdout.readline()):
            found = re.search(r"listens?\b.* on (https?://\S+)", line)
        if found is None:
            self.process.wait(10)
            raise AssertionError(f"no server: {line} {self.process.stderr.read()}")
        self.url = found.group(1)
        self.port = int(self.url.rpartition(":")[2])
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        if self.url.startswith("http:"):
            wait_until_up(self.url)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self, seconds: float = 10.0) -> None:
        """As an administrator would."""
        self.process.terminate()
        self.process.wait(seconds)


def wait_until_up(url: str, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            requests.get(f"{url}/health", timeout=2)
            return
        except requests.ConnectionError:
            assert time.monotonic() < until, "the server did not come up"
            time.sleep(0.05)


def request(image: Image | None = None, prompts: tuple[Prompt, ...] = HEAD, **options: object) -> SegmentRequest:
    """Structures of the small model in the small scan."""
    return SegmentRequest(image or headLikeImage(), prompts, dataclasses.replace(OPTIONS, **options))


def long_image() -> Image:
    """Many windows of the small model: longer than any test waits."""
    image = headLikeImage()
    return Image(np.tile(image.array, (3, 5, 5)), image.ijk_to_ras)
