"""One window by one thread and by several: this version, another checkout, plain layers, conv3d itself and OpenVINO.

    git worktree add ../before 77112a2
    python benchmarks/bench_threads.py ../before                                      all of it, then the tables
    python benchmarks/bench_threads.py ../before --pieces float32 busy-bfloat16       some pieces
    python benchmarks/bench_threads.py ../before --pieces                             none: what was measured, as tables

The encoder of SAT-Nano's widths on 96x96x96 voxels, weights synthetic and seeded. It runs in pieces of a minute or
two, each kept as a file in --out, so that a run which was ended goes on where it was. A file counts for the checkouts'
code as it was; when that changes, its pieces are run again. A piece is one round:

    convert          the network for OpenVINO, where that is installed (`pip install satsegment[bench]`)
    PRECISION        this, the other checkout and conv3d with one thread and with two
    rivals-PRECISION this, plain layers and OpenVINO with two threads; alone-PRECISION: with one
    many-PRECISION   two threads and four times as many as there are cores; with more than two cores: 1, 2, 4 ... 16
    busy-PRECISION   two threads, while another process keeps each core busy
    memory-PRECISION the highest resident memory of a new process that encodes one window

Each way runs in a process of its own and takes turns with the others, in the other order in the next round. Seconds are
medians over the rounds, ratios the medians of each round's. OpenVINO takes the whole network, converted by
`openvino.convert_model`; compiling is not counted, and neither is the first window of a process. A way that takes
longer than --patience for a window is left out, and shown as ">" with those seconds; its ratios are bounds.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
PRECISIONS = ("float32", "bfloat16")
THIS, OTHER = "this", "other"
_CONVERTING = 140.0  # seconds at most
Measured = dict[str, Any]  # one round of a piece, as it is kept
Row = dict[str, str | float]
Key = tuple[str, int]  # a way, and how many threads


@dataclass(frozen=True)
class Piece:
    """What one run of two minutes measures.

    Attributes
    ----------
    kind, precision : str
        "turns", "rivals", "alone", "many", "busy" or "memory"; "float32" or "bfloat16".
    ways : tuple of str
        "this", "other", "layers", "conv3d", "openvino".
    threads : tuple of int
        Each way is run with each of them.
    """

    kind: str
    precision: str
    ways: tuple[str, ...]
    threads: tuple[int, ...]

    @property
    def name(self) -> str:
        """As in --pieces."""
        return self.precision if self.kind == "turns" else f"{self.kind}-{self.precision}"


def main() -> int:
    options = _options()
    pieces = {piece.name: piece for piece in _pieces(bool(options.other), options.side)}
    asked = list(pieces) if options.pieces is None else [name for name in options.pieces if name != "convert"]
    if unknown := set(asked) - set(pieces):
        raise SystemExit(f"No such piece: {', '.join(sorted(unknown))}. There are: convert, {', '.join(pieces)}.")
    bench = Bench(options)
    bench.out.mkdir(parents=True, exist_ok=True)
    if options.pieces is None or "convert" in options.pieces:
        bench.convert()
    for number in range(options.rounds):
        for name in asked:
            bench.run(pieces[name], number)
    for title, rows in tables({name: bench.kept(piece) for name, piece in pieces.items()}, pieces).items():
        if rows:
            _show(title, rows)
            _write(bench.out / f"{title.split(' ')[0]}.csv", rows)
    return 0


def _pieces(other: bool, side: int) -> Iterator[Piece]:
    cores = _cores()
    before = (OTHER,) if other else ()
    openvino = ("openvino",) if importlib.util.find_spec("openvino") else ()
    many = tuple(1 << power for power in range(5) if 1 << power <= cores) if cores > 2 else (2, 4 * cores)
    for precision in PRECISIONS:
        yield Piece("turns", precision, (THIS, *before, "conv3d"), (1, 2))
        yield Piece("rivals", precision, (THIS, "layers", *openvino), (2,))
        yield Piece("alone", precision, (THIS, "layers", *openvino), (1,))
        yield Piece("many", precision, (THIS, *before, "layers", "conv3d"), many)
        yield Piece("busy", precision, (THIS, *before, "layers"), (2,))
        yield Piece("memory", precision, (THIS, *before), (1, 2))


class Bench:
    """Runs pieces, and keeps and finds what they measured."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.out: Path = options.out
        self._side, self._patience = options.side, options.patience
        self._trees = {THIS: HERE} | ({OTHER: options.other.resolve()} if options.other else {})
        self._code = {name: _code_of(tree) for name, tree in self._trees.items()}
        self._model = self.out / f"openvino-{self._side}" / "nano.xml"

    def convert(self) -> None:
        """The network for OpenVINO, once."""
        if not self._model.exists() and importlib.util.find_spec("openvino"):
            self._model.parent.mkdir(parents=True, exist_ok=True)
            with self._started("convert", "float32", _CONVERTING) as child:
                child.wait()
                seconds = child.seconds(_cores())
                _say(f"convert: {'too long, OpenVINO is left out' if seconds is None else f'{seconds:.0f} s'}")

    def kept(self, piece: Piece) -> list[Measured]:
        """All rounds that were measured with this code."""
        found = [json.loads(path.read_text()) for path in sorted(self.out.glob(f"{piece.name}.*.json"))]
        return [one for one in found if one["code"].items() <= self._code.items()]

    def run(self, piece: Piece, number: int) -> None:
        """What is missing of a round; each number is kept at once."""
        path = self.out / f"{piece.name}.{number + 1}.json"
        before, ways = self.kept(piece), [way for way in piece.ways if way != "openvino" or self._model.exists()]
        late = {key for one in before for key, seconds in one["results"].items() if seconds is None}
        there = json.loads(path.read_text()) if path.exists() else None
        code = {name: code for name, code in self._code.items() if name == THIS or OTHER in ways}
        new = {"code": code, "patience": self._patience, "computed in": {}, "results": dict.fromkeys(late)}
        kept = there if there in before else new
        keys = [
            (way, threads) for way in ways for threads in piece.threads if f"{way} {threads}" not in kept["results"]
        ]
        measure = self._memory if piece.kind == "memory" else self._turns
        for (way, threads), value, computed in measure(piece, keys if number % 2 else keys[::-1]):
            kept["results"][f"{way} {threads}"] = value
            kept["computed in"][way] = computed
            path.write_text(json.dumps(kept, indent=1))
            _say(f"{piece.name} {way} {threads}: {value}")

    def _turns(self, piece: Piece, keys: list[Key]) -> Iterator[tuple[Key, float | None, str]]:
        """Seconds; None for what took too long."""
        with ExitStack() as stack:
            names = dict.fromkeys(way for way, _ in keys)
            children = {way: stack.enter_context(self._started(way, piece.precision)) for way in names}
            for child in children.values():
                child.wait()
            for way, threads in keys:
                if not children[way].ended and not children[way].prepare(threads):
                    yield (way, threads), None, children[way].computed
            if piece.kind == "busy":
                stack.enter_context(_busy(_cores()))
            for way, threads in keys:
                if not children[way].ended:
                    yield (way, threads), children[way].seconds(threads), children[way].computed

    def _memory(self, piece: Piece, keys: list[Key]) -> Iterator[tuple[Key, float, str]]:
        """Bytes, each of a new process; none for what took too long."""
        for way, threads in keys:
            with self._started(way, piece.precision) as child:
                child.wait()
                if child.seconds(threads) is not None:
                    yield (way, threads), child.peak(), child.computed

    @contextmanager
    def _started(self, way: str, precision: str, patience: float | None = None) -> Iterator[Child]:
        tree, path = self._trees.get(way, HERE), "slabs" if way in self._trees else way
        child = Child(tree, path, precision, self._side, self._model, patience or self._patience)
        try:
            yield child
        finally:
            child.end()


