from __future__ import annotations

from ..Scene.Comparable import Comparable


class CompareSection:
    """The lower part of the panel: looks at a result beside or over its input, or what else it can be held against.

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
        self._inputNode = self._newest = self._result = None
        self._results: list = []
        self._others: list[Comparable] = []
        self._filling = False
        ui.sideBySideButton.connect("toggled(bool)", self.onSideBySide)
        ui.fadeSlider.connect("valueChanged(int)", self.onFade)
        ui.resultComboBox.connect("currentIndexChanged(int)", self.onResultChosen)
        ui.compareComboBox.connect("currentIndexChanged(int)", self.onOtherChosen)

    def refresh(self, inputNode) -> None:
        """Offer the results of the scene, the newest of ``inputNode`` at first, and what they can be held against."""
        newest = self._placement.resultOf(inputNode)
        if (inputNode, newest) != (self._inputNode, self._newest):
            self._inputNode, self._newest = inputNode, newest
            self._result = newest or self._result
        self._results = self._placement.results()
        if self._result not in self._results:
            self._result = self._results[-1] if self._results else None
        self._others = [] if self._result is None else self._placement.comparables(self._result)
        self._filling = True
        self._fill(self._ui.resultComboBox, [result.GetName() for result in self._results])
        if self._result is not None:
            self._ui.resultComboBox.setCurrentIndex(self._results.index(self._result))
        self._fill(self._ui.compareComboBox, [other.label for other in self._others])
        self._ui.fadeLeastLabel.text = self._ui.compareComboBox.currentText or "Input"
        self._ui.compareCollapsibleButton.enabled = bool(self._others)
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
        other = self._other()
        if not checked or other is None:
            self._view.restore()
        else:
            self._view.sideBySide(other.node, self._result, sharesWindow=other.sharesWindow)
        self._onChanged()

    def onResultChosen(self, index: int) -> None:
        if not self._filling and index >= 0:
            self._result = self._results[index]
            self.refresh(self._inputNode)
            self.onOtherChosen(0)

    def onOtherChosen(self, _index: int) -> None:
        if self._filling:
            return
        if self._ui.sideBySideButton.checked:
            self.onSideBySide(True)
        elif self._view.isFading:
            self.onFade(self._ui.fadeSlider.value)
        else:
            self.refresh(self._inputNode)

    def onFade(self, percent: int) -> None:
        if self._filling:
            return
        self._preview.close()
        other = self._other()
        if other is not None:
            self._view.fade(other.node, self._result, percent / 100, sharesWindow=other.sharesWindow)
        self._onChanged()

    def _other(self) -> Comparable | None:
        """Return what the result is to be compared with, or None where one of the two is gone."""
        index = self._ui.compareComboBox.currentIndex
        nodes = [] if not 0 <= index < len(self._others) else [self._others[index].node, self._result]
        return self._others[index] if nodes and all(node.GetScene() is not None for node in nodes) else None

    def _fill(self, combo, texts: list[str]) -> None:
        if [combo.itemText(index) for index in range(combo.count)] != texts:
            chosen = combo.currentText
            combo.clear()
            for text in texts:
                combo.addItem(text)
            combo.setCurrentIndex(texts.index(chosen) if chosen in texts else min(0, len(texts) - 1))
