"""The module's real .ui under PySide6: stand-ins for Slicer's and CTK's widgets, and PythonQt's way to speak to Qt."""

from __future__ import annotations

import enum
import sys
import time
import types
import typing
from pathlib import Path
from unittest import mock

from PySide6 import QtCore, QtWidgets
from PySide6.QtUiTools import QUiLoader

UI_FILE = Path(__file__).resolve().parents[2] / "SuperResolution" / "Resources" / "UI" / "SuperResolution.ui"


class qMRMLWidget(QtWidgets.QWidget):
    mrmlSceneChanged = QtCore.Signal("vtkMRMLScene*")

    def setMRMLScene(self, scene):
        """Slicer's passes the scene on to the node selectors; these have no scene to list."""


class qMRMLNodeComboBox(QtWidgets.QComboBox):
    """Lists what it is told to; ``currentNode`` and ``setCurrentNode`` as in Slicer."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self.setSizeAdjustPolicy(QtWidgets.QComboBox.AdjustToMinimumContentsLengthWithIcon)

    @QtCore.Slot("vtkMRMLScene*")
    def setMRMLScene(self, scene):
        """Present so that the .ui's connection from the top widget is made."""

    def setCurrentNode(self, node):
        if node is None:
            self.setCurrentIndex(-1)
            return
        if self.findData(node) < 0:
            self.addItem(node.GetName(), node)
        self.setCurrentIndex(self.findData(node))

    def currentNode(self):
        return self.currentData()

    noneDisplay = QtCore.Property(
        str, QtWidgets.QComboBox.placeholderText, lambda self, text: self.setPlaceholderText(text)
    )


class ctkCollapsibleButton(QtWidgets.QWidget):
    """A heading over its contents, which are hidden while it is collapsed; those hidden one by one stay hidden."""

    contentsCollapsed = QtCore.Signal(bool)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._collapsed, self._text, self._forcing = False, "", False
        self.setContentsMargins(0, 24, 0, 0)
        self.setFocusPolicy(QtCore.Qt.StrongFocus)

    def childEvent(self, event):
        if event.type() == QtCore.QEvent.ChildAdded and event.child().isWidgetType():
            event.child().installEventFilter(self)

    def eventFilter(self, child, event):
        if not self._forcing and event.type() in (QtCore.QEvent.ShowToParent, QtCore.QEvent.HideToParent):
            child.setProperty("visibilityToParent", event.type() == QtCore.QEvent.ShowToParent)
            self._force(child)
        return False

    def _force(self, child):
        self._forcing = True
        child.setVisible(not self._collapsed and child.property("visibilityToParent") is not False)
        self._forcing = False

    def _setCollapsed(self, collapsed):
        self._collapsed = collapsed
        for child in self.findChildren(QtWidgets.QWidget, options=QtCore.Qt.FindDirectChildrenOnly):
            self._force(child)
        self.setMaximumHeight(26 if collapsed else 10_000)
        self.contentsCollapsed.emit(collapsed)

    def _setText(self, text):
        self._text = text

    def sizeHint(self):
        return QtCore.QSize(80, 26) if self._collapsed else super().sizeHint()

    def minimumSizeHint(self):
        return QtCore.QSize(80, 26) if self._collapsed else super().minimumSizeHint()

    def paintEvent(self, event):
        from PySide6 import QtGui

        painter = QtGui.QPainter(self)
        painter.fillRect(0, 0, self.width(), 22, self.palette().color(QtGui.QPalette.Button))
        painter.drawText(8, 16, ("▸ " if self._collapsed else "▾ ") + self._text)

    collapsed = QtCore.Property(bool, lambda self: self._collapsed, _setCollapsed)
    text = QtCore.Property(str, lambda self: self._text, _setText)


