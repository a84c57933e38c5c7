"""`fetch` in a process of its own, as in use: huggingface_hub reads its environment once, when it is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from SATSegmentLib.engine.offline import download_environment

LIBRARY = Path(__file__).resolve().parents[2]

_SCRIPT = """
import json, resource, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from SATSegmentLib.errors import SATSegmentError
from SATSegmentLib.models.download import Wanted, fetch
job = json.loads(sys.argv[2])
if job.get("largest_file"):
    resource.setrlimit(resource.RLIMIT_FSIZE, (job["largest_file"],) * 2)
seen = []
def tell(progress):
    seen.append([progress.fraction, progress.stage, progress.seconds_left])
def cancel():
    return bool(job.get("cancel_at")) and bool(seen) and seen[-1][0] >= job["cancel_at"]
try:
    wanted = [Wanted(**one) for one in job["wanted"]]
    files = fetch(wanted, Path(job["folder"]), tell, cancel, job.get("spare_bytes", 0))
    print(json.dumps({"files": [str(one) for one in files], "seen": seen}))
except SATSegmentError as error:
    print(json.dumps({"error": error.as_dict(), "seen": seen}))
"""


def run_fetch(
    endpoint: str,
    folder: Path,
    wanted: list[dict[str, Any]],
    environment: Mapping[str, str] | None = None,
    **job: Any,
) -> dict[str, Any]:
    """What `fetch` answered: {"files" or "error", "seen": [fraction, stage, seconds left]...}."""
    job = {"folder": str(folder), "wanted": wanted, **job}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(LIBRARY), json.dumps(job)],
        env=download_environment({**os.environ, "HF_ENDPOINT": endpoint, **(environment or {})}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
