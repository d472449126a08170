"""Hold what is read of real DICOM series against dcm2niix, and print a table of makers and kinds.

    python -m Testing.benchmark.dicom_against_dcm2niix FOLDER... [--dcm2niix PROGRAM] [--records FILE]

Every series below the folders is linked into a folder of its own, which both read. A volume is right where its values
are those of one of dcm2niix's volumes and it lies on that to 1e-3 mm; or on the positions that the files state, where
dcm2niix straightens (a tilted gantry) or takes the distance of two slices, rounded, for that of all. A refusal is right
where it is one sentence. Echoes are chosen one by one where the sentence offers it. "Alone" is what dcm2niix makes
nothing of; what is none of these is listed below the table.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pydicom

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.dicom.headers import Header, headers_in
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.volume import LPS_TO_RAS, Volume

PLACE = 1e-3
"""mm"""
VALUE = 1e-5
"""Of the largest value: what float32, in which dcm2niix stores scaled values, can lose."""


def main() -> None:
    """Parse the command line, compare all series and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--dcm2niix", default="dcm2niix", metavar="PROGRAM")
    parser.add_argument("--records", type=Path, metavar="FILE", help="write one record a series here, as JSON")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of pydicom, about values that scanners write against the standard
    records = []
    for folder in options.folders:
        for where, headers in series_below(folder):
            record = {"where": str(where), **description(headers), **compared(headers, options.dcm2niix)}
            records.append(record)
            print(f"{record['verdict']}: {where}: {record['maker']}, {record['kind']}: {record['words']}", flush=True)
    if options.records:
        options.records.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    print(f"\n{format_table(records)}")


def series_below(root: Path) -> Iterator[tuple[Path, list[Header]]]:
    """Yield the folder and the headers of each series in each folder, ``root`` first."""
    for folder, names, _ in os.walk(root):
        names.sort()
        found: dict[str | None, list[Header]] = {}
        for header in headers_in(folder):
            found.setdefault(header.series, []).append(header)
        yield from ((Path(folder), headers) for headers in found.values())


def description(headers: list[Header]) -> dict[str, str]:
    """Return who made a series and what it is, in words."""
    first = headers[0]
    try:
        full = pydicom.dcmread(first.path, stop_before_pixels=True, force=True)
        maker = str(full.get("Manufacturer") or "").strip() or "not stated"
        kind = getattr(full.get("SOPClassUID"), "name", "unknown kind")
    except Exception:  # a damaged file, which is one of the kinds
        maker, kind = "not stated", "unknown kind"
    return {
        "maker": re.split(r"[ _,]", maker)[0].lower(),
        "kind": kind.replace(" Storage", "").replace(" Image", ""),
        "series": " ".join(str(full.get(name) or "") for name in ("SeriesNumber", "SeriesDescription")).strip(),
        "images": str(sum(header.frames for header in headers if not header.flaw)),
    }


