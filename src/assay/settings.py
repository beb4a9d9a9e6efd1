"""Settings: mappings in, validated frozen dataclasses out; what is unknown is refused by name."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from assay.errors import SettingsError
from assay.meant import remedy
from assay.numeric import check_finite

T = TypeVar("T")

# of a setting, "-" and the capitals within a word taken for "_"
_SECRET = re.compile(
    r"(?:^|_)(?:key|credentials?|authorization|auth|bearer|pwd|webhook_url)$|"
    r"(?:api|access|auth|private|secret|subscription)_?keys?$|"
    r"(?:token|passwords?|passw[o0]?r?d|passphrase|secrets?)$|(?:api|access|auth)_?tokens$",
    re.IGNORECASE,
)
_WITHIN = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|-")
_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]*@", re.IGNORECASE)
# in a text: what stands before @ and behind = in a URL, and the keys that are known by their form
_HIDDEN = re.compile(
    r"(?<=://)[^/\s'\"]+(?=@)|(?<=[?&])[^\s&'\"]+|\b(?:sk|pk|rk|hf|gsk|gh[a-z]|glpat|xai|xox[a-z])"
    r"[-_][\w.-]+|\b(?:AKIA|ASIA|AIza|eyJ)[\w.-]{8,}"
)
_KEY = re.compile(
    r"sk[-_][\w.-]{8,}|(?:gsk|hf|gh[a-z]|glpat|nvapi|pk|rk|xai|xox[a-z])[-_][A-Za-z0-9]{16,}[\w.-]*|"
    r"(?:AKIA|ASIA|AIza)[\w-]{12,}|eyJ[\w-]{8,}\.[\w.-]+"
)
# in a text: what is sent as a secret, and what follows the name of one, where it is no mere word
_LIKELY = r"(?=[^\s'\",;&}]*(?:\d|[a-z][A-Z]))(?!\d+\b)[^\s'\",;&}]{6,}"
_NAME = (
    r"(?i:(?:api|access)[_-]?key|token|passw(?:or)?d|secret|authorization)['\"]?\s*[:=]\s*['\"]?"
)
_SENT = re.compile(rf"((?i:\b(?:bearer|basic)\s+)|{_NAME}){_LIKELY}")
# of a setting's value: whatever follows one
_STATED = re.compile(rf"({_NAME})\S.*", re.DOTALL)
# of a query: what signs a URL, or is a key by its name
_SIGNED = re.compile(
    r"[?&;](?:x-(?:amz|goog)-(?:signature|credential|security-token)|signature|sig|awsaccesskeyid|"
    r"(?:[\w-]*[-_])?(?:api[-_]?key|key|token|password|secret|auth))=[^&\s]",
    re.IGNORECASE,
)
_BRANCH = re.compile(r"(?:constrained-)?(?:float|int|str)|literal\[.*\]")  # of a union, to pydantic
_LONGEST = 200
_UNKNOWN = "unexpected_keyword_argument"  # pydantic's name for it
# what pydantic says of each kind of a value that may be a number or text, and calls that kind
_OF_A_UNION = {"float_type": "float", "string_type": "str"}


def build(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    """Return `cls(**values)` with every name, type and range checked.

    `where` is the section that the values come from, for the message. Raises SettingsError.
    """
    names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    check_names(values, names, where)
    check_finite(values, where)
    missing = [name for name in required(cls) if name not in values]
    if missing:
        raise SettingsError(f"{where}.{missing[0]} is missing", f"Set {where}.{missing[0]}")
    return _validate(cls, values, where)


def check_names(values: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    """Raise SettingsError for the first name in `values` not among `names`, and for secrets."""
    names = sorted(names)
    for name in values:
        if name in names:
            continue
        if _is_secret(str(name)) and not difflib.get_close_matches(name, names, cutoff=0.9):
            raise SettingsError(
                f"{where}.{name} looks like a secret, which no setting may hold",
                "Remove it and pass it by environment variable or Kubernetes Secret",
            )
        raise SettingsError(f"{where}.{name} is not a setting", _nearest(str(name), names))


def check_mapping(value: object, where: str) -> dict[str, Any]:
    """Return `value` as a mapping with string keys, or raise SettingsError."""
    if not isinstance(value, Mapping):
        raise SettingsError(
            f"{where} is {shown(value)}, not a mapping", f"Write {where} as name: value lines"
        )
    return {str(key): item for key, item in value.items()}


def check_secrets(value: object, where: str) -> None:
    """Raise SettingsError for a name that looks like a secret's, anywhere in `value`, also in JSON
    that is text: what it holds would be stored with the run."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return
    for name, inner in _items(value):
        if isinstance(value, Mapping) and _is_secret(name):
            check_names({name: inner}, (), where)
        check_secrets(inner, f"{where}.{name}")


def check_urls(value: object, where: str) -> None:
    """Raise SettingsError for a URL with a user name or password, or with a signature or a key in
    its query, anywhere in `value`: it would be stored with the run, and printed."""
    if isinstance(value, str) and _PASSWORD.match(value.strip()):
        raise SettingsError(
            f"{where} holds a user name or password",
            "Leave it out and pass it by environment variable or Kubernetes Secret",
        )
    if isinstance(value, str) and "://" in value and _SIGNED.search(value):
        raise SettingsError(
            f"{where} holds a signature or a key behind its path",
            "Name the file by s3:// or minio://, or copy it here; credentials come by environment "
            "variable or Kubernetes Secret",
        )
    for name, inner in _items(value):
        check_urls(inner, f"{where}.{name}" if where else name)


