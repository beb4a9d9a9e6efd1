"""What a run was paid for so far, as its logs say: verdicts that later ones have shadowed, and
those that failed, too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from assay import store
from assay.errors import InputError
from assay.folder import (
    ANCHORS,
    JUDGE,
    PAIRING,
    PAIRS,
    PANEL,
    SECOND_PAIRS,
    SECOND_VERDICTS,
    SELF_TEST,
    TRIALS,
    VERDICTS,
)
from assay.judge.cost import Budget, Price
from assay.judge.log import rows
from assay.judge.settings import JudgeSettings
from assay.records import Verdict

_LOGS = (VERDICTS, SELF_TEST, ANCHORS, SECOND_VERDICTS, PAIRS, SECOND_PAIRS)


def budget_of_run(settings: JudgeSettings, out: Path, samples: Path) -> Budget:
    """Return the budget of the run in the folder `out`, with what its logs say was paid and what
    preflight paid for its trials, which are beside the `samples`. Raises InputError."""
    found = [out, *out.glob("*/"), *out.glob(f"*/{PANEL}/*/")]
    logs = [folder / name for folder in found for name in _LOGS]
    return _budget(settings, [*logs, samples.with_name(TRIALS)])


def budget_beside(settings: JudgeSettings, log: Path) -> Budget:
    """Return the budget of a judging by itself, with what `log` and those beside it say was paid.
    Raises InputError."""
    return _budget(settings, [log, *(log.with_name(name) for name in _LOGS if name != log.name)])


def _budget(settings: JudgeSettings, logs: Iterable[Path]) -> Budget:
    budget = Budget(settings.max_cost)
    for log in logs if settings.prices else ():
        if log.is_file():
            price = _price_at(settings, log)
            for row in _paid(log):
                cost = row.cost
                if cost is None:
                    cost = price.of(row.prompt_tokens, row.output_tokens) if price else 0.0
                budget.pay(cost, estimated=row.estimated)
    return budget


def _paid(log: Path) -> Iterator[Verdict]:
    """Yield the rows of a log that were paid for. A verdict with every score is paid for once:
    where it stands there again, another one was in between. Each trial is paid for."""
    seen = set()
    for row in rows(log):
        if row.unscored or log.name == TRIALS:
            yield row
        elif (row.id, row.key) not in seen:
            seen.add((row.id, row.key))
            yield row


def _price_at(settings: JudgeSettings, log: Path) -> Price | None:
    """Return what a row without a cost is priced at: as the model of the summary beside the log, or
    as the settings' own."""
    model = settings.model
    for name in (JUDGE, PAIRING):
        try:
            model = store.read_json(log.with_name(name))["model"]
        except (InputError, KeyError, TypeError):
            continue
    return settings.prices.get(model) or settings.prices.get(settings.model)
