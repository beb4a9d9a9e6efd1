"""The example of a quota: what fits is done, and what does not ends with what bounds it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from tests.cluster.kube import Space
from tests.cluster.launchers import DONE, Start, fails, work

COMPONENT = Path(__file__).parents[2] / "manifests/components/quota"
# amounts below a small node's own, as Volcano makes no pods that no node has room for
SMALL = {
    "ResourceQuota": [("/spec/hard/requests.cpu", "500m")],
    "LimitRange": [
        ("/spec/limits/0/default/memory", "512Mi"),
        ("/spec/limits/0/max/memory", "1Gi"),
    ],
}


@pytest.fixture(autouse=True)
def adapted_quota(space: Space, tmp_path: Path) -> None:
    """Applies the component in the test's namespace, its amounts adapted."""
    own = tmp_path / "own"
    own.mkdir()
    patches = [
        {
            "target": {"kind": kind},
            "patch": json.dumps(
                [{"op": "replace", "path": path, "value": amount} for path, amount in changes]
            ),
        }
        for kind, changes in SMALL.items()
    ]
    component = os.path.relpath(COMPONENT, own.resolve())
    content = {"namespace": space.name, "components": [component], "patches": patches}
    (own / "kustomization.yaml").write_text(yaml.safe_dump(content))
    space.cluster.apply(*yaml.safe_load_all(space.cluster.run("kustomize", str(own))))


def test_a_worker_that_asks_for_nothing_gets_the_defaults(space: Space, start: Start) -> None:
    launcher = start(work(), script=DONE)
    assert launcher.wait() == 0, launcher.output
    (pod,) = space.pods()
    assert pod["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "20m", "memory": "128Mi"},
        "limits": {"memory": "512Mi"},
    }


@pytest.mark.parametrize(
    ("asked", "bound"),
    [
        ({"memory": "1500Mi"}, "maximum memory usage per Container is 1Gi"),
        ({"cpu": "600m"}, "quota assay-quota allows requests.cpu=500m"),
    ],
)
def test_what_never_fits_ends_with_what_bounds_it(
    space: Space, start: Start, asked: dict[str, str], bound: str
) -> None:
    error = fails(start(work(), script=DONE, timeout_s=40, **asked), space, code=2)
    assert bound in error
    assert "or have " in error
