"""Which volumes there are below a folder, and where their results go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..files.dicom.headers import DICOM_SUFFIXES, is_dicom
from ..files.dicom.reading import dicom_labels
from ..files.writing import OUTPUT_SUFFIXES

VOLUME_SUFFIXES = (*OUTPUT_SUFFIXES, ".nhdr", ".mhd", ".hdr", ".gipl.gz", ".gipl", ".mnc", ".mrc")
"""Names that end so are volumes, and damaged ones are reported. Pictures (.png, .tif) are not looked at."""


@dataclass(frozen=True)
class CohortVolume:
    """A volume that was found.

    Attributes:
        source: its file or DICOM folder.
        series: which DICOM series, where the folder holds several.
        name: its path below the input folder; for one of several series, with the series' number and description.
        output: where its result goes.
    """

    source: Path
    series: str | None
    name: str
    output: Path

    @property
    def report_file(self) -> Path:
        return self.output.with_name(self.output.name + ".json")

    @property
    def added_file(self) -> Path:
        return self.output.with_name(self.output.name + ".added.nrrd")

    @property
    def uncertainty_file(self) -> Path:
        return self.output.with_name(self.output.name + ".uncertainty.nrrd")


def find_volumes(input_folder: os.PathLike | str, output_folder: os.PathLike | str) -> list[CohortVolume]:
    """Return all volumes below ``input_folder``, by name: image files, and the DICOM series in each folder.

    A result keeps its volume's folder and name, and its format where that can be written (.nrrd, .nii.gz, .nii, .mha);
    the others and DICOM become .nrrd. ``output_folder`` and hidden files are not searched.

    Raises:
        InputError: the input folder is not there or holds no volume, or results would land among the inputs.
    """
    root, target = Path(input_folder).resolve(), Path(output_folder).resolve()
    if not root.is_dir():
        raise InputError(f"There is no folder {input_folder}; check the path.")
    if target == root or target in root.parents:
        raise InputError(f"The output folder {output_folder} holds the inputs; choose another output folder.")
    found = sorted(_sources(root, target), key=lambda volume: volume[1])
    if not found:
        raise InputError(f"The folder {input_folder} holds no volumes; give a folder of .nrrd, .nii.gz, .mha or DICOM.")
    wanted = [target / _output_name(Path(name), source.is_dir()) for source, name, _ in found]
    kept = {output for output, (_, name, _) in zip(wanted, found) if output.name == Path(name).name}
    volumes, taken = [], set()
    for output, (source, name, series) in zip(wanted, found):
        if output in taken or (output in kept and output.name != Path(name).name):
            output = target / f"{name}.nrrd"
        taken.add(output)
        volumes.append(CohortVolume(source, series, name, output))
    return volumes


def _sources(root: Path, target: Path) -> Iterator[tuple[Path, str, str | None]]:
    """Yield the file or folder, its path below ``root`` and the series, of each volume."""
    for path, folders, names in os.walk(root):
        folder = Path(path)
        folders[:] = [name for name in folders if not name.startswith(".") and folder / name != target]
        visible = [name for name in names if not name.startswith(".")]
        volumes = [name for name in visible if name.lower().endswith(VOLUME_SUFFIXES)]
        for name in volumes:
            yield folder / name, (folder / name).relative_to(root).as_posix(), None
        others = [name for name in visible if name not in volumes]
        if any(name.lower().endswith(DICOM_SUFFIXES) or is_dicom(folder / name) for name in others):
            yield from _series(folder, root)


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
