"""Text as Markdown: escaped, or in code that it cannot leave.

What a model wrote stands in code fences longer than any run of backticks in it: there it is no
markup, no link and no mention.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assay.report.plain import visible


def inline(text: str) -> str:
    """Return `text` on one line, with nothing in it that is markup, a cell's end or a mention."""
    flat = " ".join(visible(text).split())
    escaped = re.sub(r"([\\`*_{}\[\]|~#!])", r"\\\1", flat)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace("@", "@\u2060")


def code(text: str) -> str:
    """Return `text` as a code span on one line."""
    flat = " ".join(visible(text).split()) or " "
    mark = "`" * (1 + max((len(run) for run in re.findall("`+", flat)), default=0))
    return f"{mark} {flat} {mark}" if "`" in flat else f"{mark}{flat}{mark}"


def cell(text: str) -> str:
    """Return `text` as a code span for a table, where a bar would end the cell."""
    return code(text).replace("|", "\\|") if text else ""


def fence(text: str) -> str:
    """Return `text` in a fence of its own."""
    mark = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{mark}text\n{visible(text)}\n{mark}"


def table(
    titles: Sequence[str], aligned: Sequence[str], rows: Sequence[Sequence[str]]
) -> Iterator[str]:
    """Yield the lines of a table; `aligned` has ":--", "--:" or ":-:" for each column."""
    for cells in (titles, aligned, *rows):
        yield f"| {' | '.join(cells)} |"
