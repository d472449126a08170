"""Whole folders: find the volumes, upscale each, go on after a failure, skip what is done already."""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import json
import os
import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import SimpleITK as sitk

from ..errors import Cancelled, InputError
from ..files.dicom.reading import dicom_files, dicom_series_in
from ..files.whole_outputs import check_output_folder
from ..files.writing import OUTPUT_SUFFIXES
from ..models.bundles import find_model, installed_models
from ..upscaling.request import UpscaleRequest
from ..version import VERSION
from .summary import SUMMARY, Outcome, write_summary

VOLUME_SUFFIXES = (*OUTPUT_SUFFIXES, ".nhdr", ".mhd", ".hdr", ".gipl.gz", ".gipl", ".mnc", ".mrc")
"""Names that end so are volumes, and damaged ones are reported. Pictures (.png, .tif) are not looked at."""
HEADER_SUFFIXES = (".nhdr", ".mhd", ".hdr")


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
    for folder, folders, names in os.walk(root):
        folder = Path(folder)
        folders[:] = [name for name in folders if not name.startswith(".") and folder / name != target]
        visible = [name for name in names if not name.startswith(".")]
        volumes = [name for name in visible if name.lower().endswith(VOLUME_SUFFIXES)]
        for name in volumes:
            yield folder / name, (folder / name).relative_to(root).as_posix(), None
        if any(_is_dicom(folder / name) for name in visible if name not in volumes):
            yield from _series(folder, root)


def _series(folder: Path, root: Path) -> Iterator[tuple[Path, str, str | None]]:
    # A folder may hold DICOM that is no image: a directory, a report.
    found = dicom_series_in(folder)
    name = folder.name if folder == root else folder.relative_to(root).as_posix()
    if len(found) == 1:
        yield folder, name, None
        return
    labels = {series: _label(dicom_files(folder, series)[0]) for series in found}
    for series, label in labels.items():
        unique = list(labels.values()).count(label) == 1
        label = label if unique else f"{label}_{series.rpartition('.')[2]}"
        yield folder, label if folder == root else f"{name}/{label}", series


def _label(file: str) -> str:
    """Return the number and the description of the series of a DICOM file, as a file's name."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(file)
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return "series"  # what is wrong with it is said when it is read
    words = [reader.GetMetaData(key).strip() for key in ("0020|0011", "0008|103e") if reader.HasMetaDataKey(key)]
    return re.sub(r"[^\w.+-]+", "_", " ".join(words)).strip("_.") or "series"


def _is_dicom(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _output_name(path: Path, is_dicom: bool) -> Path:
    name = path.name
    if is_dicom:
        name += ".nrrd"
    elif not name.lower().endswith(OUTPUT_SUFFIXES):
        name = next(name[: -len(end)] for end in VOLUME_SUFFIXES if name.lower().endswith(end)) + ".nrrd"
    return path.with_name(name)


def fingerprint(source: Path, request: UpscaleRequest, series: str | None = None) -> str:
    """Return a SHA-256 of all that decides a result: the input's content, the request, the models and the program.

    The device is left out: it changes a result by rounding only.

    Raises:
        InputError: the input cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for path in _files_of(source, series):
            digest.update(path.name.encode("utf-8", "surrogateescape") + b"\0")
            with open(path, "rb") as file:
                for block in iter(lambda: file.read(1 << 20), b""):
                    digest.update(block)
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read ({error.strerror}); check its permissions.") from None
    options = dataclasses.asdict(dataclasses.replace(request, device="auto"))
    models = [*installed_models(), *([find_model(request.model)] if request.model else [])]
    weights = [[model.name, sorted(sha256 for _, sha256 in model.weights.values())] for model in models]
    digest.update(json.dumps([options, weights, VERSION], sort_keys=True).encode())
    return digest.hexdigest()


def _files_of(source: Path, series: str | None) -> list[Path]:
    if series is not None:
        return list(map(Path, dicom_files(source, series)))
    if source.is_dir():
        return sorted(path for path in source.iterdir() if path.is_file())
    if source.name.lower().endswith(HEADER_SUFFIXES):  # the voxels are in another file of the same name
        return sorted(map(Path, glob.glob(glob.escape(str(source.with_suffix(""))) + ".*")))
    return [source]


