"""How many of 200 spoiled results are flagged for the right reason, and how many sound ones are flagged at all.

    python benchmarks/bench_flags.py [--head SCAN LABELS ...] [--spoiled 200] [--seed 0] [--held-out]

Sound: the reference labels of the demonstration head and of the chest CT, and of other heads with SAMSEG's labels
where they are given. Spoiled, in turn: sides exchanged, shifted by 30 mm or half its width, scaled by 1.7 or 0.55, with
a piece of a tenth of its volume elsewhere, put on a scan of another part of the body. With --held-out, in ways that no
rule or range was set by: turned by 90 degrees, pushed aslant by 40 to 80 mm, stretched to 3 times or a third along one
axis, the mask of another structure, all of them mirrored.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent / "SATSegment"
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

from helpers.sound_results import chest, demo_head, head  # noqa: E402
from helpers.spoiled_results import spoil  # noqa: E402
from SATSegmentLib.quality import assess  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", nargs=2, action="append", default=[], type=Path, metavar=("SCAN", "LABELS"))
    parser.add_argument("--spoiled", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--alone", action="store_true", help="judge each spoiled result without the others")
    parser.add_argument("--held-out", action="store_true", help="spoil in ways that no rule was set by")
    arguments = parser.parse_args()
    cases = [demo_head(), chest(), *(head(scan, labels, scan.name) for scan, labels in arguments.head)]
    sound = flagged = 0
    seconds = time.perf_counter()
    for case in cases:
        for one in assess(case.image, case.results):
            sound += 1
            flagged += bool(one.flags)
            for flag in one.flags:
                print(f"sound, but flagged: {case.name}: {one.prompt.text}: {flag.text} ({flag.reason})")
    seconds = time.perf_counter() - seconds
    right, missed, total = Counter(), Counter(), Counter()
    for one in spoil(cases, arguments.spoiled, arguments.seed, arguments.held_out):
        given = [one.case.results[one.number]] if arguments.alone else one.case.results
        result = assess(one.case.image, given)[0 if arguments.alone else one.number]
        kinds = {flag.kind for flag in result.flags}
        total[one.how] += 1
        right[one.how] += bool(kinds & one.reasons)
        if not kinds & one.reasons:
            missed[one.how] += 1
            print(f"missed: {one.how}: {one.case.name}: {one.text}: {', '.join(kinds) or 'no flag'}")
    for how, count in total.items():
        print(f"{how:<16} {right[how]:3d} of {count:3d} flagged with a right reason")
    print(f"spoiled: {right.total() / total.total():.1%} of {total.total()} flagged with a right reason")
    print(f"sound:   {flagged / sound:.1%} of {sound} flagged; {seconds / sound * 1000:.0f} ms a structure")


if __name__ == "__main__":
    main()
