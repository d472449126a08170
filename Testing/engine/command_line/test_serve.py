"""``superresolution serve``: its protocol, what it keeps, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import Volume

FAST = ["--factor", "2", "--device", "cpu", "--quality", "fast", "--no-compression"]


class Served:
    """The program, asked over its pipes. ``folder`` is where its temporary folder is made."""

    def __init__(self, folder, *options):
        self.folder = folder
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "SuperResolutionLib", "serve", "--temporary", str(folder), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=environment,
        )
        self.ready = self.event()

    def send(self, *requests):
        self.process.stdin.write(b"".join(json.dumps(request).encode() + b"\n" for request in requests))

    def event(self):
        return json.loads(self.process.stdout.readline())

    def end(self):
        """Return the event that ends a request, the progress before it left out."""
        while (event := self.event())["event"] == "progress":
            pass
        return event

    def ask(self, *arguments, number=1):
        self.send({"id": number, "arguments": ["upscale", *map(str, arguments)]})
        return self.end()

    def close(self):
        """Close its standard input and return its exit code."""
        self.process.stdin.close()
        return self.process.wait(timeout=60)

    @property
    def leftovers(self):
        return list(self.folder.iterdir())


@pytest.fixture
def serve(tmp_path):
    folder = tmp_path / "temporary é"
    folder.mkdir()
    started = []

    def start(*options):
        started.append(Served(folder, *options))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
        for pipe in (one.process.stdin, one.process.stdout, one.process.stderr):
            pipe.close()


@pytest.fixture
def served_here(monkeypatch, capfd, tmp_path):
    """A function that serves requests in this process; returns the events after ``ready``, and standard error."""
    from SuperResolutionLib.command_line import serve as command
    from SuperResolutionLib.command_line.program import main

    class Given(command.Requests):
        def __init__(self):
            super().__init__()
            for request in given:
                self._waiting.put(json.dumps(request).encode())

        def read(self, descriptor):
            pass

        def next(self, seconds):
            line = super().next(0)
            self.ended = line is None
            return line

    given = []
    monkeypatch.setattr(command, "Requests", Given)

    def serve_here(*requests):
        given.extend(requests)
        capfd.readouterr()
        assert main(["serve", "--temporary", str(tmp_path)]) == 0
        out, error = capfd.readouterr()
        return [json.loads(line) for line in out.splitlines()[1:]], error

    return serve_here


@pytest.fixture
def scan(tmp_path):
    voxels = np.random.default_rng(0).integers(0, 900, (4, 40, 32)).astype(np.int16)
    path = tmp_path / "scan.nrrd"
    write_volume(Volume(voxels, np.diag([1, 1, 3, 1.0])), path)
    return path


def test_it_answers_as_the_command_upscale_does(serve, scan, tmp_path, run):
    served = serve()
    assert served.ready["event"] == "ready" and os.path.isdir(served.ready["folder"])
    for number in (7, 8):
        event = served.ask(scan, tmp_path / "served.nrrd", *FAST, number=number)
        assert (event["id"], event["event"], event["output"]) == (number, "result", str(tmp_path / "served.nrrd"))
    assert run("upscale", scan, tmp_path / "alone.nrrd", *FAST)[0] == 0
    served, alone = (read_volume(tmp_path / f"{name}.nrrd") for name in ("served", "alone"))
    # Each process measures whether bfloat16 is faster here, and may find otherwise.
    np.testing.assert_allclose(served.voxels, alone.voxels, atol=20)
    assert event["report"]["steps"][0]["model"] == "mri-x2-compact"


def test_progress_bears_the_number_of_its_request(serve, scan, tmp_path):
    served = serve()
    served.send({"id": 3, "arguments": ["upscale", str(scan), str(tmp_path / "out.nrrd"), *FAST]})
    assert served.event() == {"id": 3, "event": "progress", "done": 0, "total": 4, "message": "Upscaling"}


NOT_UNDERSTOOD = (
    b"What?",
    b"[1]",
    b'{"id": 1}',
    b'{"id": "one", "arguments": []}',
    b'{"id": 1, "arguments": ["upscale", 2]}',
    b'{"cancel": "all"}',
    b"\xff\xfe",
    b"[" * 100_000,
)


def test_what_is_not_understood_is_told_and_the_next_request_served(serve, scan, tmp_path):
    served = serve()
    for line in NOT_UNDERSTOOD:
        served.process.stdin.write(line + b"\n\n")
        event = served.end()
        assert (event["id"], event["event"], event["kind"]) == (None, "error", "input"), line
        assert event["message"].startswith("That was not understood: ")
    assert served.ask(scan, tmp_path / "out.nrrd", *FAST)["event"] == "result"


def test_no_other_command_is_served_and_bad_usage_is_one_sentence(serve, scan, tmp_path):
    served = serve()
    served.send({"id": 1, "arguments": ["export-dicom", "a", "b", "c"]}, {"id": 2, "arguments": ["upscale"]})
    served.send({"id": 3, "arguments": ["upscale", "--help"]}, {"id": 4, "arguments": []})
    events = [served.end() for _ in range(4)]
    assert [(event["id"], event["kind"]) for event in events] == [(number, "input") for number in (1, 2, 3, 4)]
    assert "invalid choice" in events[0]["message"] and "required" in events[1]["message"]
    assert served.ask(tmp_path / "absent.nrrd", tmp_path / "out.nrrd")["kind"] == "input"
    assert served.process.poll() is None


def test_a_fault_of_ours_costs_one_answer(served_here, scan, tmp_path, monkeypatch):
    from SuperResolutionLib.upscaling.warm import WarmEngine

    def fail(self, *arguments):
        raise KeyError("x")

    monkeypatch.setattr(WarmEngine, "upscale", fail)
    (event,), log = served_here({"id": 5, "arguments": ["upscale", str(scan), str(tmp_path / "out.nrrd"), *FAST]})
    assert event == {"id": 5, "event": "error", "kind": "fault", "message": "KeyError: 'x'"}
    assert "Traceback" in log


def test_a_running_request_and_a_waiting_one_can_be_cancelled(serve, tmp_path):
    voxels = np.random.default_rng(0).integers(0, 900, (60, 64, 64)).astype(np.int16)
    write_volume(Volume(voxels, np.diag([1, 1, 3, 1.0])), tmp_path / "long.nrrd")
    served = serve()
    requests = [
        {"id": number, "arguments": ["upscale", str(tmp_path / "long.nrrd"), str(tmp_path / "out.nrrd"), *FAST]}
        for number in (1, 2)
    ]
    served.send(*requests)
    assert served.event()["event"] == "progress"
    served.send({"cancel": 2}, {"cancel": 1})
    ends = [served.end(), served.end()]
    assert [(event["id"], event["kind"]) for event in ends] == [(1, "cancelled"), (2, "cancelled")]
    assert not (tmp_path / "out.nrrd").exists()


def test_it_ends_with_its_input_and_removes_its_folder(serve, scan, tmp_path):
    served = serve()
    (folder,) = served.leftovers
    (folder / "scan.nrrd").write_bytes(scan.read_bytes())
    assert served.ask(folder / "scan.nrrd", folder / "out.nrrd", *FAST)["event"] == "result"
    assert served.close() == 0
    assert not served.leftovers


def test_a_request_that_runs_when_the_input_ends_is_given_up(serve, tmp_path):
    voxels = np.random.default_rng(0).integers(0, 900, (200, 64, 64)).astype(np.int16)
    write_volume(Volume(voxels, np.diag([1, 1, 3, 1.0])), tmp_path / "long.nrrd")
    served = serve()
    served.send({"id": 1, "arguments": ["upscale", str(tmp_path / "long.nrrd"), str(tmp_path / "out.nrrd"), *FAST]})
    assert served.event()["event"] == "progress"
    assert served.close() == 0
    assert not (tmp_path / "out.nrrd").exists() and not served.leftovers


def test_it_ends_when_it_was_idle_for_too_long(serve, scan, tmp_path):
    served = serve("--idle", "0.02")
    began = time.monotonic()
    assert served.process.wait(timeout=60) == 0
    assert time.monotonic() - began > 0.5
    assert not served.leftovers


@pytest.mark.skipif(os.name == "nt", reason="Windows has no polite kill")
def test_a_polite_kill_removes_its_folder(serve):
    served = serve()
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(timeout=60) == 0
    assert not served.leftovers


def test_a_folder_that_cannot_be_made_is_one_sentence(run, tmp_path):
    code, out, error = run("serve", "--temporary", tmp_path / "absent")
    assert (code, out) == (2, "") and "No temporary folder can be made" in error and error.count("\n") == 1