class ctkSliderWidget(QtWidgets.QWidget):
    """A slider with a spin box."""

    valueChanged = QtCore.Signal(float)

    def __init__(self, parent=None):
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Horizontal)
        self._box = QtWidgets.QDoubleSpinBox()
        layout.addWidget(self._slider)
        layout.addWidget(self._box)
        self._box.valueChanged.connect(lambda value: self._slider.setValue(round(99 * value)))
        self._box.valueChanged.connect(self.valueChanged)

    value = QtCore.Property(float, lambda self: self._box.value(), lambda self, value: self._box.setValue(value))
    decimals = QtCore.Property(int, lambda self: self._box.decimals(), lambda self, n: self._box.setDecimals(n))


STAND_INS = (qMRMLWidget, qMRMLNodeComboBox, ctkCollapsibleButton, ctkSliderWidget)


def load_panel():
    """Return the top widget of SuperResolution.ui and the namespace that ``childWidgetVariables`` would give."""
    QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    loader = QUiLoader()
    for stand_in in STAND_INS:
        loader.registerCustomWidget(stand_in)
    top = loader.load(str(UI_FILE))
    ui = type("", (), {})()
    for child in top.findChildren(QtWidgets.QWidget):
        if child.objectName() and not child.objectName().startswith("qt_"):
            setattr(ui, child.objectName(), PythonQtWidget(child))
    return top, ui


class PythonQtProcess(QtCore.QProcess):
    """A QProcess as PythonQt shows it: signals are connected by their signature."""

    def connect(self, signature, function):
        assert self.metaObject().indexOfSignal(signature) >= 0, signature
        getattr(self, signature.split("(")[0]).connect(function)

    def disconnect(self, signature, function):
        getattr(self, signature.split("(")[0]).disconnect(function)


class PythonQtTimer(QtCore.QTimer):
    """A QTimer as PythonQt shows it."""

    def connect(self, signature, function):
        assert self.metaObject().indexOfSignal(signature) >= 0, signature
        getattr(self, signature.split("(")[0]).connect(lambda: function())


class Application(QtCore.QObject):
    """``slicer.app``: a QObject, which owns worker processes, with the members that it is given."""

    def __init__(self, **members):
        super().__init__()
        vars(self).update(members)


def qt_module():
    """Return what of PythonQt's module ``qt`` the module needs, on PySide6."""
    QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    qt = types.ModuleType("qt")
    qt.QProcess, qt.QProcessEnvironment = PythonQtProcess, QtCore.QProcessEnvironment
    qt.QTimer = PythonQtTimer
    return qt


def process_events():
    """Let Qt's event loop work for a moment, as ``slicer.app.processEvents`` does."""
    # Not processEvents: PySide 6.12's takes a reference to None away, each time.
    loop = QtCore.QEventLoop()
    QtCore.QTimer.singleShot(20, loop.quit)
    loop.exec()


def serve(until, seconds=60):
    """Let Qt's event loop work until ``until()`` is true; return how often it came round."""
    deadline, rounds = time.monotonic() + seconds, 0
    while not until():
        assert time.monotonic() < deadline, "it took too long"
        process_events()
        rounds += 1
    return rounds


class PythonQtWidget:
    """A PySide widget that behaves as under PythonQt: Qt properties are attributes, ``connect`` takes a signature."""

    def __init__(self, widget):
        self.__dict__["widget"] = widget

    def _has_property(self, name):
        return self.widget.metaObject().indexOfProperty(name) >= 0

    def __getattr__(self, name):
        return self.widget.property(name) if self._has_property(name) else getattr(self.widget, name)

    def __setattr__(self, name, value):
        if not self._has_property(name):
            raise AttributeError(f"{self.widget.metaObject().className()} has no property {name}")
        self.widget.setProperty(name, value)

    def connect(self, signature, function):
        if self.widget.metaObject().indexOfSignal(signature) < 0:
            raise ValueError(f"{self.widget.metaObject().className()} has no signal {signature}")
        getattr(self.widget, signature.split("(")[0]).connect(lambda *arguments: function(*arguments))


