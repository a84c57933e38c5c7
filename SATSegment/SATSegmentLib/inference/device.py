"""Which device and precision to run on. What was asked for and is not there is an error, never replaced."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, get_args

import torch

from SATSegmentLib.errors import DeviceError
from SATSegmentLib.types import FeatureStorage

_PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

# Below this much work per window a CPU gains no noticeable time from bfloat16, and loses agreement by it:
# SAT-Nano's window is 4,600 GMAC, the demonstration model's a hundredth of that.
_WORTH_BFLOAT16_MACS = 200e9


def choose_device(requested: str = "auto") -> torch.device:
    """The device to run on: "auto", "cpu", "cuda", "cuda:1" or "mps".

    "auto" takes the first that is there of CUDA, MPS and the CPU.

    Raises
    ------
    DeviceError
        The device that was asked for is not there.
    """
    if requested == "auto":
        requested = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(requested)
    except RuntimeError as error:
        raise DeviceError(f"{requested!r} is not a device.", "Use auto, cpu, cuda, cuda:0 or mps.") from error
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise DeviceError(
                f"The device {requested} was asked for, but PyTorch sees {count} CUDA devices.",
                "Choose cpu, or install a PyTorch build with CUDA that fits the GPU and its driver.",
            )
        return torch.device("cuda", device.index or 0)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("The device mps was asked for, but there is no Apple GPU here.", "Choose cpu.")
    if device.type not in ("cpu", "mps"):
        raise DeviceError(f"Devices of the kind {device.type!r} are not supported.", "Use auto, cpu, cuda or mps.")
    return device


def choose_precision(requested: str, device: torch.device, window_macs: int) -> torch.dtype:
    """The precision of the image encoder: "auto", "float32", "bfloat16" or "float16".

    "auto" is float16 on CUDA; on a CPU with bfloat16 instructions bfloat16, if a window is enough work
    for it to matter; float32 otherwise.

    Raises
    ------
    DeviceError
        No such precision, or not on this device.
    """
    if requested == "auto":
        if device.type == "cuda":
            return torch.float16
        worth_it = device.type == "cpu" and window_macs >= _WORTH_BFLOAT16_MACS and processor_has_bfloat16()
        return torch.bfloat16 if worth_it else torch.float32
    if requested not in _PRECISIONS:
        raise DeviceError(f"{requested!r} is not a precision.", "Use auto, float32, bfloat16 or float16.")
    if device.type == "cpu" and requested == "float16":
        raise DeviceError("float16 is for GPUs.", "On the CPU use bfloat16, float32 or auto.")
    return _PRECISIONS[requested]


@contextlib.contextmanager
def inferring() -> Iterator[None]:
    """Without gradients, and with float32 that is float32.

    By default cuDNN rounds the factors of a float32 convolution to ten bits (TF32), and whoever shares this process may
    have allowed the same for matrix products. cuDNN's search for the fastest algorithm stays off: it would choose by
    the clock, so that another run may round otherwise, and take memory that was not planned. What was set before is
    set again afterwards.
    """
    with torch.inference_mode(), _full_convolutions(), _full_products():
        yield


@contextlib.contextmanager
def _full_convolutions() -> Iterator[None]:
    cudnn: Any = torch.backends.cudnn
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(
            RuntimeError
        ):  # Where it was set by its newer name, asking by the old one is an error.
            stack.enter_context(_set(cudnn, "allow_tf32", False))
        if hasattr(cudnn, "conv"):  # The newer name, since PyTorch 2.9; it says what the old one leaves open.
            stack.enter_context(_set(cudnn.conv, "fp32_precision", "ieee"))
        stack.enter_context(_set(cudnn, "benchmark", False))
        stack.enter_context(_set(cudnn, "deterministic", True))
        yield


@contextlib.contextmanager
def _full_products() -> Iterator[None]:
    try:
        before = torch.get_float32_matmul_precision()
    except RuntimeError:  # As above.
        with _set(torch.backends.cuda.matmul, "fp32_precision", "ieee"):
            yield
        return
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextlib.contextmanager
def _set(place: Any, name: str, value: object) -> Iterator[None]:
    before = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, before)


def check_storage(requested: str) -> FeatureStorage:
    """How image features are kept: "native" or "uint8".

    Raises
    ------
    DeviceError
        Neither of these.
    """
    for storage in get_args(FeatureStorage):
        if storage == requested:
            return storage
    raise DeviceError(f"{requested!r} is not a way to keep image features.", "Use native or uint8.")


def precision_name(encoder: torch.dtype) -> str:
    """What a run computes in, for people."""
    return str(encoder).removeprefix("torch.")


def processor_has_bfloat16() -> bool:
    """Whether the CPU computes in bfloat16 by itself rather than emulating it."""
    # Older PyTorch does not tell; float32 is always right.
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "arm_bf16"))
