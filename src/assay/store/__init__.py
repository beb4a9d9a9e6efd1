"""The only reader and writer of records and artifacts: local files, s3:// and minio://."""

from assay.store.artifacts import exists, fetch, is_remote, publish
from assay.store.files import (
    WEIGHT_SUFFIXES,
    append,
    appending,
    digest_weights,
    hash_rows,
    read_json,
    read_record,
    read_rows,
    replacing,
    tail,
    to_json,
    write_json,
    write_rows,
    write_text,
)
from assay.store.newest import newest

__all__ = [
    "WEIGHT_SUFFIXES",
    "append",
    "appending",
    "digest_weights",
    "exists",
    "fetch",
    "hash_rows",
    "is_remote",
    "newest",
    "publish",
    "read_json",
    "read_record",
    "read_rows",
    "replacing",
    "tail",
    "to_json",
    "write_json",
    "write_rows",
    "write_text",
]
