"""`assay run`, its stages one by one, `report` and `demo`."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.cli import gate
from assay.folder import CONFIG, REPORT_HTML

if TYPE_CHECKING:
    from assay.config import Config
    from assay.progress import Listener
    from assay.store import Mirror


def add_parsers(commands: Any) -> None:
    """Add the commands to the command line."""
    whole = commands.add_parser("run", help="fine-tune and evaluate as a configuration says")
    whole.add_argument("config", type=Path, metavar="CONFIG.yaml")
    whole.add_argument("--out", metavar="RUN", help="run folder or URI (runs/<CONFIG>)")
    _add_set(whole)
    whole.set_defaults(command=_run)
    for name, help_text in (
        ("finetune", "fine-tune the base model"),
        ("generate", "answer the samples with the baseline and the candidate"),
        ("metrics", "score the predictions with the auto-metrics"),
        ("judge", "have the predictions judged by an LLM"),
    ):
        stage = commands.add_parser(name, help=f"{help_text}, in a run folder")
        stage.add_argument("folder", metavar="RUN", help="run folder or URI")
        stage.add_argument("--config", type=Path, metavar="CONFIG.yaml", help="begin RUN with it")
        _add_set(stage)
        if name == "judge":
            _add_again(stage)
        stage.set_defaults(command=_stage, stage=name)
    report = commands.add_parser("report", help="write a run folder's report")
    report.add_argument("folder", metavar="RUN", help="run folder or URI")
    report.add_argument("--title", default="", help="the report's heading")
    report.set_defaults(command=_report)
    _add_demo(commands)


def _add_demo(commands: Any) -> None:
    demo = commands.add_parser("demo", help="fine-tune and evaluate a 135M model on this machine")
    demo.add_argument("--out", type=Path, default=Path("demo-run"), metavar="FOLDER")
    demo.add_argument(
        "--store", default="", help="keep the artifacts in a store: a URI, or minio to start one"
    )
    demo.set_defaults(command=_demo)


def _add_again(judge: argparse.ArgumentParser) -> None:
    judge.add_argument(
        "--only-failed", action="store_true", help="ask again only for verdicts that failed"
    )
    judge.add_argument("--rubric", metavar="FILE", help="judge on another rubric (judge.rubric)")


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.NAME=VALUE",
        help="override one setting, such as judge.temperature=0.2 (repeatable)",
    )


def _run(arguments: argparse.Namespace) -> int:
    from assay import config as configuration
    from assay import run, terminal
    from assay.settings import read_assignments

    out = arguments.out or f"runs/{arguments.config.stem}"
    config = configuration.load(arguments.config, read_assignments("--set", arguments.set))
    with terminal.live() as listen, _run_folder(out, listen) as mirror:
        run.run(config, mirror.folder, listen, mirror.send)
    _print_report(out, mirror.folder)
    return gate.say(mirror.folder)


def _run_folder(
    uri: str, listen: Listener, *, weights: bool = True
) -> AbstractContextManager[Mirror]:
    from assay import progress, store

    return store.mirrored(uri, weights=weights, advance=progress.moved(listen))


def _stage(arguments: argparse.Namespace) -> None:
    from assay import run, terminal

    needs_model = arguments.stage in ("finetune", "generate")
    with (
        terminal.live() as listen,
        _run_folder(arguments.folder, listen, weights=needs_model) as mirror,
    ):
        folder, config = mirror.folder, _config(arguments, mirror.folder)
        if arguments.stage == "finetune":
            run.finetune(config, folder, listen)
        elif arguments.stage == "generate":
            run.generate_sides(config, folder, listen)
        elif arguments.stage == "metrics":
            run.compute_metrics(config, folder, listen)
        else:
            run.judge(config, folder, listen, only_failed=arguments.only_failed)


def _config(arguments: argparse.Namespace, folder: Path) -> Config:
    from assay import config as configuration
    from assay import run
    from assay.settings import read_assignments

    overrides = read_assignments("--set", arguments.set)
    if getattr(arguments, "rubric", None):
        overrides["judge.rubric"] = arguments.rubric
    if arguments.config:
        return run.begin(configuration.load(arguments.config, overrides), folder).config
    return configuration.load(folder / CONFIG, overrides)


def _report(arguments: argparse.Namespace) -> None:
    from assay import report, store

    with store.mirrored(arguments.folder, weights=False) as mirror:
        report.report(mirror.folder, title=arguments.title)
    _print_report(arguments.folder, mirror.folder)


def _print_report(out: str, folder: Path) -> None:
    from assay import store, terminal

    terminal.print_summary(folder)
    print(f"Report: {folder / REPORT_HTML}")
    if store.is_remote(out):
        print(f"In the store: {out.rstrip('/')}/{REPORT_HTML}")


def _demo(arguments: argparse.Namespace) -> None:
    from assay.demo.run import run_demo

    run_demo(arguments.out, arguments.store)
