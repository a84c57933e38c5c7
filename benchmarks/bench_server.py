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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from SATSegmentLib.engine.api import RunOptions, SegmentRequest
from SATSegmentLib.engine.local import LocalEngine
from SATSegmentLib.engine.remote import RemoteEngine
from SATSegmentLib.engine.transport.http import Connection
from SATSegmentLib.engine.transport.upload import AT_ONCE, send_scan
from SATSegmentLib.grid.digest import chunks, digest_of
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
    """A CT of 512 x 512 x 300 over HTTP, in turns with the same bytes through a bare socket, and through bare HTTP.

    The socket's receiver keeps nothing; bare HTTP is the same client and uvicorn, with an application that counts.
    """
    array = np.random.default_rng(1).integers(-1000, 1500, SHAPE, np.int16)
    seconds: dict[str, list[float]] = {"socket": [], "HTTP": [], "server": []}
    with Counting() as counting:
        for number in range(times + 1):
            array[0, 0, 0] = number  # another scan
            image = Image(array, np.diag([0.8, 0.8, 1.0, 1.0]))
            engine = RemoteEngine(url, "")
            engine.hello()
            for name, action in (
                ("socket", lambda: bare_socket(array)),
                ("HTTP", lambda: timed(lambda: bare_http(counting, array))),
                ("server", lambda engine=engine, image=image: timed(lambda: send(engine, image))),
            ):
                seconds[name].append(action())
            engine.connection.call("DELETE", f"/v1/scans/{digest_of(image)}")
            engine.close()
    # The first of each finds memory that nobody has touched yet.
    middle = {name: statistics.median(found[1:]) for name, found in seconds.items()}
    print(f"upload of {array.nbytes / 1e6:.0f} MB, named and checked: {array.nbytes / middle['server'] / 1e6:.0f} MB/s")
    for name in ("socket", "HTTP"):
        ratio = statistics.median(a / b for a, b in zip(seconds[name][1:], seconds["server"][1:], strict=True))
        print(f"  bare {name}: {array.nbytes / middle[name] / 1e6:.0f} MB/s; the upload has {ratio:.2f} of that rate")


def bare_http(url: str, array: np.ndarray) -> None:
    """The same pieces with the same client to an application that only counts them."""
    connection = Connection(url)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda piece: connection.call("PUT", "/", data=piece), chunks(array)))
    connection.close()


class Counting:
    """A bare uvicorn in a process of its own, with an application that counts what comes in."""

    def __enter__(self) -> str:
        program = (
            "import socket, uvicorn\n"
            "async def app(scope, receive, send):\n"
            "    if scope['type'] != 'http': return\n"
            "    count = 0\n"
            "    while True:\n"
            "        message = await receive()\n"
            "        count += len(message.get('body', b''))\n"
            "        if not message.get('more_body'): break\n"
            "    await send({'type': 'http.response.start', 'status': 200, 'headers': [(b'content-length', b'0')]})\n"
            "    await send({'type': 'http.response.body', 'body': b''})\n"
            "s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True)\n"
            "uvicorn.Server(uvicorn.Config(app, log_level='warning', lifespan='off')).run(sockets=[s])"
        )
        self._process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        return f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)


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