@dataclass(frozen=True)
class CohortTask:
    """One volume to upscale, with all that a worker on another machine needs to do it."""

    volume: CohortVolume
    request: UpscaleRequest
    added: bool
    resume: bool
    compressed: bool

    def run(self, progress: Callable[[int, int, str], None], cancelled: Callable[[], bool]) -> Outcome:
        """Upscale the volume, or skip it where its result is there; a failure is returned, not raised."""
        volume = self.volume
        try:
            if cancelled():
                raise Cancelled
            key = fingerprint(volume.source, self.request, volume.series)
            report = self._report_of_the_same_run(key) if self.resume else None
            if report is not None:
                return self._outcome("skipped", report=report)
            from ..upscaling.file_to_file import upscale_file

            try:
                volume.output.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(f"Cannot make the folder {volume.output.parent} ({error.strerror}).") from None
            report = upscale_file(
                volume.source,
                volume.output,
                self.request,
                series=volume.series,
                added=volume.added_file if self.added else None,
                uncertainty=volume.uncertainty_file if self.request.uncertainty else None,
                report_file=volume.report_file,
                fingerprint=key,
                compressed=self.compressed,
                progress=progress,
                cancelled=cancelled,
            )
            return self._outcome("done", report=report)
        except Cancelled:
            return self.left()
        except InputError as error:
            return self._outcome("failed", str(error))
        except Exception as error:
            return self._outcome("failed", f"{type(error).__name__}: {error}", traceback.format_exc())

    def left(self) -> Outcome:
        """Return the outcome of a task that was cancelled before it ended."""
        return self._outcome("cancelled")

    def lost(self, error: BaseException) -> Outcome:
        """Return the outcome of a task whose worker did not come back."""
        return self._outcome("failed", f"The worker died ({type(error).__name__}); use fewer workers or free memory.")

    def _outcome(self, state: str, message: str = "", trace: str = "", report: dict | None = None) -> Outcome:
        return Outcome(self.volume.name, str(self.volume.output), state, message, trace, report)

    def _report_of_the_same_run(self, key: str) -> dict | None:
        volume = self.volume
        try:
            report = json.loads(volume.report_file.read_text(encoding="utf-8"))
            files = report["files"]
            same = files["fingerprint"] == key and files["output_bytes"] == volume.output.stat().st_size
        except (OSError, ValueError, KeyError, TypeError):
            return None
        wanted = [(volume.added_file, self.added), (volume.uncertainty_file, self.request.uncertainty)]
        return report if same and all(path.exists() for path, wished in wanted if wished) else None


def upscale_folder(
    input_folder: os.PathLike | str,
    output_folder: os.PathLike | str,
    request: UpscaleRequest | None = None,
    *,
    added: bool = False,
    resume: bool = False,
    workers: int = 1,
    scheduler: str | None = None,
    compressed: bool = True,
    progress: Callable[[int, int, str], None] = lambda done, total, message: None,
    finished: Callable[[int, int, Outcome], None] = lambda number, total, outcome: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Outcome]:
    """Upscale every volume below a folder; one that fails does not stop the rest. Return what became of each, by name.

    Beside each result ``NAME`` lies its report ``NAME.json``, and in the output folder ``summary.csv``. Old results are
    replaced. A cancelled run keeps what is done, and the outcomes of the rest are ``cancelled``.

    Args:
        added: also write the results minus B-spline interpolation, ``NAME.added.nrrd``.
        resume: skip a volume whose result is there, whole, with a report of the same ``fingerprint``.
        workers: volumes at a time, each in a process of its own that gets its share of the processor; needs dask.
        scheduler: address of a running dask scheduler, whose workers see the same folders, in its own thread settings.
        progress: called as ``progress(done, total, message)`` after each slice, or each volume with several workers.
        finished: called as ``finished(number, total, outcome)`` after each volume; ``number`` counts from 1.
        cancelled: polled after each tile.

    Raises:
        InputError: as ``find_volumes``; the output folder cannot be written; no such model; dask is not there.

    Example::

        outcomes = upscale_folder("scans", "scans_x2", UpscaleRequest(factor=2), resume=True)
        print([outcome.name for outcome in outcomes if outcome.state == "failed"])
    """
    request = request or UpscaleRequest()
    if workers < 1:
        raise InputError(f"There cannot be {workers} workers; give 1 or more.")
    if request.model:
        find_model(request.model)
    volumes = find_volumes(input_folder, output_folder)
    output_folder = Path(output_folder)
    try:
        output_folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the folder {output_folder} ({error.strerror}); choose another one.") from None
    check_output_folder(output_folder / SUMMARY)
    tasks = [CohortTask(volume, request, added, resume, compressed) for volume in volumes]
    if scheduler or workers > 1:
        from .workers import run_by_dask

        ended = run_by_dask(tasks, min(workers, len(tasks)), scheduler, progress, cancelled)
    else:
        ended = _run_in_turn(tasks, progress, cancelled)
    outcomes = {}
    for number, (index, outcome) in enumerate(ended, start=1):
        outcomes[index] = outcome
        finished(number, len(tasks), outcome)
    ordered = [outcomes[index] for index in range(len(tasks))]
    write_summary(ordered, output_folder / SUMMARY)
    return ordered


def _run_in_turn(tasks: list[CohortTask], progress, cancelled) -> Iterator[tuple[int, Outcome]]:
    for index, task in enumerate(tasks):
        place = f"{index + 1} of {len(tasks)}: {task.volume.name}"
        yield index, task.run(lambda done, total, message, place=place: progress(done, total, place), cancelled)
