"""`assay accept`: later runs are compared with this one's candidate too."""

from __future__ import annotations

import argparse
import getpass
from typing import Any

from assay.cli import command
from assay.errors import SettingsError
from assay.text import flat


def add_parsers(commands: Any) -> None:
    """Add the command `accept`."""
    accept = command.add(
        commands,
        "accept",
        "record that a run's candidate is accepted: later runs are compared with it",
        "Writes into the run's history, not into the run.",
    )
    accept.add_argument("folder", metavar="RUN", help="run folder or URI, with its report.json")
    accept.add_argument("--why", required=True, metavar="TEXT", help="the reason, one line")
    accept.add_argument("--by", metavar="NAME", help="who accepts it (the user who runs this)")
    accept.add_argument(
        "--anyway", action="store_true", help="also where its gate did not say GO; recorded"
    )
    accept.set_defaults(command=_accept)


def _accept(arguments: argparse.Namespace) -> None:
    from assay.report import accept

    by = _user() if arguments.by is None else arguments.by
    told, new = accept(arguments.folder, by=by, why=arguments.why, anyway=arguments.anyway)
    name = f"{told.name} ({told.digest[:12] or 'no digest'})"
    if new:
        print(flat(f"Accepted: {name}. Later runs of its history are compared with it."))
    else:
        print(flat(f"Accepted already: {name}, by {told.by} at {told.time}: {told.why}"))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user without a name
        raise SettingsError("who accepts it is not known", "Give --by NAME") from None
