"""The command `assay`. Heavy imports happen in the command that needs them."""

from __future__ import annotations

import argparse
import os
import select
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import TextIO

from assay import __version__, exits
from assay.cli import accept, calibrate, dataset, gate, kubeflow, run, schedule
from assay.errors import AssayError

# A group of commands is a file and its place here, which is its place in the help.
GROUPS = (run, gate, accept, calibrate, dataset, kubeflow, schedule)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code, which assay.exits explains."""
    _escape_what_cannot_be_shown()
    try:
        try:
            return _run(argv)
        finally:
            sys.stdout.flush()  # what is left to write fails here, where it is handled
    except BrokenPipeError:
        if not _reader_is_gone():
            raise
        for stream in _unread():  # or Python's own flush at its end says so once more
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return exits.UNREAD


def _run(argv: Sequence[str] | None) -> int:
    arguments = parser().parse_args(argv)
    from assay.process import interruptible

    try:
        with interruptible():
            return arguments.command(arguments) or exits.DONE
    except AssayError as error:
        print(f"assay: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("assay: interrupted; run the same command again to resume", file=sys.stderr)
        return exits.INTERRUPTED


def _escape_what_cannot_be_shown() -> None:
    """Have a character that the terminal's encoding lacks written as its number: what a dataset or
    a path holds ends no command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _reader_is_gone() -> bool:
    """Return whether nobody reads the output any more, as after `| head`, or what is said beside
    it; any other pipe that broke is a fault."""
    return bool(_unread())


def _unread() -> list[TextIO]:
    streams = {stream.fileno(): stream for stream in (sys.stdout, sys.stderr)}
    outputs = select.poll()
    for number in streams:
        outputs.register(number, 0)
    return [streams[number] for number, state in outputs.poll(0) if state & select.POLLERR]


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    whole = argparse.ArgumentParser(
        prog="assay", description="Evaluate every fine-tune, and know whether to trust the result."
    )
    whole.add_argument("--version", action="version", version=f"assay {__version__}")
    commands = whole.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for group in GROUPS:
        group.add_parsers(commands)
    return whole
