"""`assay submit`, `status`, `watch`, `logs`, `cancel` and `pipeline`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay import exits
from assay.cli import command
from assay.text import flat, indented, one_line

if TYPE_CHECKING:
    from assay.kubeflow.client import Kfp
    from assay.kubeflow.runs import Run

ENDS = (
    "exit code: 0 succeeded, 1 failed, 2 refused, 3 the gate is inconclusive, 4 goes on, "
    "5 canceled, 130 interrupted"
)

Command = Callable[[argparse.Namespace], int | None]


def add_parsers(commands: Any) -> None:
    """Add the commands for a cluster to the command line."""
    submit = command.add(
        commands,
        "submit",
        "run a configuration on Kubeflow Pipelines",
        ends=f"With --watch, {ENDS}. Without, 0 submitted, 2 refused",
    )
    submit.add_argument("config", type=Path, metavar="CONFIG.yaml", help="what is asked for")
    submit.add_argument("--name", default="", metavar="NAME", help="the run's name (<CONFIG>)")
    submit.add_argument("--watch", action="store_true", help="and follow it until it ends")
    submit.add_argument(
        "--once",
        action="store_true",
        help="take the run of the same content, if it goes on or succeeded",
    )
    add_setting(submit, "--set", "SECTION.NAME=VALUE", "override one setting (repeatable)")
    add_setting(submit, "--parameter", "NAME=VALUE", "a pipeline parameter, such as judge_secret")
    add_connection(submit)
    submit.set_defaults(command=_submit)
    for name, does, text, ends in (
        ("status", _status, "show a run on the cluster and its tasks", ENDS),
        ("watch", _watch, "follow a run on the cluster until it ends", ENDS),
        ("logs", _logs, "print what the tasks of a run on the cluster wrote", ""),
        ("cancel", _cancel, "end a run on the cluster", ""),
    ):
        parser = command.add(commands, name, text, ends=ends)
        parser.add_argument("run", metavar="RUN", help="a run's id or name")
        if name == "logs":
            parser.add_argument("--task", default="", help="of this task only, such as Judge")
        add_connection(parser)
        parser.set_defaults(command=does)
    _add_pipeline(commands)


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where Kubeflow Pipelines is."""
    group = parser.add_argument_group("Kubeflow Pipelines")
    group.add_argument("--endpoint", metavar="URL", help="its address (ASSAY_KFP_ENDPOINT)")
    group.add_argument("--namespace", metavar="NAME", help="the user's (ASSAY_KFP_NAMESPACE)")
    group.add_argument(
        "--connection", type=Path, metavar="FILE", help="how to reach it (ASSAY_KFP_CONFIG)"
    )


def add_setting(parser: argparse.ArgumentParser, flag: str, value: str, text: str) -> None:
    """Add a repeatable NAME=VALUE flag."""
    parser.add_argument(flag, action="append", default=[], metavar=value, help=text)


def connected(arguments: argparse.Namespace) -> Kfp:
    """Return the connection that the flags, the environment or the file say."""
    from assay.kubeflow import client, connection

    given = {"endpoint": arguments.endpoint, "namespace": arguments.namespace}
    return client.connect(connection.load(given, arguments.connection))


def _submit(arguments: argparse.Namespace) -> int:
    from assay import config as configuration
    from assay.kubeflow import parameters, pipelines, submit
    from assay.settings import read_assignments

    config = configuration.load(arguments.config, read_assignments("--set", arguments.set))
    given = read_assignments("--parameter", arguments.parameter)
    compiled = pipelines.compiled(parameters.pipeline_of(config))
    parameters.to_parameters(config, pipelines.spec(compiled), given)  # before any connection
    kfp = connected(arguments)
    name = arguments.name or arguments.config.stem
    run = submit.submit(kfp, config, name=name, once=arguments.once, given=given)
    print(flat(f"{run.id}  {run.name}"), flat(run.link), sep="\n", flush=True)
    return _follow(kfp, run.id) if arguments.watch else 0


