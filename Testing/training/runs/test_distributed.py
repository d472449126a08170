"""Several processes with a divided batch learn what one process learns."""

import json
import os
import subprocess
import sys
from pathlib import Path

import ignite.distributed as idist
import pytest
import torch
from training_log import log_of

from Training.data.batches import NumberedBatches
from Training.runs.checkpoints import read_checkpoint


@pytest.fixture(scope="module")
def two_processes(monai_bundle, tiny_stage1, tiny_stage2, tmp_path_factory):
    """The folders of both stages, each trained by two processes."""
    folder = tmp_path_factory.mktemp("two")
    start(monai_bundle, {"stage1": ("stage1", tiny_stage1), "stage2": ("stage2", tiny_stage2)}, folder)
    return folder


THREADS = """
import json, os, sys
from Training.__main__ import main
from Training.runs import processes

def threads():
    return [open(f"/proc/self/task/{number}/comm").read().strip() for number in os.listdir("/proc/self/task")]

def leave(trainer, leave=processes.leave_processes):
    seen = [threads()]
    leave(trainer)
    seen.append(threads())
    with open(sys.argv[1], "w") as file:
        json.dump(seen, file)

processes.leave_processes = leave
main(sys.argv[2:])
"""


def start(monai_bundle, runs, folder):
    """Run stages side by side, each by two processes into its own folder."""
    processes = [
        monai_bundle(
            ["base.yaml", f"{stage}.yaml", "multi_gpu.yaml"], {**settings, "out": str(folder / name)}, processes=2
        )
        for name, (stage, settings) in runs.items()
    ]
    for process in processes:
        output, _ = process.communicate(timeout=600)
        assert process.returncode == 0, output


def assert_same_curve_and_weights(one, two):
    curves = [log_of(folder) for folder in (one, two)]
    assert [record["iteration"] for record in curves[1]] == [4, 8, 12]
    for first, second in zip(*curves):
        assert second["loss"] == pytest.approx(first["loss"], abs=1e-5, rel=1e-5)
    states = [read_checkpoint(folder / "checkpoint.pt") for folder in (one, two)]
    for kind in ("network", "average"):
        for key, value in states[0][kind].items():
            torch.testing.assert_close(states[1][kind][key], value, atol=1e-5, rtol=0)


def test_two_processes_have_the_loss_curve_and_the_weights_of_one(two_processes, fidelity_run):
    assert_same_curve_and_weights(fidelity_run, two_processes / "stage1")


def test_in_stage_2_too_but_for_what_the_discriminator_draws_and_normalises(train, tiny_stage2, monai_bundle, tmp_path):
    settings = {**tiny_stage2, "stage2_loss": [{"until": 1.0, "l1": 1.0}], "discriminator_def#width": 2}
    train("stage2", settings, tmp_path / "one")
    start(monai_bundle, {"two": ("stage2", settings)}, tmp_path)
    assert_same_curve_and_weights(tmp_path / "one", tmp_path / "two")


def test_one_process_alone_writes_for_tensorboard(two_processes, repository):
    for stage in ("stage1", "stage2"):
        assert len(list((two_processes / stage / "tensorboard").iterdir())) == 1
    assert not list((repository / "runs").glob("events*"))  # where a handler without a writer would put its own


def test_two_processes_train_stage_2_each_with_its_own_random_state(two_processes):
    state = read_checkpoint(two_processes / "stage2" / "checkpoint.pt")
    assert state["iteration"] == 12
    assert len(state["random"]) == 2
    assert not torch.equal(state["random"][0]["cpu"], state["random"][1]["cpu"])
    assert {"adversarial", "discriminator"} <= set(log_of(two_processes / "stage2")[-1])


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are seen in Linux's /proc alone")
@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_a_process_that_leaves_has_no_thread_left_that_could_abort_it(stage, request, repository, tmp_path):
    settings = {**request.getfixturevalue(f"tiny_{stage}"), "iterations": 1}
    (tmp_path / "threads.py").write_text(THREADS)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=1", str(tmp_path / "threads.py")]
    files = [f"--config={repository / 'Training' / 'configs' / 'multi_gpu.yaml'}"]
    arguments = [stage, "--out", str(tmp_path), *files, *(f"--set={key}={value}" for key, value in settings.items())]
    subprocess.run(
        [sys.executable, *launcher, str(tmp_path / "threads.json"), *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(repository)},
        check=True,
    )
    before, after = json.loads((tmp_path / "threads.json").read_text())
    assert [name for name in before if "gloo" in name]
    assert [name for name in after if "gloo" in name] == []


def test_the_processes_share_out_every_batch(monkeypatch):
    monkeypatch.setattr(idist, "get_world_size", lambda: 2)
    shares = []
    for rank in range(2):
        monkeypatch.setattr(idist, "get_rank", lambda rank=rank: rank)
        shares.append(list(NumberedBatches(batch=4, iterations=2)))
    assert shares == [[[0, 2], [4, 6]], [[1, 3], [5, 7]]]
    with pytest.raises(ValueError, match="cannot be divided"):
        NumberedBatches(batch=3, iterations=2)
