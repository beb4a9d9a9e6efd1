"""Where Kubeflow Pipelines is and how to speak to it: flags, environment, or a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from assay import settings
from assay.errors import InputError, SettingsError

PREFIX = "ASSAY_KFP_"
TOKEN, COOKIES = f"{PREFIX}TOKEN", f"{PREFIX}COOKIES"
FILE = f"{PREFIX}CONFIG"


@dataclass(frozen=True, kw_only=True)
class Connection:
    """How Kubeflow Pipelines is reached.

    Without `endpoint` it is found as kfp.Client finds it: KF_PIPELINES_ENDPOINT, the cluster that
    this is a pod of, or the current kubeconfig. `namespace` is the user's, where KFP has many
    users. `token_file` holds a bearer token; `credentials: service-account` uses this pod's own.
    `ca_file` is a PEM file of authorities to trust. `registry` goes before the pipelines' image
    names, `time_zone` is that of KFP's schedule controller.
    """

    endpoint: str = ""
    ui: str = ""
    namespace: str = ""
    experiment: str = "assay"
    token_file: str = ""
    credentials: Literal["", "service-account"] = ""
    ca_file: str = ""
    proxy: str = ""
    verify_tls: bool = True
    registry: str = ""
    service_account: str = ""
    time_zone: str = "UTC"


def load(given: Mapping[str, str | None], file: Path | None = None) -> Connection:
    """Return the connection: what is `given`, else ASSAY_KFP_<NAME>, else the file.

    The file is `file`, else ASSAY_KFP_CONFIG, else kfp.yaml in the user's configuration folder,
    which need not be there. Raises InputError and SettingsError.
    """
    values = _from_file(file) | _from_environment()
    values |= {name: value for name, value in given.items() if value}
    connection = settings.build(Connection, values, "connection")
    _check_addresses(connection)
    return connection


def _check_addresses(connection: Connection) -> None:
    """Raise SettingsError for an address with a secret in it: it is printed, in links too."""
    for name, address in (("endpoint", connection.endpoint), ("ui", connection.ui)):
        settings.check_urls(address, f"connection.{name}")
    if "@" in connection.endpoint or settings.has_query(connection.endpoint):
        raise SettingsError(
            "connection.endpoint holds more than an address",
            f"Leave it out; {TOKEN} and {COOKIES} sign in",
        )


def _from_file(file: Path | None) -> dict[str, Any]:
    path = file or (Path(os.environ[FILE]) if os.environ.get(FILE) else _default())
    if not path.is_file():
        if path == _default():
            return {}
        raise InputError(f"{path} does not exist", "Correct the path")
    try:
        values = settings.from_yaml(path.read_text(encoding="utf-8"))
    except ValueError as error:
        line = settings.yaml_problem(error)
        raise SettingsError(f"{path} is not YAML: {line}", "Correct the file") from None
    given = settings.check_mapping(values, str(path))
    settings.check_names(given, [field.name for field in fields(Connection)], str(path))
    return given


def _default() -> Path:
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return home / "assay" / "kfp.yaml"


def _from_environment() -> dict[str, Any]:
    given: dict[str, Any] = {}
    for field in fields(Connection):
        if value := os.environ.get(f"{PREFIX}{field.name.upper()}"):
            given[field.name] = _flag(value, field.name) if field.type == "bool" else value
    return given


def _flag(value: str, name: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise SettingsError(f"{PREFIX}{name.upper()} = {value!r}", "Set it to true or false")
    return value.lower() == "true"
