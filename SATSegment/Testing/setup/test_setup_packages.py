"""What is missing is said by name and installed only when asked; whatever fails comes with the next step."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from SATSegmentLib.setup import packages
from SATSegmentLib.setup.packages import SetupError, install, missing


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> Callable[..., set[str]]:
    """Makes packages look uninstalled; the set that it gives can be emptied again."""

    def make(*names: str) -> set[str]:
        gone = set(names)
        version = importlib.metadata.version

        def look(name: str) -> str:
            if name in gone:
                raise importlib.metadata.PackageNotFoundError(name)
            return version(name)

        monkeypatch.setattr(importlib.metadata, "version", look)
        return gone

    return make


def slicerPackaging(monkeypatch: pytest.MonkeyPatch, ensure: Callable[..., Any]) -> None:
    slicer = types.ModuleType("slicer")
    slicer.packaging = types.ModuleType("slicer.packaging")
    slicer.packaging.pip_ensure = ensure
    monkeypatch.setitem(sys.modules, "slicer", slicer)
    monkeypatch.setitem(sys.modules, "slicer.packaging", slicer.packaging)


def torchExtension(monkeypatch: pytest.MonkeyPatch, install_torch: Callable[..., Any]) -> None:
    extension = types.ModuleType("PyTorchUtils")
    extension.PyTorchUtilsLogic = lambda: types.SimpleNamespace(installTorch=install_torch)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)


def test_where_all_is_there_nothing_is_missing() -> None:
    assert missing("run") == []
    assert missing("weights") == []


def test_what_is_missing_is_named_torch_first(absent: Callable[..., set[str]]) -> None:
    absent("safetensors", "torch", "transformers")
    assert missing("run") == ["torch>=2.4", "safetensors>=0.4"]
    assert missing("weights") == ["torch>=2.4", "safetensors>=0.4", "transformers>=4.40"]


def test_an_old_version_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.13.1" if name == "torch" else "99")
    assert missing("run") == ["torch>=2.4"]


def test_a_nightly_build_of_torch_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    nightly = "2.14.0.dev20261101+cu130"
    monkeypatch.setattr(importlib.metadata, "version", lambda name: nightly if name == "torch" else "99")
    assert missing("run") == []


def test_without_the_pytorch_extension_the_user_is_told_to_get_it(absent: Callable[..., set[str]]) -> None:
    absent("torch")
    with pytest.raises(SetupError) as caught:
        install("run")
    assert "PyTorch extension" in caught.value.message
    assert "Extensions Manager" in caught.value.remedy


def test_torch_comes_through_the_extension_and_the_rest_through_slicer(
    absent: Callable[..., set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = absent("torch", "safetensors")
    calls: list[Any] = []

    def installTorch(**options: Any) -> object:
        calls.append(options)
        gone.discard("torch")
        return object()

    def ensure(requirements: list[str], requester: str) -> None:
        calls.append((requirements, requester))
        gone.discard("safetensors")

    torchExtension(monkeypatch, installTorch)
    slicerPackaging(monkeypatch, ensure)
    said: list[str] = []
    install("run", said.append)
    assert calls == [
        {"askConfirmation": True, "torchVersionRequirement": ">=2.4"},
        (["safetensors>=0.4"], "SATSegment"),
    ]
    assert said == ["PyTorch", "safetensors>=0.4"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [(None, "not installed"), (OSError("no route to host"), "no route to host")],
)
def test_torch_that_does_not_come_is_an_error(
    absent: Callable[..., set[str]], monkeypatch: pytest.MonkeyPatch, answer: Any, words: str
) -> None:
    absent("torch")

    def installTorch(**_: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    torchExtension(monkeypatch, installTorch)
    with pytest.raises(SetupError, match=words) as caught:
        install("run")
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("problem", "words"),
    [(RuntimeError("declined"), "was not installed"), (subprocess.CalledProcessError(1, "pip"), "code 1")],
)
def test_slicers_installer_that_fails_is_an_error(
    absent: Callable[..., set[str]], monkeypatch: pytest.MonkeyPatch, problem: Exception, words: str
) -> None:
    absent("safetensors")

    def ensure(*_: Any, **__: Any) -> None:
        raise problem

    slicerPackaging(monkeypatch, ensure)
    with pytest.raises(SetupError, match=words):
        install("run")


def test_an_installer_that_did_nothing_is_not_believed(
    absent: Callable[..., set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Slicer's testing mode it returns without a word."""
    absent("safetensors")
    slicerPackaging(monkeypatch, lambda *_, **__: None)
    with pytest.raises(SetupError, match="Still missing"):
        install("run")


def test_an_old_slicer_is_told_what_to_type(absent: Callable[..., set[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    absent("safetensors")
    monkeypatch.setitem(sys.modules, "slicer", types.ModuleType("slicer"))
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    with pytest.raises(SetupError) as caught:
        install("run")
    assert "pip_install('safetensors>=0.4')" in caught.value.remedy


def test_looking_imports_nothing() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from SATSegmentLib.setup import packages; "
        "packages.missing('weights'); import SATSegmentLib.models.install; "
        "assert not {'torch', 'transformers', 'SimpleITK', 'huggingface_hub'} & set(sys.modules)"
    )
    library = str(Path(packages.__file__).parents[2])
    subprocess.run([sys.executable, "-c", code, library], check=True)