def compared(headers: list[Header], program: str) -> dict[str, object]:
    """Return the verdict on one series: ``right``, ``refused`` or ``LOOK``, and why."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, other = Path(temporary, "series"), Path(temporary, "other")
        folder.mkdir()
        other.mkdir()
        for number, header in enumerate(headers):
            link = folder / f"{number:05d}-{header.path.name}"
            try:
                os.link(header.path, link)
            except OSError:  # another disk
                shutil.copy(header.path, link)
        subprocess.run(
            [program, "-b", "n", "-z", "n", "-p", "n", "-f", "%s_%e_%p", "-o", str(other), str(folder)],
            capture_output=True,
        )
        theirs = [
            nibabel.load(path)
            for path in sorted(other.glob("*.nii"))
            if not re.search(r"_Tilt|_Eq", path.name)  # resampled by dcm2niix
        ]
        volumes = sum(int(np.prod(image.shape[3:])) for image in theirs)
        made = f"dcm2niix: {volumes} volume{'s' * (volumes != 1)}"
        return {"dcm2niix": volumes, **_judged(folder, theirs, volumes, made)}


def _judged(folder: Path, theirs: list, volumes: int, made: str) -> dict[str, object]:
    try:
        volume = read_volume(folder)
    except InputError as error:
        words = str(error)
        if "\n" in words or not words.endswith("."):
            return {"verdict": "LOOK", "words": f"no sentence: {words}"}
        if "--echo" in words:
            return _echoes(folder, theirs, words)
        return {"verdict": "refused", "words": f"{words} ({made})"}
    except Exception:
        return {"verdict": "LOOK", "words": traceback.format_exc().splitlines()[-1]}
    return _of_volume(volume, folder, theirs, made)


def _echoes(folder: Path, theirs: list, words: str) -> dict[str, object]:
    results = []
    for echo in range(1, int(re.findall(r"--echo (?:1 (?:or|to) )?(\d+)", words)[0]) + 1):
        try:
            results.append(_of_volume(read_volume(folder, echo=echo), folder, theirs, ""))
        except InputError as error:
            results.append({"verdict": "refused", "words": f"--echo {echo}: {error}"})
    worst = next(
        (result for verdict in ("LOOK", "refused") for result in results if result["verdict"] == verdict), None
    )
    return worst or {**results[0], "words": f"{len(results)} echoes by --echo, each {results[0]['words']}"}


def _of_volume(volume: Volume, folder: Path, theirs: list, made: str) -> dict[str, object]:
    own = from_own_positions(volume, folder)
    if not theirs:
        return {"verdict": "alone", "own_mm": own, "words": f"{volume.dimensions} voxels; dcm2niix makes nothing of it"}
    found = [pair for image in theirs for pair in compare(volume, image)]
    if not found:
        words = f"{volume.dimensions} voxels, which no volume of dcm2niix's has, {own:.4f} mm from the files' positions"
        return {"verdict": "LOOK", "words": f"{words} ({made})"}
    place, value = min(found, key=lambda pair: (pair[1] > VALUE, pair[0]))
    words = (
        f"{place:.4f} mm from dcm2niix's, {own:.4f} mm from the files' positions, values {value:.2g} of the largest off"
    )
    right = value <= VALUE and (place <= PLACE or own <= PLACE)
    return {"verdict": "right" if right else "LOOK", "place_mm": place, "own_mm": own, "words": words}


def from_own_positions(volume: Volume, folder: Path) -> float:
    """Return how far from where the volume puts it the farthest image lies, by the position in its file, in mm."""
    to_lps = LPS_TO_RAS @ volume.ijk_to_ras
    positions = []
    for path in folder.iterdir():
        data = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        groups = data.get("PerFrameFunctionalGroupsSequence") or []
        planes = [group.PlanePositionSequence[0] for group in groups if group.get("PlanePositionSequence")]
        stated = [plane.get("ImagePositionPatient") for plane in (planes or [data])]
        positions += [[*map(float, position), 1.0] for position in stated if position]
    if not positions:
        return np.nan
    found = np.array(positions).T
    k = np.rint((np.linalg.inv(to_lps) @ found)[2])
    placed = to_lps @ np.stack([0 * k, 0 * k, k, 1 + 0 * k])
    return float(np.linalg.norm((placed - found)[:3], axis=0).max())


def compare(volume: Volume, image: nibabel.Nifti1Image) -> Iterator[tuple[float, float]]:
    """Yield, for each volume of the image on a grid of our size: farthest corner in mm, largest difference of values.

    The difference is a share of the largest absolute value. Axes may be mirrored or exchanged against ours.
    """
    ends = np.array([[(n >> axis & 1) * (volume.dimensions[axis] - 1) for axis in range(3)] + [1] for n in range(8)])
    ours_in_theirs = np.linalg.inv(image.affine) @ volume.ijk_to_ras
    axes = np.abs(ours_in_theirs[:3, :3]).argmax(axis=0)
    shape = (*image.shape[:3], 1, 1)[:3]
    if sorted(axes) != [0, 1, 2] or [shape[axis] for axis in axes] != list(volume.dimensions):
        return
    signs = np.sign([ours_in_theirs[axes[axis], axis] for axis in range(3)])
    exact = np.zeros((4, 4))
    exact[3, 3] = 1
    for axis in range(3):
        exact[axes[axis], axis] = signs[axis]
        exact[axes[axis], 3] = shape[axes[axis]] - 1 if signs[axis] < 0 else 0
    apart = (image.affine @ exact - volume.ijk_to_ras) @ ends.T
    place = float(np.linalg.norm(apart[:3], axis=0).max())
    data = np.asarray(image.dataobj).reshape(*shape, -1)
    for number in range(data.shape[3]):
        theirs = np.transpose(data[..., number], axes)
        theirs = theirs[tuple(slice(None, None, int(sign)) for sign in signs)].T
        largest = max(float(np.abs(theirs).max()), 1e-30)
        yield place, float(np.abs(theirs.astype(np.float64) - volume.voxels).max()) / largest


def format_table(records: list[dict]) -> str:
    """Return a table in Markdown: a row for each maker and kind, then what is to be looked at."""
    rows = [
        "| Maker | Kind | Series | Right | farthest from dcm2niix, from the files, mm | Alone | Refused | To look at |"
    ]
    rows.append("|---|---|---:|---:|---:|---:|---:|---:|")
    for maker, kind in sorted({(record["maker"], record["kind"]) for record in records}):
        own = [record for record in records if (record["maker"], record["kind"]) == (maker, kind)]
        right = [record for record in own if record["verdict"] == "right"]
        alone, refused, look = ([r["verdict"] for r in own].count(verdict) for verdict in ("alone", "refused", "LOOK"))
        far = [f"{max((record[key] for record in right), default=np.nan):.4f}" for key in ("place_mm", "own_mm")]
        rows.append(
            f"| {maker} | {kind} | {len(own)} | {len(right)} | {', '.join(far)} | {alone} | {refused} | {look} |"
        )
    looks = [f"{record['where']}: {record['words']}" for record in records if record["verdict"] == "LOOK"]
    return "\n".join([*rows, "", *looks])


if __name__ == "__main__":
    main()
