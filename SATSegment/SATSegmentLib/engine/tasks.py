"""What the worker can do beside segmenting: download files, convert a checkpoint, try a device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from SATSegmentLib.errors import Cancelled, DeviceError
from SATSegmentLib.types import Progress

_Tell = Callable[[Progress], None]
_Asked = Callable[[], bool]


def run(message: dict[str, Any], progress: _Tell, cancel: _Asked) -> Any:
    """Do what a message asks for; returns something that JSON can hold.

    Raises
    ------
    SATSegmentError: as the task itself.
    """
    return _TASKS[message["type"]](message, progress, cancel)


def _download(message: dict[str, Any], progress: _Tell, cancel: _Asked) -> list[str]:
    """{wanted: [{repository, path, optional}], target, spare_bytes} -> files."""
    from SATSegmentLib.models.download import Wanted, fetch

    wanted = [Wanted(**one) for one in message["wanted"]]
    files = fetch(wanted, Path(message["target"]), progress, cancel, message["spare_bytes"])
    return [str(path) for path in files]


def _convert(message: dict[str, Any], progress: _Tell, cancel: _Asked) -> str:
    """{network, text_encoder, language_model, out, name} -> the model's folder."""
    from SATSegmentLib.anatomy.vocabulary.labels import load_labels
    from SATSegmentLib.models.folder import ModelDescription
    from SATSegmentLib.sat.checkpoint.convert import convert

    progress(Progress(0.0, "reading the weights"))
    convert(
        Path(message["network"]),
        Path(message["out"]),
        ModelDescription(message["name"]),
        text_encoder=Path(message["text_encoder"]),
        language_model=Path(message["language_model"]),
        labels=[(label.text, label.modality) for label in load_labels()],
        overwrite=True,
        progress=progress,
        cancel=cancel,
    )
    return message["out"]


def _check_device(message: dict[str, Any], progress: _Tell, cancel: _Asked) -> dict[str, Any]:
    """{device} -> {device, name, torch, memory_bytes}: what a tensor operation was run on."""
    progress(Progress(0.0, "loading PyTorch"))
    import torch

    from SATSegmentLib.inference.device import choose_device

    if cancel():
        raise Cancelled
    device = choose_device(message["device"])
    try:
        # A convolution, because a build without kernels for a new card still adds numbers on it.
        weights = torch.ones(1, 1, 3, 3, 3, device=device)
        total = torch.nn.functional.conv3d(torch.ones(1, 1, 8, 8, 8, device=device), weights).sum().item()
    except RuntimeError as error:
        raise DeviceError(
            f"{device} is there, but does not compute: {str(error).splitlines()[0]}.",
            "Install a PyTorch build that fits the graphics card (module PyTorch Utils), or choose cpu.",
        ) from error
    if total != 6**3 * 27:
        raise DeviceError(f"{device} computes wrongly.", "Choose another device, and update the card's driver.")
    name, memory = "processor", None
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        name, memory = properties.name, properties.total_memory
    elif device.type == "mps":
        name = "Apple GPU"
    return {"device": str(device), "name": name, "torch": torch.__version__, "memory_bytes": memory}


_TASKS: dict[str, Callable[[dict[str, Any], _Tell, _Asked], Any]] = {
    "download": _download,
    "convert": _convert,
    "check_device": _check_device,
}
