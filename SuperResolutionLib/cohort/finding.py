"""Which volumes there are below a folder, and where their results go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..files.dicom.headers import DICOM_SUFFIXES, is_dicom
from ..files.dicom.reading import dicom_labels
from ..files.folders import Folder, folders_below
from ..files.formats.freesurfer import SUFFIXES as FREESURFER_SUFFIXES
from ..files.whole_outputs import OUTPUT_SUFFIXES

NOT_READ = (".nii.bz2", ".nii.xz", ".nii.zst", ".nii.zip", ".mnc", ".mnc.gz", ".par", ".head")
VOLUME_SUFFIXES = (
    *(*OUTPUT_SUFFIXES, ".hdr.gz", ".hdr", ".nhdr", ".mhd", ".gipl.gz", ".gipl", ".mrc"),
    *FREESURFER_SUFFIXES,
    *NOT_READ,
)
"""Names that end so are volumes, and those that are damaged or of a kind that is not read are reported as failed.

Pictures (.png, .tif) are not looked at.
"""


@dataclass(frozen=True)
class CohortVolume:
    """A volume that was found.

    Attributes:
        source: its file or DICOM folder.
        series: which DICOM series, where the folder holds several.
        name: its path below the input folder; for one of several series, with the series' number and description.
        output: where its result goes.
        left_out: why it is not upscaled, in one sentence; "" where it is.
    """

    source: Path
    series: str | None
    name: str
    output: Path
    left_out: str = ""

    @property
    def report_file(self) -> Path:
        return self.output.with_name(self.output.name + ".json")

    @property
    def added_file(self) -> Path:
        return self.output.with_name(self.output.name + ".added.nrrd")

    @property
    def error_file(self) -> Path:
        return self.output.with_name(self.output.name + ".error.nrrd")


def find_volumes(input_folder: os.PathLike | str, output_folder: os.PathLike | str) -> list[CohortVolume]:
    """Return all volumes below ``input_folder``, by name: image files, and the DICOM series in each folder.

    A result keeps its volume's folder and name, and its format where that can be written (.nrrd, .nii.gz, .nii, .mha);
    the others and DICOM become .nrrd. Linked folders are followed, each once: the other ways to it are returned as left
    out. ``output_folder`` and hidden files are not searched.

    Raises:
        InputError: the input folder is not there or holds no volume, or results would land among the inputs.
    """
    root, target = Path(input_folder).resolve(), Path(output_folder).resolve()
    if not root.is_dir():
        raise InputError(f"There is no folder {input_folder}; check the path.")
    if target == root or target in root.parents:
        raise InputError(f"The output folder {output_folder} holds the inputs; choose another output folder.")
    folders = list(folders_below(root, target))
    found = sorted(_sources(folders, root), key=lambda volume: volume[1])
    if not found:
        raise InputError(f"The folder {input_folder} holds no volumes; give a folder of .nrrd, .nii.gz, .mha or DICOM.")
    wanted = [target / _output_name(Path(name), source.is_dir()) for source, name, _ in found]
    kept = {output for output, (_, name, _) in zip(wanted, found) if output.name == Path(name).name}
    volumes = [
        CohortVolume(folder.path, None, name, target / name, folder.left_out)
        for folder, name in ((folder, folder.path.relative_to(root).as_posix()) for folder in folders)
        if folder.left_out
    ]
    taken: set[Path] = set()
    for output, (source, name, series) in zip(wanted, found):
        if output in taken or (output in kept and output.name != Path(name).name):
            output = target / f"{name}.nrrd"
        taken.add(output)
        volumes.append(CohortVolume(source, series, name, output))
    return sorted(volumes, key=lambda volume: volume.name)


def _sources(folders: list[Folder], root: Path) -> Iterator[tuple[Path, str, str | None]]:
    """Yield the file or folder, its path below ``root`` and the series, of each volume."""
    for folder in (found for found in folders if not found.left_out):
        volumes = [name for name in folder.names if name.lower().endswith(VOLUME_SUFFIXES)]
        for name in volumes:
            yield folder.path / name, (folder.path / name).relative_to(root).as_posix(), None
        if not os.access(folder.path, os.R_OK):
            yield folder.path, folder.path.relative_to(root).as_posix(), None  # as a failure
            continue
        others = [name for name in folder.names if name not in volumes]
        if any(name.lower().endswith(DICOM_SUFFIXES) or is_dicom(folder.path / name) for name in others):
            yield from _series(folder.path, root)


def _series(folder: Path, root: Path) -> Iterator[tuple[Path, str, str | None]]:
    # A folder may hold DICOM that is no image: a directory, a report.
    labels = dicom_labels(folder)
    name = folder.name if folder == root else folder.relative_to(root).as_posix()
    if len(labels) == 1:
        yield folder, name, None
        return
    for series, label in labels.items():
        unique = list(labels.values()).count(label) == 1
        label = label if unique else f"{label}_{str(series).rpartition('.')[2]}"
        yield folder, label if folder == root else f"{name}/{label}", series


def _output_name(path: Path, is_dicom: bool) -> Path:
    name = path.name
    if is_dicom:
        name += ".nrrd"
    elif not name.lower().endswith(OUTPUT_SUFFIXES):
        name = next(name[: -len(end)] for end in VOLUME_SUFFIXES if name.lower().endswith(end)) + ".nrrd"
    return path.with_name(name)
