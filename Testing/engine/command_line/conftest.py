"""The program as a process, and in this process."""

import os
import subprocess
import sys

import pytest

from SuperResolutionLib.command_line.program import main


@pytest.fixture(scope="module")
def start(repository, tmp_path_factory):
    """The function that starts the program somewhere outside the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
    folder = tmp_path_factory.mktemp("elsewhere")

    def start_program(*arguments) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "SuperResolutionLib", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=environment,
            cwd=folder,
        )

    return start_program


@pytest.fixture(scope="module")
def run(start):
    """The function that runs the program and returns (exit code, standard output, standard error)."""

    def run_program(*arguments):
        process = start(*arguments)
        try:
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
        return process.returncode, out, err

    return run_program


@pytest.fixture
def run_here(capfd):
    """Like ``run``, but in this process: without the two seconds that torch takes to import."""

    def run_main(*arguments):
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        return (code, *capfd.readouterr())

    return run_main


@pytest.fixture
def series(tmp_path, write_series):
    """The folder of a DICOM series of three images."""
    return write_series(tmp_path / "series", ["0.dcm", "1.dcm", "2.dcm"])
