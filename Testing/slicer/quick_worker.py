"""Run as the worker, with its command line: repeats voxels ×2 in the slice plane, without PyTorch, in no time.

Of several scans that are to be fused it repeats the first one's.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from SuperResolutionLib.files.reading import read_volume  # noqa: E402
from SuperResolutionLib.files.writing import write_volume  # noqa: E402
from SuperResolutionLib.geometry.volume import Volume, refined_matrix  # noqa: E402

REPORT = {
    "program": "stand-in",
    "steps": [],
    "output": {"factors_ijk": [2, 2, 1]},
    "device": "cpu",
    "device_label": "CPU",
    "seconds": 0.1,
    "warnings": [],
}


def say(**event):
    print(json.dumps(event), flush=True)


def repeat(source, *targets):
    volume = read_volume(source)
    fine = Volume(volume.voxels.repeat(2, axis=1).repeat(2, axis=2), refined_matrix(volume.ijk_to_ras, (2, 2, 1)))
    for target in targets:
        write_volume(fine, target)
    say(event="progress", done=1, total=4, message="Upscaling")


command, source, target, *options = sys.argv[1:]
if command == "fuse":
    target = sys.argv[sys.argv.index("--no-compression") - 1]
if command == "batch":
    Path(target).mkdir()
    for number, path in enumerate(sorted(Path(source).iterdir()), start=1):
        repeat(path, Path(target) / path.name)
        say(event="file", number=number, name=path.name, state="done", message="", report=REPORT)
    say(event="summary", output=target, done=number)
else:
    companions = [options[options.index(name) + 1] for name in ("--added", "--error") if name in options]
    repeat(source, target, *companions)
    say(event="result", report=REPORT)
