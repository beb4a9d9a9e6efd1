from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
from annotated_types import Ge

from assay import settings
from assay.errors import SettingsError


@dataclass(frozen=True, kw_only=True)
class Example:
    path: str
    count: Annotated[int, Ge(1)] = 3
    rate: float = 0.5
    more: dict[str, Any] = field(default_factory=dict)


def test_values_become_a_checked_dataclass() -> None:
    built = settings.build(Example, {"path": "a", "rate": 1}, "example")
    assert built == Example(path="a", rate=1.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"path": "a", "cuont": 1}, r"example.cuont is not a setting. Did you mean count\?"),
        ({"path": "a", "zzz": 1}, "example.zzz is not a setting. Known: count, more, path, rate"),
        ({}, "example.path is missing. Set example.path"),
        ({"path": "a", "count": 0}, "example.count = 0: .*greater than or equal to 1"),
        ({"path": "a", "count": "3"}, "example.count = '3': .*valid integer"),
        ({"path": "a", "count": 1.5}, "example.count = 1.5: .*integer"),
        ({"path": 7}, "example.path = 7: .*valid string"),
    ],
)
def test_a_wrong_value_is_refused_by_name(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings.build(Example, values, "example")


@pytest.mark.parametrize("name", ["api_key", "hf_token", "password", "KEY"])
def test_a_secret_is_refused_and_never_shown(name: str) -> None:
    with pytest.raises(SettingsError, match="looks like a secret") as refused:
        settings.build(Example, {"path": "a", name: "s3cr3t"}, "example")
    assert "s3cr3t" not in str(refused.value)
    assert refused.value.exit_code == 2


def test_a_section_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"judge is \[1\], not a mapping"):
        settings.check_mapping([1], "judge")
