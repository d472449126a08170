"""Several processes with a divided batch learn what one process learns."""

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


def test_the_processes_share_out_every_batch(monkeypatch):
    monkeypatch.setattr(idist, "get_world_size", lambda: 2)
    shares = []
    for rank in range(2):
        monkeypatch.setattr(idist, "get_rank", lambda rank=rank: rank)
        shares.append(list(NumberedBatches(batch=4, iterations=2)))
    assert shares == [[[0, 2], [4, 6]], [[1, 3], [5, 7]]]
    with pytest.raises(ValueError, match="cannot be divided"):
        NumberedBatches(batch=3, iterations=2)
