"""Which image each component runs in: one a dependency set, tagged with the package's version."""

import os

from assay import __version__

REGISTRY = os.environ.get("ASSAY_IMAGE_REGISTRY", "")  # such as "registry.example/team/"
CPU_IMAGE = f"{REGISTRY}assay-cpu:{__version__}"
GPU_IMAGE = f"{REGISTRY}assay-gpu:{__version__}"