def has_query(url: str) -> bool:
    """Whether a URL goes on behind its path, where a key may stand."""
    return "?" in url or "#" in url


def is_key(text: str) -> bool:
    """Whether a text has the form of a key."""
    return bool(_KEY.fullmatch(text.strip()))


def is_likely_key(name: str) -> bool:
    """Whether a text that could be a variable's name is rather a key, such as 32 hex digits."""
    mixed = any(map(str.islower, name)) and any(map(str.isupper, name))
    return "_" not in name and any(map(str.isdigit, name)) and (mixed or len(name) >= 20)


def secret_in(url: str) -> str:
    """Return what a URL holds beside an address that may be a secret, "" for nothing."""
    if "@" in url:
        return "a user name or password"
    if has_query(url):
        return "a query"
    if ";" in url:
        return "parameters"
    return "what looks like a key" if any(map(is_key, url.split("/"))) else ""


def shown(value: object, name: str = "") -> str:
    """Return the value of the setting `name` for a message: what may be a secret as ***."""
    return repr(_without_secrets(value, name))[:_LONGEST]


def redacted(text: str) -> str:
    """Return `text` with what looks like a secret as ***."""
    return _HIDDEN.sub("***", _SENT.sub(r"\1***", text))


def from_yaml(text: str) -> Any:
    """Return what a YAML text says. Raises ValueError, as `yaml_problem` tells it, also for what
    is nested too deeply or holds itself."""
    import yaml

    try:
        value = yaml.load(text, _once_each())  # noqa: S506  it is a safe loader
        json.dumps(value, default=str, skipkeys=True)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(yaml_problem(error)) from None
    return value


def _once_each() -> Any:
    """Return a safe loader that refuses a name twice in one mapping: one value would be lost."""
    import yaml

    class OnceEach(yaml.SafeLoader):
        def compose_mapping_node(self, anchor: Any) -> Any:
            node = super().compose_mapping_node(anchor)
            names: dict[str, Any] = {}
            for key, _ in node.value:
                if key.value != "<<" and names.setdefault(str(key.value), key) is not key:
                    problem = f"{key.value} stands twice in one mapping"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            return node

    return OnceEach


def yaml_problem(error: Exception) -> str:
    """Return what is wrong with a text that is no YAML, and where: the parser's own message quotes
    the lines around it, which may hold a secret."""
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    told = str(problem or error) if problem or not mark else "it cannot be read"
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return redacted(" ".join(told.split())) + place


def _without_secrets(value: object, name: str) -> object:
    if _is_secret(name.removesuffix("_env")) and value is not None:
        return "***"
    if isinstance(value, Mapping):
        return {key: _without_secrets(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(inner, name) for inner in value]
    return _STATED.sub(r"\1***", redacted(value)) if isinstance(value, str) else value


def _is_secret(name: str) -> bool:
    """Whether a setting is a secret by its name."""
    return bool(_SECRET.search(_WITHIN.sub("_", name)))


def _items(value: object) -> Iterable[tuple[str, object]]:
    if isinstance(value, Mapping):
        return [(str(name), inner) for name, inner in value.items()]
    if isinstance(value, list | tuple):
        return [(str(number), inner) for number, inner in enumerate(value)]
    return ()


def read_assignments(flag: str, assignments: Iterable[str]) -> dict[str, Any]:
    """Return the NAME=VALUE arguments of a repeatable `flag`, each value read as YAML. Raises
    SettingsError."""
    values = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            told = f"{flag} {redacted(assignment)} has no {'value' if name else 'name'}"
            raise SettingsError(told, f"Write {flag} NAME=VALUE")
        try:
            values[name] = from_yaml(value)
        except ValueError as error:
            raise SettingsError(f"{flag} {redacted(name)}: {error}", "Quote the value") from None
    return values


def required(cls: type) -> list[str]:
    """Return the names of the settings that have no default."""
    return [
        field.name
        for field in dataclasses.fields(cls)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]


def _nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    return f"Known: {', '.join(names)}" if 0 < len(names) <= 30 else "Check its spelling"


def _validate(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    from pydantic import TypeAdapter, ValidationError

    # As JSON, since strict validation of Python values takes no mapping for a dataclass and no
    # list for a tuple; both are what YAML and pipeline parameters give.
    text = json.dumps(dict(values), default=str)
    try:
        return TypeAdapter(cls).validate_json(text, strict=True)
    except ValidationError as error:
        problems = error.errors()
        unknown = [problem for problem in problems if problem["type"] == _UNKNOWN]
        raise _refused((unknown or problems)[0], where) from None


def _refused(error: Mapping[str, Any], where: str) -> SettingsError:
    """Return what pydantic says of one value as a SettingsError."""
    kind, message = error["type"], str(error["msg"])
    places = [str(part) for part in error["loc"]]
    if len(places) > 1 and _BRANCH.fullmatch(places[-1]):
        *places, branch = places
        if _OF_A_UNION.get(kind) == branch:
            message = "input should be a number or text"
    *outer, last = [where, *places]
    name = ".".join([*outer, last])
    if kind == _UNKNOWN:
        try:
            check_names({last: None}, (), ".".join(outer))
        except SettingsError as unknown:
            return unknown
    if kind.startswith("missing"):
        return SettingsError(f"{name} is missing", f"Set {name}")
    if kind == "json_invalid":
        return SettingsError(f"{where} holds text that is no Unicode", f"Correct {where}")
    told = f"{message[0].lower()}{message[1:]}"
    return SettingsError(f"{name} = {shown(error['input'], last)}: {told}", remedy(error, name))
