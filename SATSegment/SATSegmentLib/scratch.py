"""Temporary folders that hold a patient's data: readable by their owner only, gone with their process, and looked for
by the next one where a process was killed.

Each has a lock file that its process holds for as long as it lives. A folder whose lock can be had was left behind.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import IO

from SATSegmentLib.errors import OutputError

PREFIX = "satsegment-"
_LOCK = ".lock"
# What a lock that another process holds is answered with; EDEADLK on Windows.
_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)
# A program that was told to end and is still in a window of the network is ended after this.
_GRACE_SECONDS = 2.0
# A process that was killed may have helpers, which share its locks and end by themselves within this.
_HELPERS_SECONDS = 10.0

# What a signal removes where the program itself gets no more time to.
_open: weakref.WeakSet[PrivateFolder] = weakref.WeakSet()


class PrivateFolder:
    """A temporary folder, made with the rights of its owner alone (0700).

    It goes when `remove` is called, when this object goes, or at the end of the interpreter.

    Parameters
    ----------
    kind : str
        Part of its name: "worker", "features".
    parent : Path or None
        Where it is made; where temporary files go by default.

    Raises
    ------
    OSError
        It cannot be made.
    """

    def __init__(self, kind: str, parent: Path | None = None) -> None:
        clear_leftovers(parent)
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{kind}-", dir=parent))
        self._lock = _hold(self.path / _LOCK)
        self._finalizer = weakref.finalize(self, _remove, self.path, self._lock)
        _open.add(self)

    def remove(self) -> None:
        """Remove it with all that is in it; does nothing the second time."""
        self._finalizer()


def clear_leftovers(parent: Path | None = None) -> None:
    """Remove the folders of processes that were killed; those of living ones stay, and those of other users."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(parent or tempfile.gettempdir()):
            if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False) and _is_left(Path(entry.path)):
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    try:
        if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
            return False
        # Without a lock file it is being made right now, or is not ours.
        with (folder / _LOCK).open("r+b") as file:
            return try_lock(file)
    except OSError:
        return False


def _hold(path: Path) -> IO[bytes]:
    """Make a lock file that is held from the moment it can be seen under its name."""
    if os.name != "posix":  # An open file cannot be renamed there; nor can another process remove its folder.
        file = path.open("w+b")
        _lock_if_possible(file)
        return file
    hidden = path.with_name(f"{path.name}.new")
    file = hidden.open("w+b")
    _lock_if_possible(file)
    hidden.rename(path)
    return file


def _lock_if_possible(file: IO[bytes]) -> None:
    # Without locks, no process looks whether the folder was left behind.
    with contextlib.suppress(OSError):
        try_lock(file)


def try_lock(file: IO[bytes]) -> bool:
    """Take the lock of an open file, which goes with it; whether nobody else has it.

    Raises
    ------
    OSError
        The file system has no locks (some of clusters).
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _HELD:
            raise
        return False
    return True


@contextlib.contextmanager
def held_folder(folder: Path) -> Iterator[None]:
    """Keep every other process from writing into a folder meanwhile; a process that is killed holds nothing.

    Raises
    ------
    OutputError
        Another process writes into it, or nobody can.
    """
    path = folder / _LOCK
    until = time.monotonic() + _HELPERS_SECONDS
    while (file := _held(path)) is None:
        if time.monotonic() > until:
            raise OutputError(
                f"Another process is writing into {folder}.", "Wait for it, end it, or choose another folder."
            )
        time.sleep(0.1)
    try:
        yield
    finally:
        if os.name == "nt":  # No open file is removed there.
            file.close()
        with contextlib.suppress(OSError):
            path.unlink()
        file.close()


def _held(path: Path) -> IO[bytes] | None:
    """An open lock file that this process holds; None where another one does."""
    try:
        file = path.open("ab")
    except OSError as error:
        raise OutputError(f"{path.parent} cannot be written to: {error.strerror}.", "Choose another folder.") from error
    free = True
    with contextlib.suppress(OSError):  # the file system has no locks
        free = try_lock(file)
    # The one before may have removed the file in between.
    with contextlib.suppress(OSError):
        if free and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
    file.close()
    return None


def _remove(path: Path, lock: IO[bytes]) -> None:
    lock.close()
    shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def ended_by_signals(*others: Path) -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a program of ours as Ctrl+C does: what it was doing is undone, nothing is left behind.

    The handler raises `SystemExit` in the main thread, which may sit in the network for a while; so a thread waits for
    two seconds, then removes the private folders itself and ends the process. A program that takes a signal for itself
    (a server that lets its clients go, a training that saves) has the time that it needs.

    Parameters
    ----------
    *others : Path
        Folders that are to go as well if a signal comes.
    """
    known = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # `nohup` has a program ignore that its terminal is closed.
    signals = [number for number in known if signal.getsignal(number) != signal.SIG_IGN]
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = {number: signal.signal(number, _raise_exit) for number in signals}
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    over = threading.Event()
    threading.Thread(target=_watch, args=(reader, set(map(int, signals)), others, over), daemon=True).start()
    try:
        yield
    except SystemExit:
        for folder in others:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        over.set()
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(writer)


def _raise_exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _watch(reader: int, signals: set[int], others: tuple[Path, ...], over: threading.Event) -> None:
    with open(reader, "rb", buffering=0) as pipe:
        while arrived := pipe.read(1):
            ours = arrived[0] in signals and signal.getsignal(arrived[0]) is _raise_exit
            if ours and not over.wait(_GRACE_SECONDS):
                for private in list(_open):
                    private.remove()
                for folder in others:
                    shutil.rmtree(folder, ignore_errors=True)
                os._exit(128 + arrived[0])
