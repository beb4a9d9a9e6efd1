"""`assay schedule`."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.cli import command
from assay.cli.kubeflow import add_connection, connected
from assay.text import flat

if TYPE_CHECKING:
    from assay.kubeflow.recurring import Applied


def add_parsers(commands: Any) -> None:
    """Add `assay schedule` to the command line."""
    parser = command.add(commands, "schedule", "evaluate regularly, on a cluster")
    choices = parser.add_subparsers(required=True, metavar="COMMAND")
    applying = command.add(choices, "apply", "make the cluster have this schedule, once")
    applying.add_argument("file", type=Path, metavar="SCHEDULE.yaml", help="what to run, and when")
    add_connection(applying)
    applying.set_defaults(command=_apply)
    listing = command.add(choices, "list", "list the schedules, their last runs and next firings")
    add_connection(listing)
    listing.set_defaults(command=_list)
    for name, text in (
        ("pause", "start no more runs"),
        ("resume", "start runs again, and catch up none"),
        ("delete", "remove it; its runs go on"),
        ("trigger", "start a run of it now"),
    ):
        choice = command.add(choices, name, text)
        choice.add_argument("name", metavar="NAME", help="the schedule's")
        add_connection(choice)
        choice.set_defaults(command=_change, change=name)


def _apply(arguments: argparse.Namespace) -> None:
    from assay.kubeflow import cron, parameters, pipelines, schedule, zones

    wanted, config = schedule.load(arguments.file)
    cron.parse(wanted.cron)  # this and the next before any connection
    zones.zone(wanted.time_zone, "time_zone")
    spec = pipelines.spec(pipelines.compiled(parameters.pipeline_of(config)))
    parameters.to_parameters(config, spec, wanted.parameters)
    applied, change = schedule.apply(connected(arguments), wanted, config)
    print(f"{applied.name}: {change}")
    _print_upcoming(applied)


def _list(arguments: argparse.Namespace) -> None:
    from assay.kubeflow import schedule

    kfp = connected(arguments)
    for applied in schedule.list_all(kfp):
        state = "" if applied.enabled else ", paused"
        print(flat(f"{applied.name}: {applied.cron} ({applied.time_zone}){state}"))
        if run := schedule.last_run(kfp, applied):
            print(f"  last {run.created:%a %Y-%m-%d %H:%M:%S UTC}: {run.state.lower()}, {run.link}")
        _print_upcoming(applied)


def _change(arguments: argparse.Namespace) -> None:
    from assay.kubeflow import schedule

    kfp, name = connected(arguments), arguments.name
    if arguments.change == "trigger":
        run = schedule.trigger(kfp, name)
        print(flat(f"{run.id}  {run.name}"), flat(run.link), sep="\n")
        return
    getattr(schedule, arguments.change)(kfp, name)
    print(f"{name}: {arguments.change}d")
    if arguments.change == "resume":
        _print_upcoming(schedule.get(kfp, name))


def _print_upcoming(applied: Applied) -> None:
    for at in applied.upcoming(datetime.now(UTC)):
        print(f"  next {at:%a %Y-%m-%d %H:%M:%S %Z}")
