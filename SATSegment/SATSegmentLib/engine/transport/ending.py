"""Why a child process is gone: killed, out of memory, or crashed, also behind a launcher that hides its exit code.

A launcher (Slicer's PythonSlicer) gives exit code 1 for any child that did not end by itself, and prints a line of its
own. So the child says more: it prints where it crashed (faulthandler), and notes its memory in a file; one that was
killed has said nothing.
"""

from __future__ import annotations

import contextlib
import faulthandler
import re
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from SATSegmentLib.engine.api import EngineError, EngineReason
from SATSegmentLib.errors import OutOfMemory, SATSegmentError
from SATSegmentLib.memory import computer_memory

MEMORY_FILE = "memory"
_NOTE_SECONDS = 0.5
# CTKAppLauncher's words; they hold the path of the interpreter, which is nothing to a user.
_LAUNCHER = re.compile(r"^error: \[.*\] exit abnormally")
_KILLED = {-signal.SIGTERM, -9, 129, 137, 143}
_CRASHED = {-4, -6, -7, -8, -10, -11, 132, 134, 135, 136, 139, 0xC0000005, 0xC00000FD, 0xC0000409}
_NO_MEMORY = {0xC0000017, 0xC000012D}
# Where so little is left, the next allocation is what ended it.
_LITTLE_LEFT = 0.05
# Of the process's own control group where it has one, else of the whole system.
_OOM_COUNTERS = (
    Path("/sys/fs/cgroup/memory.events"),
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
    Path("/proc/vmstat"),
)


def is_launcher_line(line: str) -> bool:
    """Whether a launcher printed this line, and not the child."""
    return _LAUNCHER.match(line) is not None


def oom_kills() -> int:
    """How many processes this system has ended for want of memory so far; 0 where it does not tell."""
    for path in _OOM_COUNTERS:
        with contextlib.suppress(OSError, ValueError):
            for line in path.read_text(encoding="ascii", errors="replace").splitlines():
                name, _, value = line.partition(" ")
                if name == "oom_kill":
                    return int(value)
    return 0


@dataclass(frozen=True)
class Ending:
    """What is known of a child's end.

    Attributes
    ----------
    code : int or None
        Its exit code, or its launcher's.
    lines : tuple of str
        What it printed, without the launcher's line.
    by_launcher : bool
        Whether a launcher said that it did not end by itself.
    oom_kills : int
        How many processes the system ended for want of memory while it ran.
    memory_left : float
        Share of the computer's memory that was free when it last looked; 1 where that is not known.
    """

    code: int | None
    lines: tuple[str, ...] = ()
    by_launcher: bool = False
    oom_kills: int = 0
    memory_left: float = 1.0

    @property
    def crashed(self) -> bool:
        """It ran into an error of native code."""
        return self.code in _CRASHED or self.crash != ""

    @property
    def crash(self) -> str:
        """What it said of its crash: "Segmentation fault"."""
        found = (line.partition("Fatal Python error: ")[2] for line in self.lines if "Fatal Python error: " in line)
        return next(found, "")

    @property
    def killed(self) -> bool:
        """Somebody or something else ended it."""
        if self.crashed or any(line.startswith("Traceback (most recent call last)") for line in self.lines):
            return False
        # On Windows every process that is terminated from outside has the exit code its killer gave, most often 1.
        return self.code in _KILLED or self.by_launcher or self.code == 1

    @property
    def out_of_memory(self) -> bool:
        """The computer had no memory left for it."""
        return self.code in _NO_MEMORY or (self.killed and (self.oom_kills > 0 or self.memory_left < _LITTLE_LEFT))

    def error(self) -> SATSegmentError:
        """The end as an error that a user can read."""
        if self.out_of_memory:
            return OutOfMemory(
                "The computer ran out of memory, and the segmentation process was ended. Nothing was lost.",
                "Close other programs, choose a smaller model or fewer structures, and run it again.",
            )
        if self.killed:
            return EngineError(
                "The segmentation process was ended from outside, by a person or by the system. Nothing was lost.",
                "Run it again. If it happens again, close other programs: the computer may be short of memory.",
                EngineReason.KILLED,
            )
        remedy = "Run it again; if it happens again, report it with the log."
        if self.crashed:
            code = "" if self.by_launcher or self.code in _CRASHED else f"exit code {self.code}"
            said = "; ".join(part for part in (self.crash, code) if part)
            message = f"The segmentation process crashed{f' ({said})' if said else ''}. Nothing was lost."
            return EngineError(message, remedy, EngineReason.CRASHED, said)
        said = self.crash or next((line for line in reversed(self.lines) if line.strip()), "")
        message = f"The segmentation process ended unexpectedly (exit code {self.code}). Nothing was lost. {said}"
        return EngineError(message.strip(), remedy, EngineReason.ENDED, str(self.code))


def memory_left(folder: str) -> float:
    """What the child last noted in its folder; 1 where it noted nothing."""
    with contextlib.suppress(OSError, ValueError):
        return float((Path(folder) / MEMORY_FILE).read_text(encoding="ascii"))
    return 1.0


def say_last_words(folder: str) -> None:
    """In the child: print where native code crashes, and note in `folder` how much memory is left, twice a second."""
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        faulthandler.enable(sys.stderr, all_threads=False)
    threading.Thread(target=_note_memory, args=(Path(folder) / MEMORY_FILE,), daemon=True).start()


def _note_memory(path: Path) -> None:
    # Without psutil nothing is noted.
    with contextlib.suppress(OSError, ModuleNotFoundError):
        while path.parent.is_dir():
            memory = computer_memory()
            path.write_text(f"{memory.free / max(memory.total, 1):.4f}", encoding="ascii")
            time.sleep(_NOTE_SECONDS)
