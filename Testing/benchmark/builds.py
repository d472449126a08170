"""Two builds of the program side by side: each job by both, in turns, in processes that stay warm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import write_volume

JOBS = {
    "fast": ["upscale", "{plane}", "{out}.nii.gz", "--factor", "4", "--quality", "fast", "--as-stored"],
    "standard": ["upscale", "{plane}", "{out}.nii.gz", "--factor", "4", "--quality", "standard", "--as-stored"],
    "isotropic": ["upscale", "{plane}", "{out}.nii.gz", "--isotropic", "--as-stored"],
    "preview": ["preview", "{plane}", "{out}.png", "--factor", "4", "--quality", "fast", "--as-stored"],
}

WORKER = """
import contextlib, io, json, resource, sys, time
from SuperResolutionLib.__main__ import main
for line in sys.stdin:
    wall, processor = time.perf_counter(), time.process_time()
    arguments = json.loads(line)
    kept = sys.modules.get("SuperResolutionLib.models.precision.kept")
    if kept is not None and arguments[0] == "upscale":
        kept.forget()  # It usually has a process of its own; previews share one.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        code = main(arguments)
    seconds = time.perf_counter() - wall, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"code": code, "said": said.getvalue(), "seconds": seconds, "peak": peak}), flush=True)
"""


@dataclass(frozen=True)
class Taken:
    """What a job took: seconds on the clock and of the processor, and the most memory its process has held, bytes."""

    wall: float
    processor: float
    peak: int


class Build:
    """A checkout's package, which does one kind of job in a process of its own."""

    def __init__(self, folder: Path):
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", WORKER],
            env=environment,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, arguments: list[str]) -> Taken:
        """Run the program with ``arguments``. Raises RuntimeError where it fails."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([*arguments, "--device", "cpu", "--progress", "none"]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if answer["code"]:
            raise RuntimeError(answer["said"])
        return Taken(*answer["seconds"], answer["peak"])

    def end(self) -> None:
        """End the process."""
        self._process.communicate()


def compare(ours: Path, other: Path, scan: Path, slices: int, rounds: int, jobs: list[str]) -> None:
    """Print how many times as fast as ``other`` our checkout does each job, from file to file, warm.

    Args:
        scan: of which the middle ``slices`` are taken.
    """
    with tempfile.TemporaryDirectory() as folder:
        names = {"plane": f"{folder}/scan.nii.gz", "out": f"{folder}/out"}
        volume = read_volume(scan)
        first = (volume.dimensions[2] - slices) // 2
        columns, rows, _ = volume.dimensions
        write_volume(volume.cropped((0, 0, first), (columns, rows, first + slices)), names["plane"])
        print(f"{columns} x {rows} x {slices} voxels of {scan.name}, file to file, warm, {rounds} rounds in turns:")
        print(f"  {'':10s} {'seconds, other':>24s} {'ours':>24s}   {'times as fast (clock; processor)':44s} peak GB")
        for job in jobs:
            arguments = [word.format(**names) for word in JOBS[job]]
            builds = [Build(other), Build(ours)]
            for build in builds:
                build.do(arguments)
            taken = [[build.do(arguments) for build in builds] for _ in range(rounds)]
            for build in builds:
                build.end()
            walls = [[one.wall for one in column] for column in zip(*taken)]
            clock = [theirs.wall / own.wall for theirs, own in taken]
            processor = [theirs.processor / own.processor for theirs, own in taken]
            peaks = [column[-1].peak / 1e9 for column in zip(*taken)]
            print(
                f"  {job:10s} {_spread(walls[0]):>24s} {_spread(walls[1]):>24s}   "
                f"{f'{_spread(clock)}; {_spread(processor)}':44s} {peaks[0]:.2f}, {peaks[1]:.2f}",
                flush=True,
            )


def _spread(values: list[float]) -> str:
    return f"{np.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
