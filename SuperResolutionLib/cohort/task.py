"""One volume of a cohort, to be upscaled, and what decides a result."""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files.bids_sidecar import sidecar_of
from ..files.dicom.reading import dicom_files
from ..files.whole_outputs import DETACHED_HEADERS
from ..fusion.request import FuseRequest
from ..models.bundles import find_model, installed_models
from ..upscaling.request import UpscaleRequest
from ..version import VERSION
from .attempt import Attempt
from .finding import CohortVolume


@dataclass(frozen=True)
class CohortTask(Attempt):
    """One volume to upscale."""

    volume: CohortVolume
    request: UpscaleRequest
    added: bool

    @property
    def name(self) -> str:
        return self.volume.name

    @property
    def output(self) -> Path:
        return self.volume.output

    @property
    def left_out(self) -> str:
        return self.volume.left_out

    @property
    def companions(self) -> list[Path]:
        volume = self.volume
        wanted = [(volume.added_file, self.added), (volume.error_file, self.request.error)]
        return [path for path, wished in wanted if wished]

    def fingerprint(self) -> str:
        return fingerprint(self.volume.source, self.request, self.volume.series)

    def make(self, fingerprint: str, progress: Callable[[int, int, str], None], cancelled: Callable[[], bool]) -> dict:
        from ..upscaling.file_to_file import upscale_file

        volume = self.volume
        return upscale_file(
            volume.source,
            volume.output,
            self.request,
            series=volume.series,
            added=volume.added_file if self.added else None,
            error=volume.error_file if self.request.error else None,
            report_file=volume.report_file,
            fingerprint=fingerprint,
            compressed=self.compressed,
            progress=progress,
            cancelled=cancelled,
        )


def fingerprint(source: Path, request: UpscaleRequest, series: str | None = None) -> str:
    """Return a SHA-256 of all that decides a result: the input's content, the request, the models and the program.

    The device is left out: it changes a result by rounding only.

    Raises:
        InputError: the input cannot be read.
    """
    return fingerprint_of_several([(source, series)], request, request.model)


def fingerprint_of_several(
    sources: Sequence[tuple[Path, str | None]], request: UpscaleRequest | FuseRequest, model: Any = None
) -> str:
    """Return the same of what several sources, each with its series, make.

    Args:
        model: as of ``UpscaleRequest``.
    """
    digest = hashlib.sha256()
    for source, series in sources:
        try:
            for path in _files_of(source, series):
                digest.update(path.name.encode("utf-8", "surrogateescape") + b"\0")
                with open(path, "rb") as file:
                    for block in iter(lambda: file.read(1 << 20), b""):
                        digest.update(block)
        except OSError as error:
            raise InputError(f"{error.filename} cannot be read ({error.strerror}); check its permissions.") from None
    options = dataclasses.asdict(dataclasses.replace(request, device="auto"))
    models = [*installed_models(), *([find_model(model)] if model else [])]
    said = [
        [each.name, sorted(sha256 for _, sha256 in each.weights.values()), each.error_calibration.described()]
        for each in models
    ]
    digest.update(json.dumps([options, said, VERSION], sort_keys=True).encode())
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
