"""One check in this process: `python child.py NAME DEVICE [--small]`; the last line of its output is its outcome."""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TEST = HERE.parents[1] / "SATSegment"
sys.path[:0] = [str(HERE), str(HERE.parent), str(TEST), str(TEST / "Testing")]


def answer(name: str, device: str, small: bool) -> dict[str, Any]:
    """Run a check; an error is a failure with its text."""
    from checking import Failed, NotRun, Setup, found

    setup = Setup.of(device, small)
    try:
        numbers, notes = found(name, setup)
    except NotRun as reason:
        return {"status": "not run", "numbers": {}, "notes": [str(reason)]}
    except Failed as failure:
        return {"status": "failed", "numbers": failure.numbers, "notes": failure.notes}
    except Exception as error:
        traceback.print_exc()
        return {"status": "failed", "numbers": {}, "notes": [f"{type(error).__name__}: {error}"[:300]]}
    return {"status": "passed", "numbers": numbers, "notes": notes}


if __name__ == "__main__":
    print(json.dumps(answer(sys.argv[1], sys.argv[2], "--small" in sys.argv)))
