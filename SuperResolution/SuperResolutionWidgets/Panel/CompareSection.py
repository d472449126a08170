from __future__ import annotations

from ..Scene.Companion import Companion


class CompareSection:
    """The lower part of the panel: looks at the newest result of the chosen input, beside it or over it.

    Args:
        ui: the widgets of SuperResolution.ui, by object name.
        placement, view, preview: see the classes ``ResultPlacement``, ``ComparisonView`` and ``SlicePreview``.
        onChanged: called when the views show something else.
    """

    def __init__(self, ui, placement, view, preview, onChanged):
        self._ui = ui
        self._placement = placement
        self._view = view
        self._preview = preview
        self._onChanged = onChanged
        self._inputNode = None
        self._offered: list[tuple[str, str]] | None = None
        self._filling = False
        ui.sideBySideButton.connect("toggled(bool)", self.onSideBySide)
        ui.fadeSlider.connect("valueChanged(int)", self.onFade)
        ui.compareComboBox.connect("currentIndexChanged(int)", self.onOtherChosen)

    def refresh(self, inputNode) -> None:
        """Offer what the newest result of ``inputNode`` can be compared with."""
        self._inputNode = inputNode
        result = self._placement.resultOf(inputNode)
        offered = []
        if result is not None:
            offered = [("Input", self._placement.INPUT_REFERENCE)]
            offered += [(c.label(), c.reference) for c in Companion if result.GetNodeReference(c.reference) is not None]
        if offered != self._offered:
            self._offered = offered
            self._fill(offered)
        self._ui.compareCollapsibleButton.enabled = result is not None
        self._filling = True
        sideBySide = self._view.isSideBySide and not self._preview.isShown
        self._ui.sideBySideButton.checked = sideBySide
        # A dark style hardly shows that a button is pressed.
        self._ui.sideBySideButton.text = "Leave side &by side" if sideBySide else "Side &by side"
        if not self._view.isFading:
            self._ui.fadeSlider.value = self._ui.fadeSlider.maximum
        self._filling = False

    def onSideBySide(self, checked: bool) -> None:
        if self._filling:
            return
        self._preview.close()
        pair = self._pair()
        if not checked or pair is None:
            self._view.restore()
        else:
            self._view.sideBySide(*pair)
        self._onChanged()

    def onOtherChosen(self, _index: int) -> None:
        if self._filling:
            return
        if self._ui.sideBySideButton.checked:
            self.onSideBySide(True)
        elif self._view.isFading:
            self.onFade(self._ui.fadeSlider.value)

    def onFade(self, percent: int) -> None:
        if self._filling:
            return
        self._preview.close()
        pair = self._pair()
        if pair is not None:
            self._view.fade(*pair, percent / 100)
        self._onChanged()

    def _pair(self):
        """Return the node to compare with and the result, or None where one of them is gone."""
        result = self._placement.resultOf(self._inputNode)
        reference = self._ui.compareComboBox.itemData(self._ui.compareComboBox.currentIndex)
        other = result.GetNodeReference(reference) if result is not None and reference else None
        return None if other is None else (other, result)

    def _fill(self, offered) -> None:
        self._filling = True
        combo = self._ui.compareComboBox
        combo.clear()
        for label, reference in offered:
            combo.addItem(label, reference)
        self._filling = False
