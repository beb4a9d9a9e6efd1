"""The intervals against the truth, as Markdown: `python -m tests.bench statistics`.

Seeded, so that each run prints the same; in minutes on two cores.
"""

from __future__ import annotations

from concurrent.futures import Executor, ProcessPoolExecutor

from tests.bench.statistics.cases import CASES, POWERS, SHIFTS
from tests.bench.statistics.measure import Misses, beside_t, gates, misses, power

REPLICATIONS = 2_000
POWER_SIZES = (50, 100, 300)
BESIDE_SIZES = (60, 100, 300)
GATES = ((100, 0.5), (300, 0.5), (300, 0.3), (1_500, 0.3))


def miss_rows(pool: Executor, replications: int) -> list[str]:
    """Return a row for each kind and number of differences."""
    cells = [(case, n) for case in CASES for n in case.sizes]
    tasks = [(at, n, replications) for at, case in enumerate(CASES) for n in case.sizes]
    measured = pool.map(_misses, *zip(*tasks, strict=True))
    return [
        f"| {case.name} | {n:,} | {100 * found.above:.1f}% | "
        f"{100 * (1 - found.above - found.below):.1f}% | {found.width:.2f} |"
        for (case, n), found in zip(cells, measured, strict=True)
    ]


def power_rows(pool: Executor, replications: int) -> list[str]:
    """Return a row for each kind and number of differences whose power is tried."""
    tasks = [(at, n, replications) for at in range(len(POWERS)) for n in POWER_SIZES]
    measured = pool.map(_power, *zip(*tasks, strict=True))
    return [
        f"| {POWERS[at][0]} | {n} | {wanted:.3g} | {shown:.0%} |"
        for (at, n, _), (wanted, shown) in zip(tasks, measured, strict=True)
    ]


def beside_rows(pool: Executor, replications: int) -> list[str]:
    """Return a row for each kind and number of differences whose power is set beside t's."""
    tasks = [(at, n, replications) for at in range(len(SHIFTS)) for n in BESIDE_SIZES]
    measured = pool.map(_beside, *zip(*tasks, strict=True))
    return [
        f"| {SHIFTS[at][0]} | {n} | {by_t:.0%} | {shown:.0%} |"
        for (at, n, _), (by_t, shown) in zip(tasks, measured, strict=True)
    ]


def gate_rows(pool: Executor, replications: int) -> list[str]:
    """Return a row for each gate: nothing lost, and in one dimension just what is allowed."""
    cells = [(n, allowed, loss, replications) for n, allowed in GATES for loss in (0.0, allowed)]
    measured = pool.map(gates, *zip(*cells, strict=True))
    return [
        f"| {n:,} | {allowed:g} | {loss:g} | {one:.1%} | {five:.1%} |"
        for (n, allowed, loss, _), (one, five) in zip(cells, measured, strict=True)
    ]


def _misses(at: int, n: int, replications: int) -> Misses:
    """Measure a case by its place, which another process can be told."""
    return misses(CASES[at], n, replications)


def _power(at: int, n: int, replications: int) -> tuple[float, float]:
    return power(*POWERS[at][1:], n, replications)


def _beside(at: int, n: int, replications: int) -> tuple[float, float]:
    return beside_t(*SHIFTS[at][1:], n, replications)


def main() -> None:
    """Print the tables."""
    with ProcessPoolExecutor() as pool:
        print("| differences | n | above the truth: false GO | coverage | width / t |")
        print("|---|---|---|---|---|")
        print("\n".join(miss_rows(pool, REPLICATIONS)))
        print("\n| differences | n | detectable | power there |\n|---|---|---|---|")
        print("\n".join(power_rows(pool, REPLICATIONS // 4)))
        print("\n| differences | n | paired t | interval |\n|---|---|---|---|")
        print("\n".join(beside_rows(pool, REPLICATIONS // 2)))
        print(
            "\n| pairs | max_drop | lost of one | GO, one rule | GO, five |\n|---|---|---|---|---|"
        )
        print("\n".join(gate_rows(pool, REPLICATIONS // 2)))


if __name__ == "__main__":
    main()
