"""Draws the panel with its real .ui, as the README shows it: ``python Testing/slicer/panel_pictures.py Documentation``.

The widgets of Slicer and CTK are stand-ins, the rest is Qt's; what the panel says comes from its own code.
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "SuperResolution"), str(ROOT)]

from PySide6 import QtGui, QtWidgets  # noqa: E402

WIDTHS = (350, 600)
THEMES = {
    "light": {"Window": "#f0f0f0", "Base": "#ffffff", "Button": "#e6e6e6", "WindowText": "#1a1a1a"},
    "dark": {"Window": "#323232", "Base": "#242424", "Button": "#424242", "WindowText": "#eeeeee"},
}


def palette(theme):
    """Return the colours of a theme, those that cannot be used now paler."""
    colours = THEMES[theme]
    result = QtGui.QPalette()
    text = QtGui.QColor(colours["WindowText"])
    for role in ("Window", "Base", "Button"):
        result.setColor(getattr(QtGui.QPalette, role), QtGui.QColor(colours[role]))
    for role in ("WindowText", "Text", "ButtonText"):
        result.setColor(getattr(QtGui.QPalette, role), text)
        pale = QtGui.QColor(text)
        pale.setAlpha(110)
        result.setColor(QtGui.QPalette.Disabled, getattr(QtGui.QPalette, role), pale)
    result.setColor(QtGui.QPalette.PlaceholderText, pale)
    result.setColor(QtGui.QPalette.Highlight, QtGui.QColor("#3b82c4"))
    return result


def scan():
    """Return a volume node like a head scan: 256 x 256 x 60 voxels of 0.94 x 0.94 x 3 mm, noise in it."""
    import slicer.util

    voxels = np.random.default_rng(0).integers(0, 900, (60, 256, 256)).astype(np.int16)
    return slicer.util.addVolumeFromArray(voxels, ijkToRAS=np.diag([-0.94, -0.94, 3.0, 1.0]), name="MRHead")


def draw(bench, width, theme):
    """Return the picture of an open panel, as high as its contents."""
    QtWidgets.QApplication.setStyle("Fusion")
    QtWidgets.QApplication.setPalette(palette(theme))
    top = bench.top
    top.setPalette(palette(theme))
    top.resize(width, 10)
    top.show()
    for _ in range(3):
        QtWidgets.QApplication.processEvents()
        top.resize(width, max(top.layout().totalHeightForWidth(width), top.minimumSizeHint().height()))
    return top.grab()


def running_panel(folder):
    """Return a bench in the middle of a run, all that can be chosen in sight."""
    from panel_bench import PanelBench
    from SuperResolutionWidgets.Installation.Check import InstallationCheck
    from SuperResolutionWidgets.Scene.ResultPlacement import ResultPlacement

    from SuperResolutionLib.geometry.volume import Volume

    bench = PanelBench(folder)
    # No GPU is named that was not there.
    bench.gpus = []
    bench.parameters.inputVolume = scan()
    result = Volume(np.zeros((2, 2, 2), np.int16), np.eye(4))
    report = {"program": "", "device": "cpu"}
    ResultPlacement().place(result, report, bench.parameters.inputVolume, "MRHead SR x2")
    bench.open()
    bench.ui.advancedCollapsibleButton.collapsed = False
    InstallationCheck(bench.ui, newProcess=None, installer=None)
    step = '{{"event": "progress", "done": {}, "total": 60, "message": "Upscaling"}}'
    code = f"print('{step.format(0)}', flush=True); time.sleep(8); print('{step.format(23)}', flush=True)"
    bench.command = (sys.executable, "-c", f"import time; {code}; time.sleep(60)")
    bench.run(until=lambda: "23 of 60" in bench.status)
    return bench


def main(folder):
    import slicer

    slicer.mrmlScene = slicer.vtkMRMLScene()
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(slicer.mrmlScene)
    with tempfile.TemporaryDirectory() as temporary:
        font = QtWidgets.QApplication([]).font()
        # Coloured edges of letters look wrong on another screen.
        font.setStyleStrategy(QtGui.QFont.NoSubpixelAntialias)
        QtWidgets.QApplication.setFont(font)
        bench = running_panel(Path(temporary))
        try:
            for width in WIDTHS:
                for theme in THEMES:
                    draw(bench, width, theme).save(str(Path(folder) / f"panel_{width}_{theme}.png"), "PNG", 0)
        finally:
            bench.panel.stop()


if __name__ == "__main__":
    main(sys.argv[1])
