"""What a child process can do beside segmenting: download files, convert a checkpoint, try a device."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from SATSegmentLib.engine.api import RunListener
from SATSegmentLib.errors import Cancelled, DeviceError
from SATSegmentLib.types import Progress

_Tell = Callable[[Progress], None]
_Asked = Callable[[], bool]


def run(message: Mapping[str, Any], listener: RunListener) -> Any:
    """Do a task.

    Parameters
    ----------
    message : Mapping
        {"task": its name, "fields": its arguments}.

    Returns
    -------
    object
        Something that JSON can hold.

    Raises
    ------
    SATSegmentError
        As the task itself.
    """
    tell = listener.progress or (lambda progress: None)
    cancel = listener.cancel or (lambda: False)
    return _TASKS[message["task"]](message["fields"], tell, cancel)


def in_this_process(
    task: str, fields: Mapping[str, Any], progress: _Tell | None = None, cancel: _Asked | None = None
) -> Any:
    """Do a task here and now; a terminal ends it by ending the process."""
    return run({"task": task, "fields": fields}, RunListener(progress, cancel))


def _download(fields: Mapping[str, Any], progress: _Tell, cancel: _Asked) -> list[str]:
    """{wanted: [{repository, path, optional}], target, spare_bytes} -> files."""
    from SATSegmentLib.models.download import Wanted, fetch

    wanted = [Wanted(**one) for one in fields["wanted"]]
    files = fetch(wanted, Path(fields["target"]), progress, cancel, fields["spare_bytes"])
    return [str(path) for path in files]


def _convert(fields: Mapping[str, Any], progress: _Tell, cancel: _Asked) -> str:
    """{network, text_encoder, language_model, out, name} -> the model's folder."""
    from SATSegmentLib.anatomy.vocabulary.labels import load_labels
    from SATSegmentLib.models.folder import ModelDescription
    from SATSegmentLib.sat.checkpoint.convert import convert

    progress(Progress(0.0, "reading the weights"))
    convert(
        Path(fields["network"]),
        Path(fields["out"]),
        ModelDescription(fields["name"]),
        text_encoder=Path(fields["text_encoder"]),
        language_model=Path(fields["language_model"]),
        labels=[(label.text, label.modality) for label in load_labels()],
        overwrite=True,
        progress=progress,
        cancel=cancel,
    )
    return fields["out"]


def _verify(fields: Mapping[str, Any], progress: _Tell, cancel: _Asked) -> str:
    """{folder} -> name: a model folder is read whole, before it replaces another."""
    from SATSegmentLib.inference.segmenter import Segmenter
    from SATSegmentLib.models.folder import CHALLENGE_FAMILY, read_description
    from SATSegmentLib.types import Prompt

    progress(Progress(0.0, "checking the model"))
    if read_description(Path(fields["folder"]), family=None).family == CHALLENGE_FAMILY:
        from SATSegmentLib.challenge.segmenter import ChallengeSegmenter

        return ChallengeSegmenter.load(fields["folder"], "cpu").description.name
    segmenter = Segmenter.load(fields["folder"], "cpu", "float32")
    progress(Progress(0.7, "checking its text encoder"))
    if cancel():
        raise Cancelled
    if segmenter.queries is not None and segmenter.queries.has_text_encoder:
        # Without its package the text encoder cannot be tried; it is checked again when it is first used.
        with contextlib.suppress(ModuleNotFoundError):
            segmenter.queries.embed([Prompt("a structure in other words", "ct", trained=False)])
    return segmenter.description.name


def _check_device(fields: Mapping[str, Any], progress: _Tell, cancel: _Asked) -> dict[str, Any]:
    """{device} -> {device, name, torch, memory_bytes}: what a tensor operation was run on."""
    progress(Progress(0.0, "loading PyTorch"))
    import torch

    from SATSegmentLib.inference.device import choose_device

    if cancel():
        raise Cancelled
    device = choose_device(fields["device"])
    try:
        # A convolution, because a build without kernels for a new GPU still adds numbers on it.
        weights = torch.ones(1, 1, 3, 3, 3, device=device)
        total = torch.nn.functional.conv3d(torch.ones(1, 1, 8, 8, 8, device=device), weights).sum().item()
    except RuntimeError as error:
        raise DeviceError(
            f"{device} is available but cannot run this PyTorch build: {str(error).splitlines()[0]}.",
            "Install a PyTorch build that fits the GPU (module PyTorch Utils), or choose cpu.",
        ) from error
    if total != 6**3 * 27:
        raise DeviceError(f"{device} gives wrong results.", "Choose another device, and update the driver of the GPU.")
    name, memory = "CPU", None
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        name, memory = properties.name, properties.total_memory
    elif device.type == "mps":
        name = "Apple GPU"
    return {"device": str(device), "name": name, "torch": torch.__version__, "memory_bytes": memory}


_TASKS: dict[str, Callable[[Mapping[str, Any], _Tell, _Asked], Any]] = {
    "download": _download,
    "convert": _convert,
    "verify": _verify,
    "check_device": _check_device,
}
