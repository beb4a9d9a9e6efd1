"""`assay run`, its stages one by one, `report` and `demo`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.cli import command, gate
from assay.engine import AUTO, ENGINES
from assay.engine.endpoint import NAME as ENDPOINT
from assay.folder import CONFIG, REPORT_HTML
from assay.scoring import SCORERS, Scorer

if TYPE_CHECKING:
    from assay.config import Config
    from assay.progress import Listener
    from assay.store import Mirror


ENDS = (
    "exit code: 0 done, and GO where there is a gate, 1 a stage failed, or NO-GO, 2 refused, "
    "3 INCONCLUSIVE, 130 interrupted: the same command takes it up again"
)


def add_parsers(commands: Any) -> None:
    """Add the commands to the command line."""
    whole = command.add(
        commands,
        "run",
        "fine-tune and evaluate as a configuration says",
        "A run folder that has begun is taken up where it was interrupted.",
        ENDS,
    )
    whole.add_argument("config", type=Path, metavar="CONFIG.yaml", help="what is asked for")
    whole.add_argument("--out", metavar="RUN", help="run folder or URI (runs/<CONFIG>)")
    _add_set(whole)
    _add_anew(whole)
    whole.set_defaults(command=_run)
    for name, help_text in (
        ("finetune", "fine-tune the base model"),
        ("generate", "answer the samples with the baseline and the candidate"),
    ):
        stage = _add_stage(commands, name, help_text)
        _add_anew(stage)
        stage.set_defaults(command=_make, stage=name)
    for scorer in SCORERS:
        stage = _add_stage(commands, scorer.name, scorer.help)
        for name, help_text in scorer.flags.items():
            stage.add_argument(_option(name), action="store_true", help=help_text)
        for name, (value, help_text) in scorer.shortcuts.items():
            stage.add_argument(_option(name), metavar=value, help=help_text)
        stage.set_defaults(command=_score, scorer=scorer)
    report = command.add(commands, "report", "write a run folder's report")
    report.add_argument("folder", metavar="RUN", help="run folder or URI")
    report.add_argument("--title", default="", help="the report's heading")
    report.add_argument(
        "--paths", action="store_true", help="name the folders of this machine in it, too"
    )
    report.set_defaults(command=_report)
    _add_demo(commands)


def _add_demo(commands: Any) -> None:
    demo = command.add(commands, "demo", "fine-tune and evaluate a 135M model on this machine")
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("demo-run"),
        metavar="FOLDER",
        help="what it writes to (demo-run)",
    )
    demo.add_argument(
        "--store", default="", help="keep the artifacts in a store: a URI, or minio to start one"
    )
    engines = [name for name in ENGINES if name != ENDPOINT]  # its models have weights
    demo.add_argument(
        "--engine", default=AUTO, choices=(AUTO, *engines), help="who answers; auto: chosen"
    )
    demo.set_defaults(command=_demo)


def _add_stage(commands: Any, name: str, help_text: str) -> argparse.ArgumentParser:
    stage = command.add(commands, name, f"{help_text}, in a run folder")
    stage.add_argument("folder", metavar="RUN", help="run folder or URI")
    stage.add_argument("--config", type=Path, metavar="CONFIG.yaml", help="begin RUN with it")
    _add_set(stage)
    return stage


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.NAME=VALUE",
        help="override one setting, such as judge.temperature=0.2 (repeatable)",
    )


def _add_anew(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--anew",
        action="store_true",
        help="drop what was trained or answered with other settings; without it that is refused",
    )


def _run(arguments: argparse.Namespace) -> int:
    from assay import config as configuration
    from assay import resume, run, terminal
    from assay.settings import read_assignments

    out = arguments.out or f"runs/{arguments.config.stem}"
    config = configuration.load(arguments.config, read_assignments("--set", arguments.set))
    with (
        terminal.live() as listen,
        _run_folder(out, listen) as mirror,
        resume.anew(wanted=arguments.anew),
    ):
        run.run(config, mirror, listen)
    _print_report(out, mirror.folder)
    return gate.say(mirror.folder)


def _run_folder(
    uri: str, listen: Listener, *, weights: bool = True
) -> AbstractContextManager[Mirror]:
    from assay import progress, store

    return store.mirrored(uri, weights=weights, advance=progress.moved(listen))


def _make(arguments: argparse.Namespace) -> None:
    from assay import resume, run, terminal

    make = run.finetune if arguments.stage == "finetune" else run.generate_sides
    with (
        terminal.live() as listen,
        _run_folder(arguments.folder, listen) as mirror,
        resume.anew(wanted=arguments.anew),
    ):
        make(_config(arguments, mirror.folder, {}), mirror, listen)


def _score(arguments: argparse.Namespace) -> None:
    from assay import run, terminal

    scorer: Scorer = arguments.scorer
    given = {name: getattr(arguments, name) for name in scorer.shortcuts}
    overrides = {f"{scorer.name}.{name}": value for name, value in given.items() if value}
    flags = {name: getattr(arguments, name) for name in scorer.flags}
    with (
        terminal.live() as listen,
        _run_folder(arguments.folder, listen, weights=False) as mirror,
    ):
        config = _config(arguments, mirror.folder, overrides)
        run.score(scorer, config.of(scorer), mirror, listen, **flags)


def _config(arguments: argparse.Namespace, folder: Path, overrides: Mapping[str, str]) -> Config:
    from assay import config as configuration
    from assay import run
    from assay.settings import read_assignments

    overrides = {**read_assignments("--set", arguments.set), **overrides}
    if arguments.config:
        return run.begin(configuration.load(arguments.config, overrides), folder).config
    return configuration.load(folder / CONFIG, overrides)


def _report(arguments: argparse.Namespace) -> None:
    from assay import report, store

    with store.mirrored(arguments.folder, weights=False, alone=False) as mirror:
        report.report(mirror.folder, title=arguments.title, paths=arguments.paths)
    _print_report(arguments.folder, mirror.folder)


def _print_report(out: str, folder: Path) -> None:
    from assay import store, terminal

    terminal.print_summary(folder)
    print(f"Report: {folder / REPORT_HTML}")
    if store.is_remote(out):
        print(f"In the store: {out.rstrip('/')}/{REPORT_HTML}")


def _demo(arguments: argparse.Namespace) -> None:
    from assay.demo.run import run_demo

    run_demo(arguments.out, arguments.store, arguments.engine)
