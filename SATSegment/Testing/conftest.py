"""For all tests: a command's answer is of the schema that is published for it, and signals are those of a terminal."""

from __future__ import annotations

import argparse
import gc
import importlib
import signal
from collections.abc import Generator, Iterator

import pytest

from SATSegmentLib.cli.schema import load_schemas


def pytest_configure() -> None:
    # What a script starts in the background is told to ignore Ctrl-C, what nohup starts that its terminal is closed,
    # and so is every process that a test starts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """What collecting imports and makes stays to the end: looking through it for garbage takes seconds, each time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _answers_are_of_their_schema() -> Iterator[None]:
    """Commands build their document with and without `--json`, so this needs no run of its own."""
    try:
        import jsonschema
    except ModuleNotFoundError:
        yield
        return
    schemas, main = load_schemas(), importlib.import_module("SATSegmentLib.cli.main")
    print_answer = main.print_answer

    def checked(arguments: argparse.Namespace, code: int) -> None:
        if arguments.command in schemas and not arguments.prints_own_json:
            document = {"command": arguments.command, "exit_code": code, **arguments.answer}
            jsonschema.validate(document, schemas[arguments.command])
        print_answer(arguments, code)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main, "print_answer", checked)
        yield
