#!/bin/sh
# Builds the images with docker, podman or buildah, whichever is there, and tags them with the
# package's version:
#     images/build.sh [NAME...]          cpu, gpu and minio, or those named (vllm after gpu)
#     ASSAY_IMAGE_REGISTRY=registry.example/team/ images/build.sh --push [NAME...]
# ASSAY_BUILD_TOOL names one of them, ASSAY_BUILD_OPTIONS holds options of its `build`.
set -eu
cd "$(dirname "$0")/.."

push=
if [ "${1:-}" = --push ]; then push=1; shift; fi
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' src/assay/__init__.py)
revision=$(git rev-parse HEAD 2>/dev/null || true)

tool=${ASSAY_BUILD_TOOL:-}
if [ -n "$tool" ]; then :
elif docker info >/dev/null 2>&1; then tool=docker
elif command -v podman >/dev/null; then tool=podman
elif command -v buildah >/dev/null; then tool=buildah
else
    echo "images/build.sh: needs docker (running), podman or buildah" >&2
    exit 2
fi

for name in ${*:-cpu gpu minio}; do
    image="${ASSAY_IMAGE_REGISTRY:-}assay-$name:$version"
    # the one is made of the other
    based=
    [ "$name" != vllm ] || based="--build-arg GPU=${ASSAY_IMAGE_REGISTRY:-}assay-gpu:$version"
    # shellcheck disable=SC2086  the caller's options are several words
    $tool build ${ASSAY_BUILD_OPTIONS:-} -f "images/$name/Containerfile" -t "$image" \
        --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
        --build-arg "SOURCE=${SOURCE:-}" $based .
    if [ -n "$push" ]; then $tool push "$image"; fi
    echo "$image"
done