def declared_parameters():
    """Return what ``SuperResolutionParameterNode`` declares: name to (type, default)."""
    wrapper = types.ModuleType("slicer.parameterNodeWrapper")
    wrapper.parameterNodeWrapper, wrapper.WithinRange = lambda cls: cls, lambda *limits: limits
    with mock.patch.dict(sys.modules, {"slicer.parameterNodeWrapper": wrapper}):
        from SuperResolutionWidgets.Panel.ParameterNode import SuperResolutionParameterNode as declared

        return {name: (hint, getattr(declared, name, None)) for name, hint in typing.get_type_hints(declared).items()}


class StandInParameters:
    """What ``SuperResolutionParameterNode`` is to the panel: values that tell when they change, bound to the widgets
    by the .ui's property SlicerParameterName. They live in the scene as Slicer's wrapper keeps them there."""

    def __init__(self, scene=None):
        import slicer

        scene = scene or slicer.mrmlScene
        node = scene.GetSingletonNode("SuperResolution", "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.vtkMRMLScriptedModuleNode()
            node.SetSingletonTag("SuperResolution")
            node = scene.AddNode(node)
        self.__dict__.update(node=node, _types=declared_parameters(), _observers=[], _writing=False)
        for name, (_, default) in self._types.items():
            if not node.HasParameter(name):
                setattr(self, name, default)
        node.AddObserver("ModifiedEvent", lambda *_: [observer() for observer in list(self._observers)])

    def __getattr__(self, name):
        kind, _ = self._types[name]
        if issubclass(kind, enum.Enum):
            return kind[self.node.GetParameter(name)]
        if kind in (str, float, bool):
            text = self.node.GetParameter(name)
            return text == "True" if kind is bool else kind(text)
        return self.node.GetNodeReference(name)

    def __setattr__(self, name, value):
        kind, _ = self._types[name]
        modified = self.node.StartModify()
        if issubclass(kind, enum.Enum):
            self.node.SetParameter(name, value.name)
        elif kind in (str, float, bool):
            self.node.SetParameter(name, str(value))
        else:
            self.node.SetParameter(name, "")
            self.node.SetNodeReferenceID(name, None if value is None else value.GetID())
        self.node.EndModify(modified)

    def connectParametersToGui(self, widgets):
        """Return what ``disconnectGui`` needs to undo it."""
        return [self._bind(name, entry.widget) for name, entry in widgets.items()]

    def disconnectGui(self, connections):
        for changed, store, follow in connections:
            changed.disconnect(store)
            self._observers.remove(follow)

    def AddObserver(self, event, function, priority=0.0):
        return self.node.AddObserver(event, function, priority)

    def RemoveObserver(self, tag):
        self.node.RemoveObserver(tag)

    def _bind(self, name, widget):
        if isinstance(widget, qMRMLNodeComboBox):
            write, changed, read = widget.setCurrentNode, widget.currentIndexChanged, widget.currentNode
        elif isinstance(widget, QtWidgets.QComboBox):
            members = list(type(getattr(self, name)))
            assert issubclass(members[0].__class__, enum.Enum)
            widget.clear()
            widget.addItems([member.label() for member in members])
            changed = widget.currentIndexChanged

            def write(value):
                widget.setCurrentIndex(members.index(value))

            def read():
                return members[widget.currentIndex()]
        elif isinstance(widget, QtWidgets.QCheckBox):
            write, changed, read = widget.setChecked, widget.toggled, widget.isChecked
        else:
            changed = widget.valueChanged

            def write(value):
                widget.setProperty("value", value)

            def read():
                return widget.property("value")

        def follow():
            self.__dict__["_writing"] = True
            write(getattr(self, name))
            self.__dict__["_writing"] = False

        def store(*_):
            if not self._writing:
                setattr(self, name, read())

        follow()
        changed.connect(store)
        self._observers.append(follow)
        return changed, store, follow
