"""Time previews of single slices by ``superresolution serve``, as the panel asks for them, and print their spread.

    python -m Testing.benchmark.warm_preview [--input FILE] [--previews 12] [--rounds 3] [--factor 4] [--isotropic]

In each round a process is started. The first answer is counted from its start and given less the time that Python and
the program's command line take to start alone, which is measured beside it; every further one is counted from the
request to the voxels that were read back, another slice each time. Half of them also ask for what was added to the
interpolation, as the panel's preview does; the others are what the live view asks for.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from SuperResolutionLib.files.example import example_volume
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.ijk import with_along
from SuperResolutionLib.geometry.volume import Volume

SLICES = 32
"""Of the scan that is made of the embedded slice."""


class Served:
    """``superresolution serve`` and its pipes."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "SuperResolutionLib", "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self.folder = Path(self._event()["folder"])

    def _event(self) -> dict:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def preview(self, scan: Path, options: list[str], added: bool) -> dict:
        """Return the report, once the voxels are read back."""
        outputs = [self.folder / "fine.nrrd", *([self.folder / "added.nrrd"] if added else [])]
        arguments = ["upscale", str(scan), str(outputs[0]), "--no-compression", *options]
        arguments += ["--added", str(outputs[1])] if added else []
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": 1, "arguments": arguments}).encode() + b"\n")
        while (event := self._event())["event"] == "progress":
            pass
        if event["event"] != "result":
            raise SystemExit(event["message"])
        for path in outputs:
            read_volume(path)
        return event["report"]

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    """Parse the command line, time the previews and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", help="a volume; by default the embedded head slice, repeated")
    parser.add_argument("--previews", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--factor", default="4")
    parser.add_argument("--isotropic", action="store_true", help="cuts through new slices instead of slices")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    volume = read_volume(options.input) if options.input else _example()
    grid = ["--isotropic"] if options.isotropic else ["--factor", options.factor]
    across = 1 if options.isotropic else 2
    asked = [*grid, "--quality", "fast", "--device", options.device]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    seconds: dict[str, list[float]] = {"Python and the command line alone": []}
    seconds.update({name: [] for name in ("first, beyond that", "further, with what was added", "further, live")})
    with tempfile.TemporaryDirectory() as folder:
        scan = Path(folder) / "scan.nrrd"
        write_volume(volume, scan, compressed=False)
        for _ in range(options.rounds):
            seconds["Python and the command line alone"].append(_seconds_to_start())
            began = time.perf_counter()
            served = Served()
            for number in range(options.previews):
                index = volume.dimensions[across] // 4 + number
                box = (*with_along((0, 0, 0), across, index), *with_along(volume.dimensions, across, index + 1))
                box_option = ["--box", ",".join(map(str, box))]
                report = served.preview(scan, [*asked, *box_option], added=number % 2 == 0)
                taken, began = time.perf_counter() - began, time.perf_counter()
                if number == 0:
                    seconds["first, beyond that"].append(taken - seconds["Python and the command line alone"][-1])
                else:
                    which = "with what was added" if number % 2 == 0 else "live"
                    seconds[f"further, {which}"].append(taken)
            served.end()
    import torch

    size = " x ".join(map(str, volume.dimensions))
    print(f"{report['device_label']}, {platform.processor() or platform.machine()}, torch {torch.__version__}")
    print(f"load before: {load:.1f}; {size} voxels, {' '.join(asked)}, {report['steps'][-1]['precision']}; seconds:")
    for name, taken_each in seconds.items():
        low, middle, high = np.percentile(taken_each, [0, 50, 100])
        print(f"  {name:36s} {middle:6.2f} ({low:.2f} to {high:.2f}; {len(taken_each)})")


def _example() -> Volume:
    slice_ = example_volume()
    return Volume(np.repeat(slice_.voxels[:1], SLICES, axis=0), slice_.ijk_to_ras)


def _seconds_to_start() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "SuperResolutionLib", "--version"], stdout=subprocess.PIPE, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
