"""A Job belongs to its run: it outlives its launcher's pod, and not the run."""

from __future__ import annotations

from pathlib import Path

from assay import store
from assay.queues import Work
from assay.records import ModelManifest
from tests.cluster import runs
from tests.cluster.kube import Space
from tests.cluster.launchers import DONE, Start, eventually, last_line, work

FOREVER = "echo begin; exec sleep 600"


def stepping(count: int) -> str:
    """Return the script of a worker that takes so many half seconds."""
    return f"for i in $(seq {count}); do echo step $i; sleep 0.5; done; {DONE}"


def uid_of(space: Space) -> str:
    (found,) = space.get("vcjob")
    return str(found["metadata"]["uid"])


def test_a_launcher_whose_pod_is_deleted_leaves_its_job_to_the_next(space: Space) -> None:
    """Argo makes the pod anew under the same name. The Job goes with the run."""
    run = runs.begin(space)
    name = run.launch(work(), script=stepping(40))
    run.until("step 3")
    uid = uid_of(space)
    space.cluster.run("delete", "pod", "launcher", "-n", space.name, "--force", "--grace-period=0")
    eventually(lambda: not run.phase(), "the launcher's pod is gone")
    run.launch(work(), script=stepping(40))
    run.until(f"going on with Job {name} of an earlier try")
    eventually(lambda: run.phase() == "Succeeded", "the launcher ends", 120)
    log = run.log().splitlines()
    steps = [line for line in log if line.startswith("step")]
    assert steps == [f"step {number}" for number in range(1, 41)]
    assert log[-1] == '{"digest": "d"}'
    assert uid_of(space) == uid
    (owner,) = space.get("vcjob")[0]["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Workflow", run.uid)
    run.end()
    eventually(lambda: not space.jobs(), "the Job goes with its run")


def test_a_drained_launcher_leaves_its_job_and_a_canceled_one_does_not(space: Space) -> None:
    """Both get SIGTERM; Argo leaves the pods of a run that is canceled where they are."""
    run = runs.begin(space)
    name = run.launch(work(), script=FOREVER)
    run.until("begin")
    space.cluster.run("delete", "pod", "launcher", "-n", space.name)
    assert space.jobs() == [name]
    run.launch(work(), script=FOREVER)
    run.until("going on with Job")
    run.until("begin")
    space.cluster.run("exec", "launcher", "-n", space.name, "--", "kill", "-TERM", "1")
    eventually(lambda: not space.jobs(), "the Job is deleted", 60)


def test_what_a_launcher_that_was_killed_leaves_ends_itself(
    space: Space, start: Start, root: str
) -> None:
    """Its run may have been canceled meanwhile. While somebody follows the Job, it goes on."""
    outputs = {"model": f"{root}/model", "training": f"{root}/training"}
    wanted = Work(stage="finetune", samples=f"{root}/samples", outputs=outputs, arguments={})
    script = "exec python3 -m tests.cluster.idle"
    first = start(wanted, script=script, lease_s=15, retries=3)
    first.until("begin")
    second = start(wanted, script=script, lease_s=15, retries=3)
    second.until(f"going on with Job {first.job} of an earlier try")
    uid = uid_of(space)
    first.process.kill()
    second.process.kill()

    def phase() -> str:
        return str(space.get("vcjob")[0]["status"]["state"]["phase"])

    eventually(lambda: phase() == "Terminated", "the Job has ended itself", 90)
    assert uid_of(space) == uid
    said = space.cluster.run("logs", f"{first.job}-master-0", "-n", space.name)
    assert "assay: nobody has followed this Job for 15 s. Run it again" in said
    third = start(wanted, script=DONE)
    assert third.wait() == 0, third.output
    assert not store.exists(f"{root}/model.lease")


def test_a_published_result_is_found_after_its_job_is_gone(
    space: Space, start: Start, root: str, tmp_path: Path
) -> None:
    outputs = {"model": f"{root}/model", "training": f"{root}/training"}
    manifest = ModelManifest(
        base_model="base",
        base_digest="b",
        finetuning_type="lora",
        template="t",
        digest="of the weights",
        dataset_hash="h",
        samples=1,
        settings={},
        versions={},
        runner="Volcano Job",
    )
    for name in outputs:
        store.write_json(tmp_path / name / "manifest.json", manifest)
        store.publish(tmp_path / name, outputs[name])
    wanted = Work(stage="finetune", samples=f"{root}/samples", outputs=outputs, arguments={})
    launcher = start(wanted, script="echo again; exit 1")
    assert launcher.wait() == 0, launcher.output
    assert last_line(launcher)["digest"] == "of the weights"
    assert "done by an earlier try" in launcher.output
    assert not space.jobs()
