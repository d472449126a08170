"""Find what a model's expected error is to be multiplied by, so that as many voxels lie within it as are said to.

    python -m Training.reports.calibrate_error SuperResolutionLib/Bundles/mri-x4-compact --data FOLDER

It runs the whole program on the validation volumes of the data list, made coarse in several ways. Into the model's
metadata it writes by which power the error grows with the head's answer within a scan, and for each level of noise the
multiples of that power which so many per cent of the voxels lie within, in the mean over the volumes. Where the slice
plane is refined, errors grow from scan to scan as the head says, and within one with the steepness of the result, too.
Held-out volumes have no part.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from SuperResolutionLib.models.bundles import Model, read_model
from SuperResolutionLib.models.error_calibration import ONE_SD, ErrorCalibration
from Training.data.lists import read_data_list
from Training.reports.error_samples import BETWEEN, IN_PLANE, ErrorSample, sample_of

PERCENTS = (50.0, ONE_SD, 80.0, 95.0)
LEVEL_EXPONENT = 1.0
"""Of the slice plane: what a head answers of a scan as a whole is taken as it is."""
CONFIGS = Path(__file__).parent.parent / "configs"
SHARP = tuple(name for name in IN_PLANE if not name.endswith("soft"))
"""A soft scan is nearer to its truth than the head, which cannot know its softness, expects; that must not count."""
BINS = 10
VOXELS = 100_000
"""Of a sample: all count alike, however large their scans are."""


def plain(exponent: float, level_exponent: float | None = None, by_steepness: bool = False) -> ErrorCalibration:
    """Return the calibration whose multiples are 1."""
    rows = {ONE_SD: (1.0,)}
    return ErrorCalibration(exponent, (0.0,), rows, level_exponent=level_exponent, by_steepness=by_steepness)


def exponent_of(samples: Iterable[ErrorSample]) -> float:
    """Return the power by samples whose ``expected`` is what the head answers."""
    return float(np.mean([_slope(sample) for sample in samples]))


def calibration_of(
    samples: Iterable[ErrorSample], uncalibrated: ErrorCalibration, perceptual: Iterable[ErrorSample] = ()
) -> ErrorCalibration:
    """Return the calibration by samples whose ``expected`` is of ``uncalibrated``, whose multiples are 1.

    Args:
        samples: at detail 0, by levels of noise: those whose degradation has 2 or 5 % in its name or none.
        perceptual: at detail 1, of the same scans and one of the degradations.
    """
    samples, perceptual = list(samples), list(perceptual)
    levels: dict[str, list[ErrorSample]] = {}
    for sample in samples:
        levels.setdefault(_level(sample.degradation), []).append(sample)
    ordered = sorted(levels.values(), key=lambda group: np.mean([sample.noise for sample in group]))
    noise = tuple(float(np.mean([sample.noise for sample in group])) for group in ordered)
    multiples = {percent: tuple(_multiple(group, percent) for group in ordered) for percent in PERCENTS}
    more = 1.0
    if perceptual:
        alike = {(sample.scan, sample.degradation) for sample in perceptual}
        before = [s for group in ordered for s in group if (s.scan, s.degradation) in alike]
        more = _multiple(perceptual, ONE_SD) / _multiple(before, ONE_SD)
    return replace(uncalibrated, noise=noise, multiples=multiples, perceptual=more)


def _level(degradation: str) -> str:
    return next((level for level in ("noise5", "5 % noise", "noise", "2 % noise") if degradation.endswith(level)), "")


def _slope(sample: ErrorSample) -> float:
    """Return how many times as fast as the logarithm of what the head answers that of the error grows."""
    edges = np.quantile(sample.expected, np.linspace(0, 1, BINS + 1))
    parts = np.searchsorted(edges[1:-1], sample.expected)
    answers = [np.median(sample.expected[parts == part]) for part in range(BINS)]
    errors = [np.quantile(sample.error[parts == part], ONE_SD / 100) for part in range(BINS)]
    return float(np.polyfit(np.log(answers), np.log(errors), 1)[0])


def _multiple(samples: Sequence[ErrorSample], percent: float) -> float:
    random = np.random.default_rng(0)
    ratios = []
    for sample in samples:
        chosen = random.integers(len(sample.error), size=VOXELS)
        ratios.append(sample.error[chosen] / np.maximum(sample.expected[chosen], 1e-9))
    return float(np.quantile(np.concatenate(ratios), percent / 100))


def calibrate(folder: Path, data: os.PathLike | str, datalist: os.PathLike | str, slices: int = 10) -> ErrorCalibration:
    """Calibrate the model in ``folder`` and write it there.

    Raises:
        InputError: the folder holds no model, or one without an error head.
    """
    model = read_model(folder)
    by_steepness = not model.through_slices
    model = replace(model, error_calibration=plain(1.0, by_steepness=by_steepness))
    volumes = [Path(data) / entry["image"] for entry in read_data_list(datalist)["validation"]]
    degradations = BETWEEN if model.through_slices else SHARP
    answers = (_shown(sample_of(path, model, name, 0.0, slices)) for path in volumes for name in degradations)
    uncalibrated = plain(exponent_of(answers), None if model.through_slices else LEVEL_EXPONENT, by_steepness)
    model = replace(model, error_calibration=uncalibrated)
    samples = [sample_of(path, model, name, 0.0, slices) for path in volumes for name in degradations]
    perceptual = [sample_of(path, model, "kspace", 1.0, slices) for path in volumes] if model.has_detail else []
    calibration = calibration_of(samples, uncalibrated, perceptual)
    write(calibration, model)
    return calibration


def write(calibration: ErrorCalibration, model: Model) -> None:
    """Write a calibration into the metadata of a model."""
    path = model.folder / "configs" / "metadata.json"
    metadata = json.loads(path.read_text(encoding="utf-8"))
    metadata["super_resolution"]["error_calibration"] = calibration.described()
    path.write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")


def _shown(sample: ErrorSample) -> ErrorSample:
    multiples = [_multiple([sample], percent) for percent in PERCENTS]
    print(
        f"{sample.scan}, {sample.degradation}: noise {100 * sample.noise:.2f} %, slope {_slope(sample):.2f}, multiples"
        f" {' '.join(f'{value:.2f}' for value in multiples)}, rank correlation {sample.rank_correlation:.2f}",
        flush=True,
    )
    return sample


def main() -> None:
    """Parse the command line and calibrate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the volumes")
    parser.add_argument("--datalist", type=Path, default=CONFIGS / "datalist_mri.json", help="whose validation volumes")
    parser.add_argument("--slices", type=int, default=10, help="of each volume, where the slice plane is refined")
    options = parser.parse_args()
    print(json.dumps(calibrate(options.folder, options.data, options.datalist, options.slices).described()))


if __name__ == "__main__":
    main()
