"""A run that is killed, at whatever moment, goes on from its checkpoint and ends with an unbroken run's weights."""

import json
import os
import signal
import time

import pytest
import torch

from Training.runs.checkpoints import read_checkpoint

LONG = {"iterations": 48, "every": 8}
PATIENCE = 300


def wait_until(condition, process):
    """Wait for ``condition()``; fail if the process ends before."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline, "the run did not get there"
        time.sleep(0.002)


def kill(process):
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def lines_of(folder):
    log = folder / "log.jsonl"
    return log.read_text().splitlines() if log.exists() else []


def assert_equal_states(first, second, where=""):
    assert type(first) is type(second), where
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second), where
    elif isinstance(first, dict):
        assert first.keys() == second.keys(), where
        for key in first:
            assert_equal_states(first[key], second[key], f"{where}/{key}")
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second), where
        for number, (one, other) in enumerate(zip(first, second)):
            assert_equal_states(one, other, f"{where}/{number}")
    else:
        assert first == second, where


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("stage", ["stage1", "stage2", "vgg19"])
def test_a_run_killed_while_training_ends_with_the_weights_of_an_unbroken_one(
    stage, train, request, monai_bundle, tmp_path
):
    settings = {**request.getfixturevalue(f"tiny_{stage}"), **LONG}
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    process = monai_bundle(["base.yaml", f"{stage}.yaml"], {**settings, "out": str(broken)})
    wait_until(lambda: len(lines_of(broken)) >= 2, process)
    kill(process)
    assert 8 <= read_checkpoint(broken / "checkpoint.pt")["iteration"] < 48

    train(stage, settings, broken)
    train(stage, settings, whole)
    states = [read_checkpoint(folder / "checkpoint.pt") for folder in (broken, whole)]
    assert states[0]["iteration"] == 48
    assert_equal_states(*states)
    last = [json.loads(lines_of(folder)[-1]) for folder in (broken, whole)]
    for record in last:
        del record["seconds_left"]
    assert last[0] == last[1]
    weights = [[path.read_bytes() for path in folder.glob("*.safetensors")] for folder in (broken, whole)]
    assert weights[0] == weights[1]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_run_killed_while_writing_a_checkpoint_goes_on_from_the_one_before(
    train, tiny_stage1, monai_bundle, fidelity_run, tmp_path
):
    import fcntl

    settings = {**tiny_stage1, "out": str(tmp_path)}
    (tmp_path / "checkpoint.pt").write_bytes(_checkpoint_after_four(train, tiny_stage1, tmp_path / "begun"))
    pipe = tmp_path / "checkpoint.partial"  # smaller than the checkpoint, so that its writer waits in the middle
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    process = monai_bundle(["base.yaml", "stage1.yaml"], settings)

    def has_begun_to_write():
        try:
            return len(os.read(reader, 1)) == 1
        except BlockingIOError:
            return False

    wait_until(has_begun_to_write, process)
    kill(process)
    os.close(reader)
    pipe.unlink()
    pipe.write_bytes(b"half a checkpoint")
    assert read_checkpoint(tmp_path / "checkpoint.pt")["iteration"] == 4

    train("stage1", tiny_stage1, tmp_path)
    assert_equal_states(*(read_checkpoint(folder / "checkpoint.pt") for folder in (tmp_path, fidelity_run)))
    assert not pipe.exists()


def _checkpoint_after_four(train, settings, folder):
    """Return the first checkpoint of a run whose later ones fail."""
    from Training.runs.checkpoints import Checkpoints

    save, saved = Checkpoints.save, []

    def save_once(self, engine):
        if saved:
            raise KeyboardInterrupt
        save(self, engine)
        saved.append(engine.state.iteration)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoints, "save", save_once)
        train("stage1", settings, folder)
    assert saved == [4]
    return (folder / "checkpoint.pt").read_bytes()


def test_a_finished_run_is_left_as_it_is(train, tiny_stage1, fidelity_run):
    before = (fidelity_run / "checkpoint.pt").read_bytes()
    train("stage1", tiny_stage1, fidelity_run)
    assert (fidelity_run / "checkpoint.pt").read_bytes() == before


def test_a_run_does_not_go_on_from_another_kind_of_checkpoint(train, tiny_stage1, tiny_stage2, fidelity_run, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes((fidelity_run / "checkpoint.pt").read_bytes())
    with pytest.raises(RuntimeError) as raised:
        train("stage2", tiny_stage2, tmp_path)
    assert "start_from" in str(_cause(raised.value))
    wider = {**tiny_stage1, "generator": {"name": "CompactNet", "arguments": {"width": 8, "blocks": 1}}}
    with pytest.raises(RuntimeError) as raised:
        train("stage1", wider, tmp_path)
    assert "another kind of run" in str(_cause(raised.value))


def _cause(error):
    return _cause(error.__cause__) if error.__cause__ else error
