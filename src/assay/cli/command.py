"""A command on the command line: what the list of commands says of it, its own help says too."""

from __future__ import annotations

import argparse
from typing import Any


def add(
    commands: Any, name: str, text: str, more: str = "", ends: str = ""
) -> argparse.ArgumentParser:
    """Add the command `name` to its group and return its parser. `text` is what it does, as in a
    list; its own help has it as a sentence, then `more`, and at its end what it `ends` with."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}. {more}".strip(), epilog=ends
    )
    return parser
