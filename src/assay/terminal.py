"""The live view of a run: one line a stage, from its progress events."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay import progress, store
from assay.folder import METRICS
from assay.progress import Pace, Progress
from assay.records import SIDES
from assay.text import flat

if TYPE_CHECKING:
    from rich.table import Table


@contextmanager
def live() -> Iterator[progress.Listener]:
    """Yield a listener that draws bars on a terminal, or prints plain lines where there is none."""
    if not sys.stderr.isatty():
        lines = progress.to_lines(sys.stderr)
        with progress.telling_waits(lines):
            yield lines
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TextColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.fields[mark]}"),
        TextColumn("{task.description:<24}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[line]}", markup=False),
    )
    pace = Pace()
    tasks: dict[str, TaskID] = {}
    with Bars(*columns, console=console) as bars:

        def listen(event: Progress) -> None:
            title = flat(progress.name(event))
            line = pace.describe(event).removeprefix(f"{title}: ")
            if title not in tasks:
                tasks[title] = bars.add_task(title, total=None, mark=" ", line="")
            bars.update(
                tasks[title],
                total=event.total or None,
                completed=event.done,
                mark={"running": "›", "done": "[green]✓[/]", "failed": "[red]✗[/]"}[event.state],
                line=line,
            )

        with progress.telling_waits(listen):
            yield listen


def print_summary(folder: Path) -> None:
    """Print a run's metrics as a table, a column for each side, from its metrics.json."""
    from rich.table import Table

    contents = store.read_json(folder / METRICS)
    differences = {row["name"]: row for row in contents["comparisons"]}
    values: dict[str, dict[str, str]] = {}
    for row in contents["metrics"]:
        shown = "-" if row["value"] is None else f"{row['value']:.2f}"
        values.setdefault(row["name"], {})[row["side"]] = shown
    sides = [side for side in SIDES if any(side in of for of in values.values())]
    compared_by = ("difference", "95% interval", "n") if len(sides) == 2 else ()
    title = " against ".join(sides).capitalize()
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("metric", overflow="fold")  # two names that are cut may look the same
    for column in (*sides, *compared_by):
        table.add_column(column, justify="right", overflow="fold")
    for metric, of in values.items():
        told = _compared(differences.get(metric)) if compared_by else ()
        table.add_row(flat(metric), *(of.get(side, "-") for side in sides), *told)
    print_table(table)


def _compared(row: Mapping[str, Any] | None) -> tuple[str, str, str]:
    """Return the difference of a metric, its interval and of how many samples, as cells."""
    if row is None:
        return "", "", ""
    interval = f"{row['low']:+.2f} to {row['high']:+.2f}"
    return f"{row['difference']:+.2f}", interval, str(row["n"])


def print_table(table: Table) -> None:
    """Print a table as wide as the terminal; no cell holds markup. A reader who went away is the
    command's to handle: rich itself would end the process with exit code 1."""
    from rich.console import Console

    console = Console(markup=False)
    with console.capture() as shown:
        console.print(table)
    print(shown.get(), end="")