class Child:
    """A process that takes windows one way; see window_ways.py."""

    def __init__(self, tree: Path, way: str, precision: str, side: int, model: Path, patience: float) -> None:
        command = [sys.executable, "-W", "ignore", str(HERE / "benchmarks" / "window_ways.py")]
        own = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
        self._process = subprocess.Popen(
            [*command, str(tree), way, precision, str(side), str(model)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if name not in own},
        )
        self._name, self._patience = f"{way} in {tree}", patience
        self.computed, self.ended = "", False

    def wait(self) -> None:
        """Until it is ready."""
        while (line := self._line()).split(" ")[0] != "ready":
            if not line:
                raise SystemExit(f"{self._name} did not start.")
        self.computed = line.split()[1]

    def prepare(self, threads: int) -> bool:
        """Do what is not timed: OpenVINO compiles, and a first window is computed; whether that ended in time."""
        return bool(self._asked(f"prepare {threads}"))

    def seconds(self, threads: int) -> float | None:
        """Of a window; None where it takes too long, and from then on."""
        answer = self._asked(f"seconds {threads}")
        return float(answer) if answer else None

    def peak(self) -> float:
        """The highest resident memory so far, in bytes."""
        return float(self._asked("peak"))

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _asked(self, question: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        timer = threading.Timer(self._patience, self._process.kill)
        timer.start()
        try:
            answer = self._line()
        finally:
            timer.cancel()
        self.ended = not answer
        return answer

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def _busy(count: int) -> Iterator[None]:
    children = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for child in children:
            child.kill()
            child.wait()


def tables(rounds: dict[str, list[Measured]], pieces: dict[str, Piece]) -> dict[str, list[Row]]:
    """What was measured, and beside each target what was reached."""
    times = [row for name, piece in pieces.items() if piece.kind != "memory" for row in _times(piece, rounds[name])]
    memory = [row for name, piece in pieces.items() if piece.kind == "memory" for row in _peaks(piece, rounds[name])]
    return {"seconds": times, "memory": memory, "targets": _targets(rounds, pieces)}


def _times(piece: Piece, rounds: list[Measured]) -> Iterator[Row]:
    first = piece.threads[0]
    for way in piece.ways:
        for threads in piece.threads:
            seconds = _values(rounds, f"{way} {threads}")
            if seconds:
                of_conv = _ratio(rounds, f"conv3d {first}", f"conv3d {threads}")
                speedup = _ratio(rounds, f"{way} {first}", f"{way} {threads}")
                yield {
                    "precision": piece.precision,
                    "piece": piece.kind,
                    "way": way,
                    "computed in": rounds[0]["computed in"].get(way, piece.precision),
                    "threads": str(threads),
                    "rounds": str(len(rounds)),
                    "seconds": _median_text(rounds, f"{way} {threads}"),
                    "speed-up": speedup,
                    "of conv3d's": speedup / of_conv,
                    "over this": _ratio(rounds, f"{way} {threads}", f"{THIS} {threads}"),
                }


def _peaks(piece: Piece, rounds: list[Measured]) -> Iterator[Row]:
    for way in piece.ways:
        for threads in piece.threads:
            if peaks := _values(rounds, f"{way} {threads}"):
                over = _ratio(rounds, f"{way} {threads}", f"{THIS} {threads}")
                yield {
                    "precision": piece.precision,
                    "way": way,
                    "threads": str(threads),
                    "peak GB": statistics.median(peaks) / 1e9,
                    "over this": over,
                }


def _targets(rounds: dict[str, list[Measured]], pieces: dict[str, Piece]) -> list[Row]:
    rows = []

    def target(what: str, precision: str, reached: float, least: float = 0.0, most: float = float("inf")) -> None:
        if reached == reached:  # was measured
            wanted = f">= {least:.2f}" if least else f"<= {most:.2f}"
            good = "yes" if least <= reached <= most else "no"
            rows.append(
                {"target": what, "precision": precision, "wanted": wanted, "measured": reached, "reached": good}
            )

    for precision in PRECISIONS:
        turns = rounds[precision]
        rivals, many, busy, memory = (rounds[f"{kind}-{precision}"] for kind in ("rivals", "many", "busy", "memory"))
        share = _ratio(turns, "this 1", "this 2") / _ratio(turns, "conv3d 1", "conv3d 2")
        target("2 threads, speed-up over conv3d's", precision, share, least=0.95)
        ahead = 1.3 if precision == "float32" else 1.5
        target("2 threads, ahead of OpenVINO", precision, _ratio(rivals, "openvino 2", "this 2"), least=ahead)
        target("1 thread, ahead of the other checkout", precision, _ratio(turns, "other 1", "this 1"), least=1.0)
        target("busy cores, over plain layers", precision, _ratio(busy, "this 2", "layers 2"), most=1.0)
        last = pieces[f"many-{precision}"].threads[-1]
        target(f"{last} threads over 2", precision, _ratio(many, f"this {last}", "this 2"), most=1.0)
        for threads in (1, 2):
            over = _ratio(memory, f"this {threads}", f"other {threads}")
            target(f"resident memory over the other's, {threads} threads", precision, over, most=1.0)
    return rows


def _values(rounds: list[Measured], key: str) -> list[float]:
    """Of all rounds; where a way took too long, what it took at least."""
    found = [(one["results"][key], one["patience"]) for one in rounds if key in one["results"]]
    return [patience if value is None else value for value, patience in found]


def _ratio(rounds: list[Measured], numerator: str, denominator: str) -> float:
    both = [one for one in rounds if {numerator, denominator} <= set(one["results"])]
    ratios = [one / other for one, other in zip(_values(both, numerator), _values(both, denominator), strict=True)]
    return statistics.median(ratios) if ratios else float("nan")


def _median_text(rounds: list[Measured], key: str) -> str:
    late = any(one["results"].get(key, 0) is None for one in rounds)
    return (">" if late else "") + f"{statistics.median(_values(rounds, key)):.2f}"


def _show(title: str, rows: list[Row]) -> None:
    widths = {name: max(len(name), *(len(_text(row[name])) for row in rows)) for name in rows[0]}
    print(f"\n{title}")
    print("  ".join(f"{name:<{width}}" for name, width in widths.items()))
    for row in rows:
        print("  ".join(f"{_text(row[name]):<{width}}" for name, width in widths.items()))


def _write(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({name: _text(value) for name, value in row.items()} for row in rows)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}"


def _code_of(tree: Path) -> str:
    """Tells one version of a checkout's network from another."""
    made = hashlib.sha256()
    for path in sorted((tree / "SATSegment" / "SATSegmentLib" / "sat").rglob("*.py")):
        made.update(path.read_bytes())
    return made.hexdigest()[:16]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, nargs="?", help="another checkout of this repository")
    parser.add_argument("--pieces", nargs="*", help="those to run; all by default")
    parser.add_argument("--rounds", type=int, default=3, help="of each piece, those included that are there")
    parser.add_argument("--side", type=int, default=96, help="voxels of the window along each axis")
    parser.add_argument(
        "--patience", type=float, default=60.0, help="seconds of a window after which a way is left out"
    )
    parser.add_argument("--out", type=Path, default=HERE / "build" / "bench" / "threads")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
