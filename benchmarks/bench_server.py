"""What a server costs beside this process: a second prompt, and sending a large scan. Ratios, in one run.

python benchmarks/bench_server.py
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from SATSegmentLib.engine.api import RunOptions, SegmentRequest
from SATSegmentLib.engine.local import LocalEngine
from SATSegmentLib.engine.remote import RemoteEngine
from SATSegmentLib.engine.transport.upload import send_scan
from SATSegmentLib.grid.digest import digest_of
from SATSegmentLib.resources import resource_path
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import Image

SHAPE = (300, 512, 512)
LIBRARY = Path(__file__).resolve().parents[1] / "SATSegment"


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=7, help="of each measurement (default: %(default)s)")
    arguments = parser.parse_args()
    with Server() as url:
        second_prompt(url, arguments.times)
        upload(url, arguments.times)


def second_prompt(url: str, times: int) -> None:
    """A prompt on features that are kept: here, and over HTTP, in turns."""
    image = read_scan(resource_path("Demo/itk_t1.nii.gz"))
    names = ("left putamen", "brainstem")
    options = RunOptions("demo", "cpu", "float32")
    first, second = (SegmentRequest.of(image, name, options, "mri") for name in names)
    here, there = LocalEngine(), RemoteEngine(url, "")
    for engine in (here, there):
        engine.segment(first)
    seconds: dict[str, list[float]] = {"local": [], "server": []}
    for _ in range(times):
        for name, engine in (("local", here), ("server", there)):
            seconds[name].append(timed(lambda engine=engine: engine.segment(second)))
    there.close()
    local, server = statistics.median(seconds["local"]), statistics.median(seconds["server"])
    print(f"second prompt: {local:.2f} s here, {server:.2f} s on the server: {server / local:.2f} times")


def upload(url: str, times: int) -> None:
    """A CT of 512 x 512 x 300 over HTTP, beside the same bytes through a bare socket."""
    noise = np.random.default_rng(1)
    rates: dict[str, list[float]] = {"socket": [], "server": []}
    for number in range(times):
        array = noise.integers(-1000, 1500, SHAPE, np.int16)
        array[0, 0, 0] = number
        image = Image(array, np.diag([0.8, 0.8, 1.0, 1.0]))
        rates["socket"].append(array.nbytes / bare_socket(array))
        engine = RemoteEngine(url, "")
        rates["server"].append(array.nbytes / timed(lambda engine=engine, image=image: send(engine, image)))
        engine.close()
    bare, server = statistics.median(rates["socket"]) / 1e6, statistics.median(rates["server"]) / 1e6
    print(
        f"upload of {array.nbytes / 1e6:.0f} MB: {server:.0f} MB/s, bare loopback {bare:.0f} MB/s: {server / bare:.2f}"
    )


def send(engine: RemoteEngine, image: Image) -> None:
    """What a run does before it starts: name the scan, and send it."""
    digest = digest_of(image)
    send_scan(engine.connection, image, digest, digest, lambda action: action(), lambda text: None)


def bare_socket(array: np.ndarray) -> float:
    """Seconds for the same bytes from one process to another over loopback."""
    program = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True)\n"
        "c, _ = s.accept(); b = bytearray(1 << 20)\n"
        "while c.recv_into(b): pass\n"
        "c.send(b'.')"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as receiver:
        port = int(receiver.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)) as line:

            def transfer() -> None:
                line.sendall(array.reshape(-1).view(np.uint8).data)
                line.shutdown(socket.SHUT_WR)
                line.recv(1)

            return timed(transfer)


def timed(action: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


class Server:
    """`satsegment serve` in a process of its own."""

    def __enter__(self) -> str:
        program = "import sys; from SATSegmentLib.cli import main; sys.exit(main())"
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, "serve", "--port", "0", "--device", "cpu"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(LIBRARY)},
        )
        line = self._process.stdout.readline()
        threading.Thread(target=self._process.stdout.read, daemon=True).start()
        return line.split(" on ")[1].split()[0]

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)


if __name__ == "__main__":
    main()
