"""Before anything is spent: the plan is made, what cannot work is refused, the samples are written.

With `prepare` a run on this machine (run.py) begins, and the first task of a pipeline (task/).
"""

from assay.preflight.checks import check_cluster, check_settings
from assay.preflight.models import tell_withheld
from assay.preflight.prepare import Prepared, prepare
from assay.preflight.samples import write_samples

__all__ = [
    "Prepared",
    "check_cluster",
    "check_settings",
    "prepare",
    "tell_withheld",
    "write_samples",
]
