"""Time the reading of a DICOM series against SimpleITK's bare reader, in turns, and print the ratio.

    python -m Testing.benchmark.reading_dicom [FOLDER] [--slices 300] [--size 512] [--rounds 5]

The bare reader is ``ImageSeriesReader`` with the file names in their order, which trusts the first file for all. Ours
reads all headers first, and says what the series is. Without FOLDER a CT series is written to a temporary folder: the
header of pydicom's CT sample, with slope and intercept, around pixels of noise. Times are this process's share of the
processor, so that others on the machine count as little as may be.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.data import get_testdata_file

from SuperResolutionLib.files.reading import read_volume


def main() -> None:
    """Parse the command line, time both readers and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="of one series; by default one is made")
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or made_series(Path(temporary), options.slices, options.size)
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
        works: dict[str, Callable[[], object]] = {
            "SimpleITK, names given": reader.Execute,
            "SimpleITK, names looked for": lambda: reader.GetGDCMSeriesFileNames(str(folder)) and reader.Execute(),
            "ours": lambda: read_volume(folder),
        }
        seconds: dict[str, list[float]] = {name: [] for name in works}
        for work in works.values():  # so that the disk is equally warm for all
            work()
        for _ in range(options.rounds):
            for name, work in works.items():
                began = time.process_time()
                work()
                seconds[name].append(time.process_time() - began)
    print(f"{platform.processor() or platform.machine()}, SimpleITK {sitk.Version_VersionString()}; processor seconds:")
    bare = np.median(next(iter(seconds.values())))
    for name, taken in seconds.items():
        middle = np.median(taken)
        print(f"  {name:28s} {middle:6.2f} ({min(taken):.2f} to {max(taken):.2f})  {middle / bare:5.2f} x")


def made_series(folder: Path, slices: int, size: int) -> Path:
    """Write a series of pydicom's CT sample made larger, and return its folder."""
    data = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    data.Rows = data.Columns = size
    random = np.random.default_rng(0)
    for number in range(slices):
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.{number}"
        data.ImagePositionPatient = [0, 0, 2.0 * number]
        data.PixelData = random.integers(0, 2000, size * size).astype(np.int16).tobytes()
        data.save_as(folder / f"{number:04d}.dcm")
    return folder


if __name__ == "__main__":
    main()
