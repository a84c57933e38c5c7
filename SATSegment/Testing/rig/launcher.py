"""PythonSlicer as Slicer ships it: a launcher, with the real interpreter as its child.

It passes everything through, the exit code too; a child that a signal ended is exit code 1 and a line of its own.
Run by itself: `python launcher.py NAME ARGUMENTS...` starts this interpreter with the arguments.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def writeLauncher(home: Path) -> Path:
    """`home/bin/PythonSlicer`, which starts this interpreter."""
    path = home / "bin" / "PythonSlicer"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" "$0" "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def main() -> int:
    name, arguments = sys.argv[1], sys.argv[2:]
    code = subprocess.run([sys.executable, *arguments], check=False).returncode
    if code < 0:
        print(f"error: [{name}-real] exit abnormally", file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
