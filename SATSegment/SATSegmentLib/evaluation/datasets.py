"""Which dataset a case belongs to, and its modality where they are mixed."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from SATSegmentLib.errors import SATSegmentError
from SATSegmentLib.types import Modality, modality_named

DEFAULT_DATASET = "dataset"


@dataclass(frozen=True)
class Datasets:
    """Dataset and modality of each case.

    Attributes
    ----------
    modality : Modality
        Of all cases that `cases` does not say otherwise of.
    name : str
        The dataset all cases belong to, where there is no table.
    cases : Mapping[str, tuple[str, Modality]]
        Case -> (dataset, modality); where it is not empty, every case must be in it.
    """

    modality: Modality
    name: str = DEFAULT_DATASET
    cases: Mapping[str, tuple[str, Modality]] = field(default_factory=dict)

    def of(self, case: str) -> tuple[str, Modality]:
        """Dataset and modality of a case.

        Raises
        ------
        SATSegmentError
            There is a table, and the case is not in it.
        """
        if not self.cases:
            return self.name, self.modality
        if case not in self.cases:
            raise SATSegmentError(f'The table of datasets does not name the case "{case}".', "Add a line for it.")
        return self.cases[case]


def read_datasets(name_or_table: str | None, modality: Modality) -> Datasets:
    """A dataset's name, or the path of a CSV table with the columns case, dataset and, optionally, modality.

    Raises
    ------
    SATSegmentError
        The table cannot be read, lacks a column, or names a case twice.
    """
    if name_or_table is None:
        return Datasets(modality)
    path = Path(name_or_table).expanduser()
    if not name_or_table.lower().endswith(".csv"):
        return Datasets(modality, name_or_table)
    cases: dict[str, tuple[str, Modality]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            for row in csv.DictReader(stream):
                case, dataset = (row["case"] or "").strip(), (row["dataset"] or "").strip()
                own = modality_named((row.get("modality") or "").strip() or modality)
                if not case or not dataset or own is None or case in cases:
                    raise SATSegmentError(
                        f'{path} has a line for the case "{case}" that is incomplete, repeated or without a modality.',
                        "Each case needs one line: case,dataset or case,dataset,modality (ct, mri or pet).",
                    )
                cases[case] = (dataset, own)
    except OSError as error:
        raise SATSegmentError(f"{path} cannot be read: {error.strerror or error}.", "Give a CSV table.") from error
    except (KeyError, UnicodeDecodeError) as error:
        raise SATSegmentError(
            f"{path} is not a table of cases and datasets.",
            "Its first line must be: case,dataset or case,dataset,modality",
        ) from error
    if not cases:
        raise SATSegmentError(f"{path} names no case.", "Add a line for each case: case,dataset")
    return Datasets(modality, cases=cases)
