"""A scan's degradation, learned without pairs: the point-spread function and the noise of a given scan.

    python -m Training.degradation.learned SCAN --sharp FOLDER_OR_FILES --factor 2 --out degradation.json

The method, and how well it finds them: Documentation/learned_degradation.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.whole_outputs import check_output_folder
from SuperResolutionLib.files.writing import OUTPUT_SUFFIXES
from Training.degradation.learned.estimator import learn_degradation
from Training.degradation.learned.figure import draw_figure
from Training.degradation.learned.slices import read_sharp_slices, read_slices


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 2 bad input, said in one line."""
    parser = argparse.ArgumentParser(
        prog="python -m Training.degradation.learned",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scan", type=Path, help="the coarse scan")
    parser.add_argument("--sharp", type=Path, nargs="+", required=True, help="sharp scans of others, or their folder")
    parser.add_argument(
        "--factor", type=int, choices=(2, 3, 4), default=2, help="fine voxels per coarse voxel and axis"
    )
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--iterations", type=int, default=150, help="adversarial steps; 0 keeps the Gaussian")
    parser.add_argument("--axis", choices=tuple("kji"), default="k", help="the axis across the slices")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figure", type=Path, help="a PNG of the kernel, its MTF and a generated slice")
    options = parser.parse_args(arguments)
    try:
        check_output_folder(options.out)
        coarse, spacing = read_slices(options.scan, options.axis)
        fine_spacing = tuple(step / options.factor for step in spacing)
        sharp = read_sharp_slices(_scans(options.sharp), fine_spacing, options.axis)
        with tqdm(total=options.iterations, unit="step", disable=not options.iterations) as bar:
            degradation = learn_degradation(
                [coarse],
                sharp,
                options.factor,
                options.iterations,
                options.seed,
                spacing,
                progress=lambda done, total: bar.update(done - bar.n),
            )
        degradation.save(options.out)
        if options.figure:
            check_output_folder(options.figure)
            draw_figure(degradation, coarse, sharp[0], options.figure)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    rows, columns = degradation.fwhm_mm
    print(
        f"FWHM {rows:.2f} mm down the rows, {columns:.2f} mm along the columns; noise {100 * degradation.noise:.1f} %"
    )
    return 0


def _scans(paths: Sequence[Path]) -> list[Path]:
    found = []
    for path in paths:
        inside = sorted(p for p in path.iterdir() if p.name.lower().endswith(OUTPUT_SUFFIXES)) if path.is_dir() else []
        found += inside or [path]
    return found


if __name__ == "__main__":
    sys.exit(main())
