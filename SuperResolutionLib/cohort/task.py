"""One volume of a cohort: upscaled, or skipped where its result is there; a failure is an outcome, not an end."""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import json
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from ..errors import Cancelled, InputError
from ..files.bids_sidecar import sidecar_of
from ..files.dicom.reading import dicom_files
from ..files.whole_outputs import DETACHED_HEADERS
from ..models.bundles import find_model, installed_models
from ..upscaling.report import SCHEMA_VERSION
from ..upscaling.request import UpscaleRequest
from ..version import VERSION
from .finding import CohortVolume
from .summary import Outcome


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
        if volume.left_out:
            return self._outcome("skipped", volume.left_out)
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
                error=volume.error_file if self.request.error else None,
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
            same = (
                report["schema_version"] == SCHEMA_VERSION
                and files["fingerprint"] == key
                and files["output_bytes"] == volume.output.stat().st_size
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
        wanted = [(volume.added_file, self.added), (volume.error_file, self.request.error)]
        return report if same and all(path.exists() for path, wished in wanted if wished) else None


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
    name = source.name.lower()
    for suffix in DETACHED_HEADERS:
        if name.endswith((suffix, suffix + ".gz")):  # the voxels are in another file of the same name
            beside = source.with_name(source.name[: name.rindex(suffix)])
            return sorted(map(Path, glob.glob(glob.escape(str(beside)) + ".*")))
    sidecar = sidecar_of(source)
    return [source] if sidecar is None else [source, sidecar]
