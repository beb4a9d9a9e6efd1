"""The command `assay`. Heavy imports happen in the command that needs them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from assay import __version__, exits
from assay.cli import calibrate, dataset, gate, kubeflow, run, schedule
from assay.errors import AssayError

# A group of commands is a file and its place here, which is its place in the help.
GROUPS = (run, gate, calibrate, dataset, kubeflow, schedule)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code, which assay.exits explains."""
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
