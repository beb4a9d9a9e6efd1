"""What the tests fine-tune and evaluate: the demo's model, in the cluster's store, and its data."""

from __future__ import annotations

from assay.demo.run import DATA
from tests.cluster import kube

BASE = f"{kube.STORE}/base"
TRAINING = f"{DATA / 'dataset_info.json'}#smart_home_train"
EVALUATION = f"{DATA / 'dataset_info.json'}#smart_home_eval"