def _watch(arguments: argparse.Namespace) -> int:
    from assay.kubeflow import runs

    kfp = connected(arguments)
    return _follow(kfp, runs.find(kfp, arguments.run))


def _follow(kfp: Kfp, run_id: str) -> int:
    from assay import terminal
    from assay.kubeflow.watch import watch

    try:
        with terminal.live() as listen:
            run = watch(kfp, run_id, listen)
    except KeyboardInterrupt:
        print(
            f"assay: the run goes on. To return: assay watch {run_id}; "
            f"to end it: assay cancel {run_id}",
            file=sys.stderr,
        )
        return exits.INTERRUPTED
    return _print_ending(kfp, run)


def _status(arguments: argparse.Namespace) -> int:
    from rich.table import Table

    from assay import terminal
    from assay.kubeflow import runs

    kfp = connected(arguments)
    run = runs.get(kfp, runs.find(kfp, arguments.run))
    table = Table("task", "state", "took", box=None)
    for task in run.tasks:
        table.add_row(flat(task.name), task.state.lower(), took(task.started, task.finished))
    terminal.print_table(table)
    return _print_ending(kfp, run)


def _logs(arguments: argparse.Namespace) -> None:
    from assay.kubeflow import runs, task_logs
    from assay.settings import check_value

    kfp = connected(arguments)
    run = runs.get(kfp, runs.find(kfp, arguments.run))
    if arguments.task:
        check_value(arguments.task, [task.name for task in run.tasks], "TASK", "task of this run")
    for task in run.tasks:
        if arguments.task in ("", task.name):
            for line in task_logs.read(kfp, run.id, task):
                print(flat(line if arguments.task else f"{task.name}: {line}"))


def _cancel(arguments: argparse.Namespace) -> None:
    from assay.kubeflow import runs

    kfp = connected(arguments)
    run_id = runs.find(kfp, arguments.run)
    runs.cancel(kfp, run_id)
    print(f"{run_id} is being canceled")


def _print_ending(kfp: Kfp, run: Run) -> int:
    """Print how a run stands, and return what that is as an exit code."""
    from assay.kubeflow import causes

    reason = f": {one_line(run.error)}" if run.error else ""
    failures = causes.causes(kfp, run)
    why = [indented(f"{task}: {cause}") for task, cause in failures.items()]
    print("\n".join([flat(f"{run.name} {run.state.lower()}{reason}"), *why, flat(run.link)]))
    return causes.exit_code(run, failures)


def took(started: Any, finished: Any) -> str:
    """Return how long something has taken, "" where it has not begun."""
    from datetime import UTC, datetime

    from assay.progress import clock

    return clock(((finished or datetime.now(UTC)) - started).total_seconds()) if started else ""


def _add_pipeline(commands: Any) -> None:
    parser = command.add(commands, "pipeline", "compile the pipelines, or make them known")
    choices = parser.add_subparsers(required=True, metavar="COMMAND")
    compiling = command.add(choices, "compile", "write the pipelines' YAML")
    compiling.add_argument(
        "--out",
        type=Path,
        default=Path("pipelines"),
        metavar="FOLDER",
        help="where to (pipelines)",
    )
    compiling.add_argument(
        "--registry", default="", metavar="PREFIX/", help="where their images are"
    )
    compiling.set_defaults(command=_compile)
    uploading = command.add(
        choices, "upload", "make the pipelines known to Kubeflow Pipelines, once"
    )
    add_connection(uploading)
    uploading.set_defaults(command=_upload)


def _compile(arguments: argparse.Namespace) -> None:
    from assay.kubeflow import pipelines

    for path in pipelines.compile_to(arguments.out, arguments.registry):
        print(path)


def _upload(arguments: argparse.Namespace) -> None:
    from assay.kubeflow import pipelines

    kfp = connected(arguments)
    for name in pipelines.NAMES:
        version = pipelines.upload(kfp, pipelines.compiled(name, kfp.connection.registry))
        state = "uploaded" if version.created else "unchanged"
        print(f"{version.pipeline} {version.content}: {state}")
