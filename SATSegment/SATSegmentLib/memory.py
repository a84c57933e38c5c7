"""The computer's memory as far as this process may use it: a container or a batch job has a limit of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Where Linux tells of control groups: https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/memory.html.
_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")


@dataclass(frozen=True)
class Memory:
    """Bytes.

    Attributes
    ----------
    total : int
        What this process could have at most.
    free : int
        What it may still take; the system's cache of files counts as free.
    """

    total: int
    free: int


def computer_memory() -> Memory:
    """The computer's memory, or what the limits of this process's control groups leave of it.

    A batch system (SLURM's `--mem`), Docker and Kubernetes end a process that goes beyond, whatever the computer has.

    Raises
    ------
    ModuleNotFoundError
        psutil is not installed.
    """
    import psutil

    whole = psutil.virtual_memory()
    tightest = min([Memory(whole.total, whole.available), *_limits()], key=lambda one: one.free)
    return Memory(tightest.total, max(tightest.free, 0))


def _limits() -> Iterator[Memory]:
    """Of this process's groups and all groups around them: each of them counts."""
    with contextlib.suppress(OSError, ValueError):  # no Linux, or lines that are not as they should be
        for line in _OWN_GROUPS.read_text(encoding="utf-8", errors="replace").splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                yield from _upwards(_GROUPS, path, "memory.max", "memory.current", "")
            elif "memory" in controllers.split(","):
                yield from _upwards(
                    _GROUPS / "memory", path, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"
                )


def _upwards(root: Path, path: str, most: str, used: str, prefix: str) -> Iterator[Memory]:
    group = root / path.strip("/")
    # In a container the path is often one of the computer outside, where nothing can be seen.
    if ".." in group.parts or not group.is_dir():
        group = root
    for folder in (group, *group.parents):
        with contextlib.suppress(OSError, ValueError):  # the outermost group has no limit, and no such file
            limit = int((folder / most).read_text(encoding="ascii"))  # "max" is none
            taken = int((folder / used).read_text(encoding="ascii"))
            fields = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
            cached = sum(int(fields.get(f"{prefix}{kind}_file", 0)) for kind in ("active", "inactive"))
            yield Memory(limit, limit - taken + cached)
        if folder == root:
            return
