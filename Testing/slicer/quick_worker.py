"""Run as the worker, with its command line: repeats voxels ×2 in the slice plane, without PyTorch, in no time."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from SuperResolutionLib.files.reading import read_volume  # noqa: E402
from SuperResolutionLib.files.writing import write_volume  # noqa: E402
from SuperResolutionLib.geometry.volume import Volume, refined_matrix  # noqa: E402

_, source, target, *options = sys.argv[1:]
volume = read_volume(source)
fine = Volume(volume.voxels.repeat(2, axis=1).repeat(2, axis=2), refined_matrix(volume.ijk_to_ras, (2, 2, 1)))
write_volume(fine, target)
for option in ("--added", "--uncertainty"):
    if option in options:
        write_volume(fine, options[options.index(option) + 1])
report = {"program": "stand-in", "steps": [], "output": {"factors_ijk": [2, 2, 1]}, "device": "cpu"}
report.update(device_label="CPU", seconds=0.1, warnings=[])
print(json.dumps({"event": "progress", "done": 1, "total": 4, "message": "Upscaling"}))
print(json.dumps({"event": "result", "report": report}))
