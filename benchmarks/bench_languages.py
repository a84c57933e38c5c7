"""What names in other languages add to loading, and how long a keystroke in each language takes beside an English one.

    python benchmarks/bench_languages.py

Both are ratios of processor time within one run, so that a busy machine tells the same.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "SATSegment"))

# Every so many labels, letter by letter.
_EVERY = 40


def main() -> int:
    from SATSegmentLib import anatomy
    from SATSegmentLib.anatomy.languages.display import local_name
    from SATSegmentLib.anatomy.languages.grammar import LANGUAGES
    from SATSegmentLib.anatomy.suggestions.other_languages import preload_languages

    started = time.process_time()
    preload_languages()
    languages = time.process_time() - started
    anatomy.preload("ct")
    english_only = time.process_time() - started - languages
    print(f"loading: {1 + languages / english_only:.2f} times that without languages")
    anatomy.preload("mri")
    labels = anatomy.load_labels()[::_EVERY]
    english = _keystrokes([(label.text, label.modality) for label in labels])
    print(f"en: median {statistics.median(english):.2f} ms, p99 {statistics.quantiles(english, n=100)[98]:.2f} ms")
    for language in LANGUAGES:
        waits = _keystrokes([(local_name(label.text, language), label.modality) for label in labels], language)
        ratio = statistics.median(waits) / statistics.median(english)
        p99 = statistics.quantiles(waits, n=100)[98] / statistics.quantiles(english, n=100)[98]
        print(f"{language}: median {ratio:.2f} times, p99 {p99:.2f} times that of English")
    return 0


def _keystrokes(texts: list[tuple[str, str]], language: str = "en") -> list[float]:
    from SATSegmentLib import anatomy
    from SATSegmentLib.anatomy.suggestions import ranking

    waits = []
    for text, modality in texts:
        ranking.forget()
        for end in range(1, len(text) + 1):
            started = time.process_time()
            anatomy.search(text[:end], modality, language=language)  # type: ignore[arg-type]
            waits.append((time.process_time() - started) * 1000)
    return waits


if __name__ == "__main__":
    raise SystemExit(main())
