"""The live view of a run: one line a stage, from its progress events."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from assay import progress, store
from assay.folder import METRICS
from assay.progress import Pace, Progress
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
    """Print a run's metrics as a table: baseline against candidate, from its metrics.json."""
    from rich.table import Table

    contents = store.read_json(folder / METRICS)
    differences = {row["name"]: row for row in contents["comparisons"]}
    values: dict[str, dict[str, str]] = {}
    for row in contents["metrics"]:
        shown = "-" if row["value"] is None else f"{row['value']:.2f}"
        values.setdefault(row["name"], {})[row["side"]] = shown
    both = any("baseline" in sides for sides in values.values())
    title = "Baseline against candidate" if both else "Candidate, without a baseline"
    table = Table("metric", title=title, title_justify="left")
    for column in ("baseline", "candidate", "difference", "95% interval", "n"):
        table.add_column(column, justify="right")
    for metric, sides in values.items():
        compared = differences.get(metric)
        interval = (
            (
                f"{compared['difference']:+.2f}",
                f"{compared['low']:+.2f} to {compared['high']:+.2f}",
                str(compared["n"]),
            )
            if compared
            else ("", "", "")
        )
        table.add_row(
            flat(metric), sides.get("baseline", "-"), sides.get("candidate", "-"), *interval
        )
    print_table(table)


def print_table(table: Table) -> None:
    """Print a table as wide as the terminal; no cell holds markup. A reader who went away is the
    command's to handle: rich itself would end the process with exit code 1."""
    from rich.console import Console

    console = Console(markup=False)
    with console.capture() as shown:
        console.print(table)
    print(shown.get(), end="")
