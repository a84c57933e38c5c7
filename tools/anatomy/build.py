"""Build the knowledge tree and the terminology of SAT's names: `python tools/anatomy/build.py`.

Needs the packages of requirements/anatomy-build.txt, best in an environment of its own. The output is committed;
the same packages give the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import io
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import merge
import sat_names
import sources
from node import Node

RESOURCES = Path(__file__).resolve().parents[2] / "SATSegment" / "Resources" / "Anatomy"
_HERE = Path(__file__).parent


def main() -> int:
    """Read the sources, write the two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=RESOURCES, help="folder to write to (default: %(default)s)")
    arguments = parser.parse_args()
    uberon, dicom, mesh = sources.read_uberon(), sources.read_dicom(), sources.read_mesh()
    curated = sat_names.read_curated(_HERE / "names.tsv")
    nodes = merge.merge(
        uberon,
        dicom,
        mesh,
        wanted=sat_names.wanted(curated, uberon),
        names=read_pairs("human_names.tsv"),
        groups=read_groups(),
        places=read_pairs("places.tsv"),
        same=read_pairs("same.tsv"),
    )
    labels = sat_names.read_labels(RESOURCES / "sat_labels.csv")
    rows = sat_names.attach(
        labels, curated, nodes, sat_names.Codebook(dicom, sources.read_slicer(), sources.read_totalsegmentator())
    )
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "concepts.tsv.gz").write_bytes(pack(render_concepts(nodes)))
    (arguments.output / "sat_names.tsv").write_bytes(render_names(rows).encode())
    shown = sum(node.default_view for node in nodes.values())
    print(f"{len(nodes)} concepts, {shown} of them in the default view; {len(rows)} SAT names")
    return 0


def read_pairs(name: str) -> dict[str, str]:
    """A hand-made table of two columns."""
    lines = (_HERE / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t") for line in lines if line and not line.startswith("#"))


def read_groups() -> dict[int, str]:
    """DICOM context group to the concept its codes hang under."""
    return {int(group): place for group, place in read_pairs("groups.tsv").items()}


def render_concepts(nodes: dict[str, Node]) -> str:
    """The tree's table, sorted by id; the columns that `SATSegmentLib.anatomy.vocabulary.tree` reads."""
    header = "# id\tname\tsynonyms\tparents\tlaterality\tcodes\tsource\tdefault_view\tdefinition"
    lines = [_line(nodes[key]) for key in sorted(nodes)]
    return "\n".join([header, *lines]) + "\n"


def _line(node: Node) -> str:
    parents = [f"{kind}>{parent}" if kind else parent for parent, kind in node.parents.items()]
    codes = [f"{scheme}={code}" for scheme, code in sorted(node.codes.items())]
    view = "1" if node.default_view else "0"
    columns = (
        node.id,
        node.name,
        "|".join(node.synonyms),
        "|".join(parents),
        node.laterality,
        "|".join(codes),
        node.source,
        view,
        node.definition,
    )
    return "\t".join(columns)


def render_names(rows: list[dict[str, str]]) -> str:
    """The names' table; the columns that `SATSegmentLib.anatomy.vocabulary.labels` reads."""
    lines = ["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
    return "\n".join(lines) + "\n"


def pack(text: str) -> bytes:
    """Gzip without a time or a name in it, so that the same text gives the same bytes."""
    stream = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=stream, mtime=0) as packed:
        packed.write(text.encode())
    return stream.getvalue()


if __name__ == "__main__":
    raise SystemExit(main())
