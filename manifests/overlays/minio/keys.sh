#!/bin/sh
# Writes random keys, each file once, from which `kubectl apply -k` makes two Secrets:
#   minio.env    MinIO's root: for MinIO, and for the Job that makes its user
#   store.env    that user, who may use the bucket and nothing else: for the runs
# One that is there is kept: a store.env with which MinIO's root was made once becomes the user's.
set -eu
umask 077
cd "$(dirname "$0")"
random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
[ -e minio.env ] || cat > minio.env <<END
MINIO_ROOT_USER=$(random 10)
MINIO_ROOT_PASSWORD=$(random 20)
END
[ -e store.env ] || cat > store.env <<END
AWS_ENDPOINT_URL_S3=http://assay-minio:9000
AWS_REGION=us-east-1
AWS_ACCESS_KEY_ID=$(random 10)
AWS_SECRET_ACCESS_KEY=$(random 20)
END
