from __future__ import annotations

import logging
import time
from collections import deque

from SuperResolutionLib.errors import InputError

from ..Forecast.TimeLeft import TimeLeft
from ..Installation.InstallError import InstallError
from ..Scene.Companion import Companion
from ..Scene.VolumeNodes import volumesFromNodes
from ..Worker.UpscaleOutcome import UpscaleOutcome
from .UpscaleTask import UpscaleTask


class RunSection:
    """The buttons that start and end runs, and what the user is told of them. One run goes on at a time; others wait.

    Args:
        ui: the widgets of SuperResolution.ui, by object name.
        choices: has ``task()``, ``prospect``, ``hasPreview``, ``isOpen`` and ``inputNode``, see ``ChoicesSection``.
        startJob: called as ``startJob(onProgress, onFinished)``, returns a new ``UpscaleJob``.
        startPreviewJob: as ``startJob``, returns a job of the warm worker.
        installer: has ``ensure(tell, cancelled)``, which raises InstallError; see ``Installer``.
        placement, sequences, view, preview, currentSlice, volumes, runTimes: see the classes ``ResultPlacement``,
            ``SequencePlacement``, ``ComparisonView``, ``SlicePreview``, ``CurrentSlice``, ``KeptVolume`` and
            ``RunTimes``.
        onChanged: called when a run has ended, and when the preview comes or goes.
    """

    FAULT_STYLE = "border-left: 4px solid #d9534f; padding-left: 6px;"
    """A bar at the side, which is seen in a light and in a dark style, and by who sees no red."""

    def __init__(
        self,
        ui,
        choices,
        startJob,
        startPreviewJob,
        installer,
        placement,
        sequences,
        view,
        preview,
        currentSlice,
        volumes,
        runTimes,
        onChanged,
    ):
        self._ui = ui
        self._choices = choices
        self._startJob = startJob
        self._startPreviewJob = startPreviewJob
        self._installer = installer
        self._placement = placement
        self._sequences = sequences
        self._view = view
        self._preview = preview
        self._currentSlice = currentSlice
        self._volumes = volumes
        self._runTimes = runTimes
        self._onChanged = onChanged
        self._job = None
        self._waiting: deque[UpscaleTask] = deque()
        self._running: UpscaleTask | None = None
        self._preparing = False
        self._cancelsPreparing = False
        self._news: list[str] = []
        self._hasFailed = False
        self._previewNews = ""
        self._toldOf = None
        ui.upscaleButton.connect("clicked(bool)", self.onUpscale)
        ui.previewButton.connect("clicked(bool)", self.onPreview)
        ui.cancelButton.connect("clicked(bool)", self.onCancel)
        ui.dismissButton.connect("clicked(bool)", self.onDismiss)
        self._tell("")

    def refresh(self) -> None:
        """Enable what can be clicked now, and take away what is told of what is no longer there."""
        self._forgetOldNews()
        running = self._job is not None
        prospect = None if self._preparing else self._choices.prospect
        self._ui.upscaleButton.enabled = prospect is not None
        self._ui.previewButton.enabled = self._preview.isShown or (
            prospect is not None and not running and self._choices.hasPreview
        )
        self._ui.previewButton.text = "Close &preview" if self._preview.isShown else "&Preview slice"
        self._ui.cancelButton.enabled = running or self._preparing
        self._ui.progressBar.visible = running or self._preparing
        self._ui.dismissButton.visible = bool(self._ui.statusLabel.text) and not running and not self._preparing

    def _forgetOldNews(self) -> None:
        if self._job is not None or self._preparing:
            return
        chosen = self._choices.inputNode
        if chosen is not None and chosen is not self._toldOf:
            self._news, self._previewNews, self._hasFailed = [], "", False
            self._tell("")
        elif self._previewNews and not self._preview.isShown:
            self._news = [line for line in self._news if line != self._previewNews]
            self._previewNews = ""
            self._tell("\n".join(self._news), isFault=self._hasFailed)

    def stop(self) -> None:
        """End all runs without a result, and give the views back: the scene or the panel is going away."""
        self._endRuns()
        self._preview.close()
        self._view.end()
        self._tell("")
        self._onChanged()

    def onUpscale(self, _checked=False) -> None:
        self._prepare(self._accept)

    def onPreview(self, _checked=False) -> None:
        if self._preview.isShown:
            self._preview.close()
            self._onChanged()
        elif self._job is None:
            self._prepare(self._startPreview)

    def onCancel(self, _checked=False) -> None:
        if self._job is None:
            if self._preparing:
                self._cancelsPreparing = True
                self._tell(f"{self._ui.statusLabel.text}\nCancelling after this step…")
            return
        self._endRuns()
        self._tell("\n".join([*self._news, "Cancelled; nothing was changed."]))
        self._onChanged()

    def prepare(self, begin) -> None:
        """Call ``begin(task)`` with what was chosen, once the packages for it are there; no run comes of it here."""

        def beginQuietly(task: UpscaleTask) -> None:
            begin(task)
            if self._job is None:
                self._tell("")

        self._prepare(beginQuietly)

    def onDismiss(self, _checked=False) -> None:
        self._news, self._previewNews, self._hasFailed = [], "", False
        self._tell("")
        self.refresh()

    def onPackagesInstalled(self) -> None:
        """Take away what was said of packages that were missing."""
        if self._job is None and not self._preparing:
            self.onDismiss()

    def _prepare(self, begin) -> None:
        """Call ``begin(task)`` with the run that was chosen, once the packages for it are there."""
        if self._preparing:
            return
        self._preparing, self._cancelsPreparing = True, False
        if self._job is None:
            self._news, self._previewNews, self._hasFailed = [], "", False
            self._ui.progressBar.setRange(0, 0)
            self._tell("Checking the Python packages…")
        self.refresh()
        try:
            self._installer.ensure(self._tellStep, lambda: self._cancelsPreparing)
            # None: the user went elsewhere while packages were installed.
            task = self._choices.task()
            if task is None:
                self._tell("")
            else:
                begin(task)
        except (InputError, InstallError) as error:
            self._tell(str(error), isFault=True)
        except Exception:
            self._tell("The run could not be started because of a fault; see the Python console.", isFault=True)
            raise
        finally:
            self._preparing = False
            self._onChanged()

    def _accept(self, task: UpscaleTask) -> None:
        if self._job is None:
            self._start(task, self._place)
        elif task in (self._running, *self._waiting):
            # The second half of a double click, too.
            self._tellProgress(f"{task.name} is being made already.")
        else:
            self._waiting.append(task)

    def _startPreview(self, task: UpscaleTask) -> None:
        volume = self._volumes.of(task.inputNode)
        cut = self._currentSlice.find(task.inputNode, volume, task.sliceAxis, task.box, task.addsSlices)

        def show(task, outcome, seconds):
            if not self._choices.isOpen:
                return ""
            self._preview.show(
                outcome.volume,
                outcome.companions[Companion.ADDED],
                task.inputNode,
                cut.axis,
                cut.sliceNode,
                outcome.companions.get(Companion.ERROR),
            )
            what = f"Cut through the slices at {'ijk'[cut.axis]} =" if task.addsSlices else "Slice"
            self._previewNews = (
                f"{what} {cut.index}: interpolated on the left, upscaled on the right ({seconds:.0f} s)."
            )
            return self._previewNews

        self._start(task.ofCut(cut), show, self._startPreviewJob)

    def _start(self, task: UpscaleTask, use, startJob=None) -> None:
        """Start a run; ``use(task, outcome, seconds)`` gets its result and returns what the user is told."""
        for node in (task.sequenceNode or task.inputNode, *task.otherScans):
            if node.GetScene() is None:
                raise InputError(f"{node.GetName()} was removed before its turn; it was not upscaled.")
        volumes = self._volumesOf(task)
        timeLeft, began = TimeLeft(), time.monotonic()

        def finished(outcome: UpscaleOutcome) -> None:
            self._finish(task, outcome, time.monotonic() - began, use)

        job = (startJob or self._startJob)(lambda *step: self._showProgress(task, timeLeft, *step), finished)
        self._ui.progressBar.setRange(0, 0)
        self._ui.progressBar.format = "%p%"
        self._tellProgress(f"{task.name}: starting…")
        self._job, self._running = job, task
        try:
            if task.sequenceNode:
                job.startSequence(volumes, task.commandOptions())
            elif task.otherScans:
                job.startFusion(volumes, task.commandOptions())
            else:
                job.start(volumes[0], task.commandOptions(), task.companions)
        except Exception:
            self._job = None
            raise

    def _volumesOf(self, task: UpscaleTask) -> list:
        if task.sequenceNode:
            return self._sequences.volumes(task.sequenceNode)
        if task.otherScans:
            return volumesFromNodes([task.inputNode, *task.otherScans])
        return [self._volumes.of(task.inputNode)]

    def _finish(self, task: UpscaleTask, outcome: UpscaleOutcome, seconds: float, use) -> None:
        self._job = None
        try:
            self._news.append(self._used(task, outcome, seconds, use))
        finally:
            self._startNext()
            self._onChanged()

    def _used(self, task: UpscaleTask, outcome: UpscaleOutcome, seconds: float, use) -> str:
        """Return what the user is told of a run that has ended, once its result is where it belongs."""
        if outcome.volume is None:
            logging.error("%s: %s\n%s", task.name, outcome.message, outcome.log)
            self._hasFailed = True
            return "\n".join(filter(None, [outcome.message, outcome.log]))
        if task.workload is not None:
            self._runTimes.remember(task.workload, seconds, outcome.report["seconds"])
        try:
            return use(task, outcome, seconds)
        except MemoryError:
            self._hasFailed = True
            return "The result does not fit into memory; close other volumes, or choose a region."
        except Exception:
            self._hasFailed = True
            self._news.append("The result could not be placed in the scene because of a fault; see the Python console.")
            raise

    def _place(self, task: UpscaleTask, outcome: UpscaleOutcome, seconds: float) -> str:
        report, show = outcome.report, self._makesRoomFor(task.inputNode)
        if task.sequenceNode:
            node = self._placeSequence(task, outcome, show)
        else:
            node = self._placement.place(
                outcome.volume,
                report,
                task.inputNode,
                task.name,
                task.outputNode,
                show=show,
                companions=outcome.companions,
                others=task.otherScans,
            )
        device = report["device_label"]
        return "\n".join([f"{node.GetName()}: done in {seconds:.0f} s on {device}.", *report["warnings"]])

    def _placeSequence(self, task: UpscaleTask, outcome: UpscaleOutcome, show: bool):
        fineNode = self._sequences.newSequence(task.sequenceNode)
        for number, frame in enumerate(outcome.frames):
            self._sequences.addVolume(fineNode, task.sequenceNode, number, frame)
        return self._sequences.placeSequence(fineNode, task.sequenceNode, task.name, show)

    def _makesRoomFor(self, inputNode) -> bool:
        """Return whether the views may show a result, once what they show for its sake has ended.

        They are the user's who works in another module, or looks at a comparison of another volume.
        """
        if not self._choices.isOpen:
            return False
        comparing = self._preview.isShown or self._view.isSideBySide or self._view.isFading
        if comparing and self._choices.inputNode is not inputNode:
            return False
        self._preview.close()
        self._view.end()
        return True

    def _startNext(self) -> None:
        while self._job is None and self._waiting:
            task = self._waiting.popleft()
            try:
                self._start(task, self._place)
            except InputError as error:
                self._hasFailed = True
                self._news.append(str(error))
        if self._job is None:
            self._tell("\n".join(self._news), isFault=self._hasFailed)

    def _endRuns(self) -> None:
        self._waiting.clear()
        if self._job is not None:
            job, self._job = self._job, None
            job.cancel()

    def _showProgress(self, task: UpscaleTask, timeLeft: TimeLeft, done: int, total: int, message: str) -> None:
        left = timeLeft.text(done, total)
        self._ui.progressBar.setRange(0, total)
        self._ui.progressBar.setValue(done)
        self._ui.progressBar.format = f"%p%, {left}" if left else "%p%"
        self._tellProgress(f"{task.name}: {message}, {done} of {total}")

    def _tellProgress(self, line: str) -> None:
        waiting = f"{len(self._waiting)} more waiting" if self._waiting else ""
        self._tell("\n".join(filter(None, [*self._news, line, waiting])))

    def _tellStep(self, sentence: str) -> None:
        if self._job is None:
            self._tell(sentence)

    def _tell(self, message: str, isFault: bool = False) -> None:
        if self._choices.isOpen:
            self._toldOf = self._choices.inputNode
        self._ui.statusLabel.text = message
        self._ui.statusLabel.styleSheet = self.FAULT_STYLE if isFault else ""
        self._ui.statusLabel.visible = bool(message)
