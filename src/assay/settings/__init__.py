"""Settings: mappings in, validated frozen dataclasses out; what is unknown is refused by name."""

from assay.settings.build import build, required
from assay.settings.difference import Difference, differences, first_difference, with_defaults
from assay.settings.names import changed, check_mapping, check_names, check_value, nearest
from assay.settings.reading import from_yaml, read_assignments, to_yaml, yaml_problem
from assay.settings.secrets import has_query, is_key, is_likely_key, redacted, secret_in, shown
from assay.settings.stored import check_secrets, check_urls

__all__ = [
    "Difference",
    "build",
    "changed",
    "check_mapping",
    "check_names",
    "check_secrets",
    "check_urls",
    "check_value",
    "differences",
    "first_difference",
    "from_yaml",
    "has_query",
    "is_key",
    "is_likely_key",
    "nearest",
    "read_assignments",
    "redacted",
    "required",
    "secret_in",
    "shown",
    "to_yaml",
    "with_defaults",
    "yaml_problem",
]
