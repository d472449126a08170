"""Several processes with a divided batch learn what one process learns."""

import json

import ignite.distributed as idist
import pytest
import torch

from Training.batches import NumberedBatches
from Training.checkpoints import read_checkpoint


@pytest.fixture(scope="module")
def two_processes(monai_bundle, tiny_stage1, tiny_stage2, tmp_path_factory):
    """The folders of both stages, each trained by two processes."""
    folder = tmp_path_factory.mktemp("two")
    runs = {}
    for stage, settings in (("stage1", tiny_stage1), ("stage2", tiny_stage2)):
        files = [f"{stage}.yaml", "multi_gpu.yaml"]
        runs[folder / stage] = monai_bundle(files, {**settings, "out": str(folder / stage)}, processes=2)
    for run in runs.values():
        output, _ = run.communicate(timeout=600)
        assert run.returncode == 0, output
    return folder


def log_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_two_processes_have_the_loss_curve_and_the_weights_of_one(two_processes, fidelity_run):
    one, two = log_of(fidelity_run), log_of(two_processes / "stage1")
    assert [record["iteration"] for record in two] == [4, 8, 12]
    for first, second in zip(one, two):
        assert second["loss"] == pytest.approx(first["loss"], abs=1e-5, rel=1e-5)
    states = [read_checkpoint(folder / "checkpoint.pt") for folder in (fidelity_run, two_processes / "stage1")]
    for kind in ("network", "average"):
        for key, value in states[0][kind].items():
            torch.testing.assert_close(states[1][kind][key], value, atol=1e-5, rtol=0)


def test_two_processes_train_stage_2_each_with_its_own_random_state(two_processes):
    state = read_checkpoint(two_processes / "stage2" / "checkpoint.pt")
    assert state["iteration"] == 12
    assert len(state["random"]) == 2
    assert not torch.equal(state["random"][0]["cpu"], state["random"][1]["cpu"])
    assert {"adversarial", "discriminator"} <= set(log_of(two_processes / "stage2")[-1])


def test_the_processes_share_out_every_batch(monkeypatch):
    monkeypatch.setattr(idist, "get_world_size", lambda: 2)
    shares = []
    for rank in range(2):
        monkeypatch.setattr(idist, "get_rank", lambda rank=rank: rank)
        shares.append(list(NumberedBatches(batch=4, iterations=2)))
    assert shares == [[[0, 2], [4, 6]], [[1, 3], [5, 7]]]
    with pytest.raises(ValueError, match="cannot be divided"):
        NumberedBatches(batch=3, iterations=2)
