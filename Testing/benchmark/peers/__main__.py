"""Score what a user would take instead, beside ours: sharp scans made four times coarser in the plane, and back.

    python -m Testing.benchmark.peers SCAN... [--plane NAME=AXES] [--slices N] [--pictured NAME] [--out DIR]

AXES are those of the sharp plane of the file NAME, such as ik; by default those of the slices. Peers are downloaded on
the first run, 180 MB, and kept below the system's temporary folder (TMPDIR says where that is); ``pip install
".[peers]"`` brings those of pip beforehand. All runs on one thread of the CPU. Prints the table, and writes it as
table.md, every measurement as records.json, and the scans that are pictured as figure.png.

Peers take 8-bit pictures of the slices (``methods.in_eight_bits``), ours is the whole program. PSNR, SSIM and GMS are
over the foreground, as those of ``superresolution evaluate``; edges: ``edge_strength``, 1 is as steep as the truth.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path

import torch

from SuperResolutionLib.evaluation.edges import edge_strength
from SuperResolutionLib.evaluation.methods import METHOD_LABELS
from SuperResolutionLib.evaluation.metrics import foreground, score
from SuperResolutionLib.evaluation.truths import choose_slices, degrade
from SuperResolutionLib.files.reading import read_volume

from .installing import cache_folder
from .methods import Method, all_methods
from .picture import Row, draw
from .table import markdown_table

FACTOR = 4
DEGRADATIONS = ("area", "kspace", "kspace-noise")
PICTURED_DEGRADATION = "kspace"
PICTURED = (
    METHOD_LABELS["bspline"],
    "Real-ESRGAN x4plus",
    "UpscalerJS esrgan-thick",
    "ours, standard",
    "ours, detail 1",
)


def compare(path: Path, axes: str | None, most_slices: int, methods: Mapping[str, Method]) -> tuple[list[dict], Row]:
    """Return a record for each degradation and method, and what is drawn of the scan.

    Raises:
        InputError: the scan cannot be read or evaluated.
    """
    truth = choose_slices(read_volume(path), FACTOR, axes, most_slices)
    true = truth.slices_of(truth.volume)
    mask = foreground(truth.scale.normalise(true))
    records, results, captions = [], {}, {}
    for degradation in DEGRADATIONS:
        stack = degrade(truth, degradation)
        for name, method in methods.items():
            began = time.process_time()
            fine = truth.stored(method(truth, stack, degradation))
            seconds = (time.process_time() - began) / len(true)
            records.append(
                {
                    "volume": path.name,
                    "slices": len(true),
                    "degradation": degradation,
                    "method": name,
                    **score(fine, true, truth.scale.span, mask, FACTOR, truth.scale.low),
                    "edges": edge_strength(fine, true),
                    "seconds": round(seconds, 3),
                }
            )
            print(json.dumps(records[-1]), flush=True)
            if degradation == PICTURED_DEGRADATION and name in PICTURED:
                results[name] = fine
                captions[name] = f"{records[-1]['psnr_foreground']:.2f} dB, edges {records[-1]['edges']:.2f}"
    coarse = truth.chosen(degrade(truth, PICTURED_DEGRADATION))
    return records, Row(path.name.split(".")[0], truth, coarse, results, captions)


def main() -> None:
    """Parse the command line, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", nargs="+", type=Path, metavar="SCAN")
    parser.add_argument(
        "--plane", action="append", default=[], metavar="NAME=AXES", help="where not that of the slices"
    )
    parser.add_argument("--slices", type=int, default=4, metavar="N", help="slices scored of a scan, evenly spaced (4)")
    parser.add_argument(
        "--pictured", action="append", metavar="NAME", help="a file that is drawn; by default the first"
    )
    parser.add_argument("--out", type=Path, metavar="DIR")
    options = parser.parse_args()
    torch.set_num_threads(1)
    methods = all_methods(cache_folder())
    planes = dict(plane.split("=") for plane in options.plane)
    pictured = options.pictured or [options.scans[0].name]
    records, rows = [], []
    for scan in options.scans:
        of_scan, row = compare(scan, planes.get(scan.name), options.slices, methods)
        records += of_scan
        if scan.name in pictured:
            rows.append(row)
    table = markdown_table(records, METHOD_LABELS["bspline"])
    print(table)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "table.md").write_text(table + "\n", encoding="utf-8")
        (options.out / "records.json").write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
        draw(rows, options.out / "figure.png")


if __name__ == "__main__":
    main()
