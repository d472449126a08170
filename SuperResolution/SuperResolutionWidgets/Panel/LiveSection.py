from __future__ import annotations

import logging

from SuperResolutionLib.errors import InputError

from ..Scene.Companion import Companion
from ..Worker.NewestJob import NewestJob
from ..Worker.UpscaleOutcome import UpscaleOutcome
from .LivePart import LivePart
from .Quality import Quality
from .UpscaleTask import UpscaleTask


class LiveSection:
    """The button Live: while it is pressed, a slice view shows upscaled what the user scrolls, zooms and pans to.

    Args:
        ui: the widgets of SuperResolution.ui, by object name.
        choices: has ``task()``, ``prospect`` and ``hasPreview``, see ``ChoicesSection``.
        prepare: called as ``prepare(begin)``, calls ``begin(task)`` once the packages are there, see ``RunSection``.
        preview, live, volumes: see the classes ``SlicePreview``, ``LiveView`` and ``KeptVolume``.
        newJob: called as ``newJob(onProgress, onFinished)``, returns a job of the warm worker.
        onChanged: called when it went on or off.
    """

    MOST_FAILURES = 3
    """It goes off when so many answers, one after the other, could not be given."""

    def __init__(self, ui, choices, prepare, preview, live, volumes, newJob, onChanged):
        self._ui = ui
        self._choices = choices
        self._prepare = prepare
        self._preview = preview
        self._live = live
        self._volumes = volumes
        self._requests = NewestJob(newJob)
        self._onChanged = onChanged
        self._filling = False
        self._qualityChosen = False
        self._device = None
        self._task: UpscaleTask | None = None
        self._wanted = self._asked = self._shown = None
        self._failures = 0
        ui.liveButton.connect("toggled(bool)", self.onToggle)
        ui.qualityComboBox.connect("activated(int)", self.onQualityChosen)
        self._tell("")

    def refresh(self) -> None:
        """Follow the choices, and enable what can be clicked now."""
        if self._task is not None and not self._choices.hasPreview:
            self._end("")
        if self._task is not None:
            self._renew()
        canBegin = self._choices.prospect is not None and self._choices.hasPreview
        self._ui.liveButton.enabled = self._live.isOn or canBegin
        self._filling = True
        self._ui.liveButton.checked = self._live.isOn
        self._filling = False

    def stop(self) -> None:
        """Go off, without a trace."""
        self._end("")

    def onToggle(self, checked: bool) -> None:
        if self._filling:
            return
        if checked:
            self._prepare(self._begin)
        else:
            self._end("")
        self._onChanged()

    def onQualityChosen(self, _index: int) -> None:
        self._qualityChosen = True
        self.refresh()

    def _begin(self, task: UpscaleTask) -> None:
        self._preview.close()
        self._failures = 0
        self._follow(task)

    def _follow(self, task: UpscaleTask) -> None:
        self._task = task
        self._live.begin(task.inputNode, self._look)
        self._look()

    def _renew(self) -> None:
        """Take up what the user has chosen since, another volume, too."""
        if not self._live.isOn:
            # A preview, a comparison or a result has taken the views, or the volume is gone.
            self._end("")
            return
        try:
            task = self._choices.task()
        except InputError as error:
            self._pause(str(error))
            return
        if task is None:
            self._end("")
        elif task.inputNode is not self._task.inputNode:
            self._follow(task)
        else:
            self._task = task
            self._look()

    def _look(self) -> None:
        """Ask for what is on show now, unless it is there or on its way."""
        if not self._live.isOn:
            self._end("")
            self._onChanged()
            return
        task = self._task
        try:
            volume = self._volumes.of(task.inputNode)
            cut = self._live.cut(volume, task.sliceAxis, task.box, task.addsSlices)
        except InputError as error:
            self._pause(str(error))
            return
        if cut is None:
            plane = "cuts through the slices" if task.addsSlices else "the slices"
            self._pause(
                f"Live: no slice view shows {plane} of {task.inputNode.GetName()}, or it is tilted against them; show"
                " the volume there, and turn the view to its plane."
            )
            return
        task = self._taskFor(task)
        companions = tuple(companion for companion in task.companions if companion is Companion.ERROR)
        self._wanted = wanted = LivePart(volume, task.options, cut, companions)
        if self._shown is not None and not self._shown.isLike(wanted):
            self._shown = None
            self._live.hide()
        if self._shown is not None and self._shown.covers(wanted):
            self._asked = None
            self._requests.dropWaiting()
        elif self._asked is None or not self._asked.covers(wanted):
            self._asked = wanted
            options = task.ofCut(cut).commandOptions()
            self._requests.ask(
                volume, options, lambda outcome, seconds: self._answer(wanted, outcome, seconds), companions
            )

    def _answer(self, part: LivePart, outcome: UpscaleOutcome, seconds: float) -> None:
        if self._asked is part:
            self._asked = None
        if outcome.volume is None:
            self._fail(outcome)
            return
        self._failures = 0
        self._device = outcome.report["device"]
        if part.overlaps(self._wanted):
            self._shown = part
            self._live.show(outcome.volume, part.cut, outcome.companions.get(Companion.ERROR))
            over = self._errorOf(outcome)
            self._tell(f"Live in {part.cut.sliceNode.GetName()}: {self._place(part)}, {seconds:.1f} s.{over}")
        # By now the device is known, which decides the quality.
        self._look()

    def _fail(self, outcome: UpscaleOutcome) -> None:
        logging.error("Live view: %s\n%s", outcome.message, outcome.log)
        self._failures += 1
        if self._failures < self.MOST_FAILURES:
            self._pause(outcome.message)
        else:
            self._end(f"{outcome.message} The live view was switched off.")
            self._onChanged()

    def _place(self, part: LivePart) -> str:
        first, last = part.cut.index, part.cut.last[part.cut.axis] - 1
        which = f"{first}" if first == last else f"{first} to {last}"
        return f"cut at {'ijk'[part.cut.axis]} = {which}" if self._task.addsSlices else f"slice {which}"

    def _errorOf(self, outcome: UpscaleOutcome) -> str:
        if Companion.ERROR not in outcome.companions:
            return ""
        mean = outcome.report["expected_error"]["mean"]
        return f" Over it, where it is large, the expected error: {mean:.3g} on average."

    def _taskFor(self, task: UpscaleTask) -> UpscaleTask:
        """Return the run with the compact network where a CPU runs and the user has not chosen another quality."""
        onCpu = self._device in (None, "cpu")
        usual = not self._qualityChosen and "--model" not in task.options and Quality.STANDARD.value in task.options
        return task.quick() if onCpu and usual else task

    def _pause(self, message: str) -> None:
        """Show the volume as it is until something changes."""
        self._requests.drop()
        self._asked = self._shown = None
        self._live.hide()
        self._tell(message)

    def _end(self, message: str) -> None:
        self._requests.drop()
        self._task = self._wanted = self._asked = self._shown = None
        self._live.end()
        self._tell(message)

    def _tell(self, message: str) -> None:
        self._ui.liveLabel.text = message
        self._ui.liveLabel.visible = bool(message)
