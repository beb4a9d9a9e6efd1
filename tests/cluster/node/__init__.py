"""A real one-node Kubernetes with Volcano, DNS and MinIO, as processes of this machine.

`python -m tests.cluster.node install|up|down` needs Linux, root, Debian's packages and Go; nothing
comes from a container registry. State lies in the user's cache, or in $ASSAY_CLUSTER.
"""
