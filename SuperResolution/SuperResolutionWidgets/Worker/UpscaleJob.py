from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Callable

from SuperResolutionLib.errors import InputError

from .Messages import WorkerMessages
from .Process import WorkerProcess
from .UpscaleOutcome import UpscaleOutcome


class UpscaleJob:
    """One run of the worker on one volume, on the volumes of a sequence, or on several scans that become one.

    Its files live in a temporary folder that is gone when the job ends.
    """

    LOG_LINES = 6

    def __init__(
        self,
        process: WorkerProcess,
        onProgress: Callable[[int, int, str], None],
        onFinished: Callable[[UpscaleOutcome], None],
        temporaryPath: str | None = None,
    ):
        """Args:
        onFinished: called once, unless the job is cancelled.
        temporaryPath: folder in which the job makes its own; None is the system's.
        """
        self._process = process
        self._messages = WorkerMessages(self._passProgress)
        self._onProgress = onProgress
        self._frames: list[str] = []
        self._onFinished = onFinished
        self._temporaryPath = temporaryPath
        self._folder: Path | None = None

    def start(self, volume, options, companions=()) -> None:
        """Hand the volume to the worker.

        Args:
            options: command-line options of ``upscale``, such as ``["--factor", "4"]``.
            companions: each ``Companion`` that is wanted beside the result.

        Raises:
            InputError: the temporary folder cannot be written, or is full.
        """
        self._write({"input.nrrd": volume})
        source, self._target = self._folder / "input.nrrd", self._folder / "output.nrrd"
        self._companions = {companion: self._folder / f"{companion.value}.nrrd" for companion in companions}
        arguments = ["upscale", str(source), str(self._target), "--no-compression", "--progress", "json", *options]
        for companion, path in self._companions.items():
            arguments += [f"--{companion.value}", str(path)]
        self._run(arguments)

    def startSequence(self, volumes, options) -> None:
        """Hand the volumes of a sequence to one worker, which upscales them in turn; see ``start``."""
        self._frames = [f"{number:05d}.nrrd" for number in range(len(volumes))]
        self._write({f"input/{name}": volume for name, volume in zip(self._frames, volumes)})
        folders = [str(self._folder / "input"), str(self._folder / "output")]
        self._run(["batch", *folders, "--no-compression", "--progress", "json", *options])

    def startFusion(self, volumes, options) -> None:
        """Hand several scans to the worker, the reference first, which makes one volume of them; see ``start``.

        Args:
            options: command-line options of ``fuse``.
        """
        names = [f"scan{number}.nrrd" for number in range(1, len(volumes) + 1)]
        self._write(dict(zip(names, volumes)))
        self._target, self._companions = self._folder / "output.nrrd", {}
        sources = [str(self._folder / name) for name in names]
        self._run(["fuse", *sources, str(self._target), "--no-compression", "--progress", "json", *options])

    def _write(self, volumes) -> None:
        import SimpleITK

        from SuperResolutionLib.files.writing import image_from_volume

        try:
            self._folder = Path(tempfile.mkdtemp(prefix="SuperResolution-", dir=self._temporaryPath))
            for name, volume in volumes.items():
                (self._folder / name).parent.mkdir(exist_ok=True)
                # Uncompressed: this runs on the application's thread.
                SimpleITK.WriteImage(image_from_volume(volume), str(self._folder / name), False)
        except (OSError, RuntimeError) as error:
            self._removeFolder()
            raise InputError(
                f"The temporary folder cannot be written ({error}); free space, or choose another in the settings."
            ) from error

    def _run(self, arguments) -> None:
        self._process.start(
            arguments,
            self._messages.addOutput,
            self._messages.addErrorOutput,
            self._finish,
        )

    def _passProgress(self, done: int, total: int, message: str) -> None:
        if self._frames:
            # The worker counts the steps of each volume from one again.
            number, count = len(self._messages.files), len(self._frames)
            done, total, message = number * total + done, count * total, f"volume {number + 1} of {count}"
        self._onProgress(done, total, message)

    def cancel(self) -> None:
        """End the worker and all below it, and remove its files. ``onFinished`` is not called."""
        self._process.kill()
        self._removeFolder()

    def _finish(self, exitCode: int) -> None:
        try:
            outcome = self._outcome(exitCode)
        finally:
            self._removeFolder()
        self._onFinished(outcome)

    def _outcome(self, exitCode: int) -> UpscaleOutcome:
        from SuperResolutionLib.files.reading import read_volume

        log = self._messages.lastLines(self.LOG_LINES)
        if self._messages.error:
            message = self._messages.error["message"]
            return UpscaleOutcome(message=message, log=log if self._messages.error["kind"] == "fault" else "")
        failed = [file for file in self._messages.files if file["state"] != "done"]
        if failed:
            number = self._messages.files.index(failed[0]) + 1
            return UpscaleOutcome(message=f"Volume {number} of {len(self._frames)}: {failed[0]['message']}", log=log)
        answered = len(self._messages.files) == len(self._frames) if self._frames else self._messages.result
        if exitCode != 0 or not answered:
            return UpscaleOutcome(
                message=f"The upscaling program ended unexpectedly (exit code {exitCode}); nothing was changed."
                + self._likelyCause(exitCode, log),
                log=log,
            )
        try:
            if self._frames:
                return self._readSequence()
            volume = read_volume(self._target)
            companions = {companion: read_volume(path) for companion, path in self._companions.items()}
        except InputError as error:
            return UpscaleOutcome(message=f"The result could not be read back: {error}", log=log)
        return UpscaleOutcome(
            volume=volume, companions=companions, report=self._withoutFiles(self._messages.result["report"])
        )

    def _readSequence(self) -> UpscaleOutcome:
        from SuperResolutionLib.files.reading import read_volume

        frames = tuple(
            UpscaleOutcome(read_volume(self._folder / "output" / name), report=self._withoutFiles(file["report"]))
            for name, file in zip(self._frames, self._messages.files)
        )
        seconds = sum(frame.report["seconds"] for frame in frames)
        return UpscaleOutcome(frames[0].volume, report={**frames[0].report, "seconds": seconds}, frames=frames)

    def _withoutFiles(self, report: dict) -> dict:
        # The report stays with the node; the files that it names are about to go.
        return {key: value for key, value in report.items() if key != "files"}

    def _likelyCause(self, exitCode: int, log: str) -> str:
        # A fault of Python's own leaves its traceback; a program that the system ends has no time for it.
        hasNotStarted = exitCode == -1 and not self._messages.hasBegun
        if "Traceback" in log or hasNotStarted:
            return ""
        return (
            " The computer may have run out of memory: close other programs and volumes, or choose a region or the"
            " quality Fast under Advanced."
        )

    def _removeFolder(self) -> None:
        if self._folder is None:
            return
        # A process that was killed takes a moment to go, and on Windows keeps its files locked meanwhile.
        for _ in range(20):
            shutil.rmtree(self._folder, ignore_errors=True)
            if not self._folder.exists():
                break
            time.sleep(0.1)
        self._folder = None
