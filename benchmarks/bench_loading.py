"""How long a converted model takes until it is ready, in a process that has PyTorch loaded.

    python benchmarks/bench_loading.py

Released layouts with seeded weights are converted in a temporary folder (3 GB), then loaded in processes of their own,
with the query vectors of all labels in a bank. The file is in the system's cache: a slow disk adds its own time.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1] / "SATSegment"
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

from helpers.models import queries  # noqa: E402
from helpers.seeded import manifest, write_released  # noqa: E402
from SATSegmentLib.anatomy.vocabulary.labels import load_labels  # noqa: E402
from SATSegmentLib.models.folder import BANK_FILE, NETWORK_FILE, ModelDescription  # noqa: E402
from SATSegmentLib.sat.checkpoint.convert import convert  # noqa: E402
from SATSegmentLib.sat.text.bank import EmbeddingBank  # noqa: E402

WINDOW = (288, 288, 96)
LOAD = """
import sys, time
sys.path.insert(0, sys.argv[1])
import torch
from SATSegmentLib import Prompt
from SATSegmentLib.inference.segmenter import Segmenter
started, spent = time.perf_counter(), time.process_time()
segmenter = Segmenter.load(sys.argv[2], device="cpu")
segmenter.queries.embed([Prompt("liver", "ct")])
print(f"{time.perf_counter() - started:.2f} {time.process_time() - spent:.2f} {'transformers' in sys.modules}")
"""


def main() -> int:
    print("model  file GB  seconds  processor seconds  transformers loaded")
    for model in ("sat_nano", "sat_pro"):
        with tempfile.TemporaryDirectory() as scratch:
            folder = _converted(model, Path(scratch))
            size = (folder / NETWORK_FILE).stat().st_size / 1e9
            for _ in range(3):
                done = subprocess.run(
                    [sys.executable, "-c", LOAD, str(ROOT), str(folder)], check=True, capture_output=True, text=True
                )
                print(f"{model}  {size:.2f}  {done.stdout.strip()}", flush=True)
    return 0


def _converted(model: str, scratch: Path) -> Path:
    released = write_released(scratch / f"{model}.pth", manifest(model)["keys"])
    folder = scratch / model
    convert(released, folder, ModelDescription(model, WINDOW, text_sha256="5eed" * 16))
    released.unlink()
    labels = sorted({(label.text, label.modality) for label in load_labels()})
    EmbeddingBank(labels, queries(len(labels), dim=768), "5eed" * 16, "seeded").save(folder / BANK_FILE)
    return folder


if __name__ == "__main__":
    raise SystemExit(main())
