"""The only reader and writer of records and artifacts: local files, s3:// and minio://."""

from assay.store.area import Area, kept
from assay.store.artifacts import (
    check_folder,
    exists,
    fetch,
    fetched,
    is_remote,
    listed,
    make_bucket,
    publish,
    size,
    version,
)
from assay.store.cache import cache_folder, cached, in_cache
from assay.store.contents import Contents
from assay.store.deliver import deliver
from assay.store.digests import (
    WEIGHT_SUFFIXES,
    ReadFile,
    digest_files,
    digest_weights,
    files_read,
    hash_rows,
    trust,
)
from assay.store.encoding import to_json
from assay.store.files import read_json, read_record, replacing, write_json, write_text
from assay.store.folders import INDEX
from assay.store.ids import id_of, read_some
from assay.store.keeping import keep_now
from assay.store.lease import leased
from assay.store.lock import held
from assay.store.log import append, appending, tail
from assay.store.mirror import Mirror, mirrored
from assay.store.newest import newest
from assay.store.outage import (
    StoreSettings,
    Wait,
    impatient,
    relied_on,
    telling,
    waited,
    waiting,
)
from assay.store.places import PlacedRows, count_rows, placed_rows, row_at
from assay.store.rows import NumberedLine, parser, read_lines, read_rows, write_rows
from assay.store.s3 import locate
from assay.store.shelf import Shelf
from assay.store.used import mark_used, remove, stored

__all__ = [
    "INDEX",
    "WEIGHT_SUFFIXES",
    "Area",
    "Contents",
    "Mirror",
    "NumberedLine",
    "PlacedRows",
    "ReadFile",
    "Shelf",
    "StoreSettings",
    "Wait",
    "append",
    "appending",
    "cache_folder",
    "cached",
    "check_folder",
    "count_rows",
    "deliver",
    "digest_files",
    "digest_weights",
    "exists",
    "fetch",
    "fetched",
    "files_read",
    "hash_rows",
    "held",
    "id_of",
    "impatient",
    "in_cache",
    "is_remote",
    "keep_now",
    "kept",
    "leased",
    "listed",
    "locate",
    "make_bucket",
    "mark_used",
    "mirrored",
    "newest",
    "parser",
    "placed_rows",
    "publish",
    "read_json",
    "read_lines",
    "read_record",
    "read_rows",
    "read_some",
    "relied_on",
    "remove",
    "replacing",
    "row_at",
    "size",
    "stored",
    "tail",
    "telling",
    "to_json",
    "trust",
    "version",
    "waited",
    "waiting",
    "write_json",
    "write_rows",
    "write_text",
]
