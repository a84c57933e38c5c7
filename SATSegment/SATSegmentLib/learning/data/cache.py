"""Preprocessed cases, made once and kept: the key is the content they were made from."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from SATSegmentLib.errors import OutputError, SATSegmentError, SATSegmentWarning
from SATSegmentLib.files import atomic_path
from SATSegmentLib.learning.data.case_files import FORMAT, StoredCase, find_case, write_case
from SATSegmentLib.learning.data.errors import Problem, RecordError
from SATSegmentLib.learning.data.merging import MergeRule, built_in_rules
from SATSegmentLib.learning.data.preprocess import label_groups, preprocess
from SATSegmentLib.learning.data.records import Record
from SATSegmentLib.types import RELEASED_SPACING, Modality, Progress

RulesFor = Callable[[Modality], Sequence[MergeRule]]


@dataclass(frozen=True)
class CaseList:
    """Preprocessed cases.

    Attributes
    ----------
    cases : tuple[tuple[Record, StoredCase], ...]
        Each record's cases (one for each orientation its labels are trained in), in the order of the records.
    skipped : tuple[Problem, ...]
        Problems of records that were left out; empty unless skipping was asked for.
    lost : tuple[Problem, ...]
        Labels that vanish on the network's grid; see `PreprocessedCase.lost`.
    never_present : tuple[Problem, ...]
        Labels that were annotated but are in no scan, each once, with where it first occurs.
    """

    cases: tuple[tuple[Record, StoredCase], ...]
    skipped: tuple[Problem, ...] = ()
    lost: tuple[Problem, ...] = ()
    never_present: tuple[Problem, ...] = ()


class CaseCache:
    """A folder of preprocessed cases.

        cache = CaseCache("cache", (1, 1, 3))
        cases = cache.prepare(records)

    Parameters
    ----------
    folder : str | os.PathLike[str]
        Created where it is missing. Several processes may share it.
    spacing : tuple[float, float, float], optional
        Millimetres along the network's axes.
    rules_for : RulesFor, optional
        Which labels follow from others, for each modality; `lambda modality: ()` for none.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        spacing: tuple[float, float, float] = RELEASED_SPACING,
        rules_for: RulesFor = built_in_rules,
    ) -> None:
        self.folder = Path(folder).expanduser()
        self.spacing = spacing
        self.rules_for = rules_for
        try:
            (self.folder / "digests").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"The folder {self.folder} cannot be made.", "Choose another place.") from error

    def prepare(
        self,
        records: Sequence[Record],
        *,
        skip_bad: bool = False,
        workers: int = 1,
        progress: Callable[[Progress], None] | None = None,
    ) -> CaseList:
        """Preprocess what is not in the folder yet.

        Parameters
        ----------
        skip_bad : bool, optional
            Leave bad records out, with a warning, rather than refuse them all.
        workers : int, optional
            How many cases to make at a time; each holds one scan in memory.

        Raises
        ------
        RecordError
            Lists every record whose files cannot be used.
        OutputError
            The folder cannot be written to, or the disk is full.
        """
        cases: list[tuple[Record, StoredCase]] = []
        problems: list[Problem] = []
        lost: list[Problem] = []
        with ThreadPoolExecutor(max(workers, 1)) as pool:
            for number, (record, made) in enumerate(zip(records, pool.map(self._try, records), strict=True), start=1):
                if isinstance(made, Problem):
                    problems.append(made)
                else:
                    cases += [(record, case) for case in made]
                    lost += [Problem(record.place, _about_lost(case)) for case in made if case.lost]
                if progress:
                    progress(Progress(number / len(records), f"scan {number} of {len(records)}"))
        if problems and (not skip_bad or not cases):
            raise RecordError(problems)
        _warn("Some records were skipped", problems)
        _warn("Some structures are lost on the network's grid and are not learnt from these scans", lost)
        never = tuple(_never_present(cases))
        _warn("Some labels have no voxel in any scan: is their value right?", never)
        return CaseList(tuple(cases), tuple(problems), tuple(lost), never)

    def _try(self, record: Record) -> tuple[StoredCase, ...] | Problem:
        try:
            return self._cases(record)
        except OutputError:
            raise
        except SATSegmentError as error:
            return Problem(record.place, error.message.rstrip("."))
        except OSError as error:
            return Problem(record.place, f"a file cannot be read: {error.strerror or error}")

    def _cases(self, record: Record) -> tuple[StoredCase, ...]:
        rules = self.rules_for(record.modality)
        key = self._key(record, rules)
        groups = label_groups(record, rules)
        there = [find_case(self.folder / f"{key}.{orientation}") for orientation in groups]
        found = tuple(case for case in there if case)
        if len(found) == len(groups):
            return found
        made = preprocess(record, rules, self.spacing)
        return tuple(write_case(case, self.folder / f"{key}.{orientation}") for orientation, case in made.items())

    def _key(self, record: Record, rules: Sequence[MergeRule]) -> str:
        masks = [(m.label, self._digest(m.path), m.kind, m.values, m.allowed, m.segment) for m in record.masks]
        used = sorted(label_groups(record, rules).items())
        content = [FORMAT, self._digest(record.image), masks, record.modality, list(self.spacing), used]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]

    def _digest(self, path: Path) -> str:
        """SHA-256 of a file's content (or a folder's files); kept for as long as size and time stay the same."""
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        return hashlib.sha256("".join(map(self._file_digest, files)).encode()).hexdigest()

    def _file_digest(self, path: Path) -> str:
        status = path.stat()
        state = [status.st_size, status.st_mtime_ns]
        memory = self.folder / "digests" / f"{hashlib.sha256(str(path).encode()).hexdigest()[:32]}.json"
        try:
            known = json.loads(memory.read_text(encoding="utf-8"))
            if known[:2] == state:
                return str(known[2])
        except (OSError, ValueError, TypeError, KeyError):
            pass
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        with atomic_path(memory, overwrite=True) as temporary:
            temporary.write_text(json.dumps([*state, digest]), encoding="utf-8")
        return digest


def _about_lost(case: StoredCase) -> str:
    return f"{', '.join(case.lost)} (smaller than the grid's voxels, or outside the foreground)"


def _never_present(cases: Sequence[tuple[Record, StoredCase]]) -> Iterator[Problem]:
    present = {(record.modality, label.label) for record, case in cases for label in case.present}
    seen = set(present)
    for record, case in cases:
        for label in case.labels:
            if (record.modality, label.label) not in seen:
                seen.add((record.modality, label.label))
                yield Problem(record.place, f'"{label.label}" ({record.modality.upper()})')


def _warn(what: str, problems: Sequence[Problem]) -> None:
    if problems:
        listed = "\n".join(map(str, problems))
        warnings.warn(f"{what}:\n{listed}", SATSegmentWarning, stacklevel=3)
