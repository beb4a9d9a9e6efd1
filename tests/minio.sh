#!/bin/sh
# Prints the path of a `minio` for the tests: the one on PATH, or one built (once, about 100 s) from
# its Go module into the user's cache.
set -eu
version=v0.0.0-20260212201848-7aac2a2c5b7c
folder="${XDG_CACHE_HOME:-$HOME/.cache}/assay/bin"
if command -v minio; then exit 0; fi
if [ ! -x "$folder/minio" ]; then
    if ! command -v go >/dev/null; then
        echo "needs minio on PATH, or Go to build it: apt-get install golang" >&2
        exit 1
    fi
    mkdir -p "$folder"
    GOBIN="$folder" go install "github.com/minio/minio@$version" >&2
fi
echo "$folder/minio"
