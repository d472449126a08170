"""SuperResolution.ui as a file and as a rendered panel."""

import xml.etree.ElementTree as ElementTree

import pytest

pytest.importorskip("PySide6", reason="the .ui is loaded with PySide6")
from PySide6 import QtCore, QtGui, QtTest, QtWidgets  # noqa: E402
from pythonqt_stand_ins import UI_FILE, declared_parameters, load_panel  # noqa: E402

FIELDS = [
    "inputSelector",
    "outputSelector",
    "purposeComboBox",
    *(f"scan{number}Selector" for number in range(2, 7)),
    "modelComboBox",
    "detailSlider",
    "regionSelector",
    "qualityComboBox",
    "deviceComboBox",
    "spacingSpinBox",
    "thicknessSpinBox",
    "resultComboBox",
    "compareComboBox",
    "fadeSlider",
]
BUTTONS = [
    "sequenceCheckBox",
    "asStoredCheckBox",
    "adaptCheckBox",
    "addedCheckBox",
    "errorCheckBox",
    "checkInstallationButton",
    "previewButton",
    "liveButton",
    "upscaleButton",
    "cancelButton",
    "sideBySideButton",
]
SCRIPTED = [
    *FIELDS,
    *BUTTONS,
    "advancedCollapsibleButton",
    "compareCollapsibleButton",
    "forecastLabel",
    "modelDescriptionLabel",
    "deviceNoteLabel",
    "installationWidget",
    "installationText",
    "dismissInstallationButton",
    "dismissButton",
    "progressBar",
    "statusLabel",
    "liveLabel",
]


@pytest.fixture(scope="module")
def form():
    return ElementTree.parse(UI_FILE).getroot()


def widgets(form):
    return {widget.get("name"): widget for widget in form.iter("widget")}


def value(widget, name):
    found = next((p for p in widget.findall("property") if p.get("name") == name), None)
    return None if found is None else found[0].text


@pytest.mark.parametrize("name", SCRIPTED)
def test_scripts_find_the_widgets_by_their_names(form, name):
    assert name in widgets(form)


def test_every_widget_explains_itself(form):
    silent = [name for name, widget in widgets(form).items() if not value(widget, "toolTip")]
    assert silent == ["SuperResolution"]


def test_every_field_is_reached_by_its_labels_underlined_letter(form):
    labels = [w for w in widgets(form).values() if w.get("class") == "QLabel" and value(w, "buddy")]
    assert {value(label, "buddy") for label in labels} == set(FIELDS)
    others = [widgets(form)[name] for name in BUTTONS if "Box" not in name and name != "checkInstallationButton"]
    texts = [value(w, "text") for w in [*labels, *others]]
    letters = [text[text.index("&") + 1].lower() for text in texts]
    assert len(set(letters)) == len(letters)
    # The letters of all that can be underlined beside them, in Slicer's menus: File, Edit, View, Help.
    underlined = [text[text.index("&") + 1].lower() for w in form.iter("string") if "&" in (text := w.text)]
    assert not set(underlined) & set("fevh")
    assert sorted(underlined) == sorted(letters)


def test_the_tab_key_visits_every_field_and_button_from_top_to_bottom(form):
    stops = [stop.text for stop in form.find("tabstops")]
    passive = ("Label", "Bar", "Widget")
    inputs = [n for n in widgets(form) if n in SCRIPTED and not n.endswith(passive)]
    assert stops == inputs
    assert not [name for name in stops if value(widgets(form)[name], "focusPolicy")]


def test_the_saved_parameters_are_those_of_the_parameter_node(form):
    pytest.importorskip("slicer", reason="the parameter node names classes of slicer-core")
    bound = {value(w, "SlicerParameterName") for w in widgets(form).values()} - {None}
    declared = set(declared_parameters())
    assert bound == declared - {"model", "detailModel", "device"}


def test_every_node_selector_gets_the_scene(form):
    selectors = {n for n, w in widgets(form).items() if w.get("class") == "qMRMLNodeComboBox"}
    receivers = [c for c in form.iter("connection") if c.find("signal").text == "mrmlSceneChanged(vtkMRMLScene*)"]
    assert {c.find("receiver").text for c in receivers} == selectors
    assert all(c.find("slot").text == "setMRMLScene(vtkMRMLScene*)" for c in receivers)


def test_label_maps_and_colour_volumes_are_not_offered(form):
    for name in ("inputSelector", "outputSelector", "scan2Selector", "scan6Selector"):
        assert value(widgets(form)[name], "showChildNodeTypes") == "false"


def test_no_output_means_a_new_volume(form):
    output = widgets(form)["outputSelector"]
    assert value(output, "noneEnabled") == "true"
    assert value(output, "noneDisplay") == "Create new volume"


def test_advanced_is_collapsed_at_first(form):
    assert value(widgets(form)["advancedCollapsibleButton"], "collapsed") == "true"


def test_custom_widgets_are_all_declared(form):
    declared = {entry.find("class").text for entry in form.iter("customwidget")}
    used = {widget.get("class") for widget in form.iter("widget")}
    assert declared == {name for name in used if name.startswith(("qMRML", "ctk"))}


def test_nothing_needs_more_than_300_pixels_whatever_it_says():
    top, ui = load_panel()
    for button in (ui.advancedCollapsibleButton, ui.compareCollapsibleButton):
        button.collapsed = False
    # Slicer's letters are wider than the offscreen platform's.
    font = top.font()
    font.setPointSizeF(1.1 * font.pointSizeF())
    top.setFont(font)
    path = "/opt/" + "Slicer" * 20
    for label in top.findChildren(QtWidgets.QLabel):
        if label.wordWrap():
            label.setText(f"{path} cannot be read")
    ui.installationText.plainText = path
    for combo in top.findChildren(QtWidgets.QComboBox):
        combo.addItem(path)
    ui.previewButton.text = "Close &preview"
    ui.sideBySideButton.text = "Leave side &by side"
    top.show()
    QtWidgets.QApplication.processEvents()
    assert top.minimumSizeHint().width() <= 300


@pytest.mark.parametrize("width", [300, 350, 600])
def test_nothing_is_clipped(width):
    top, ui = load_panel()
    longest = {
        "purposeComboBox": "One volume from several scans",
        "qualityComboBox": "Best (8 times slower)",
        "modelComboBox": "mri-x4-compact",
        "deviceComboBox": "GPU 0: RTX A6000, 44 GB free",
        "compareComboBox": "What was added",
    }
    for name, text in longest.items():
        getattr(ui, name).addItem(text)
    ui.forecastLabel.text = "Result: 1024 × 1024 × 176 voxels at 0.24 × 0.24 × 1.0 mm, 369 MB"
    ui.forecastLabel.text += "\nStored at 0.96 mm, acquired at 1.92 mm; upscaled from the acquired band."
    ui.statusLabel.text = "The model mri-x4-compact was trained on MR, and this is CT. " * 2
    ui.liveLabel.text = "Live in Red: slice 120, 0.3 s. " * 3
    ui.modelDescriptionLabel.text = "mri-x4-compact: MRI, slice plane x4: compact network, fast, predicts no texture"
    ui.deviceNoteLabel.text = "Runs on the CPU: no NVIDIA GPU was found (nvidia-smi lists none)."
    for button in (ui.advancedCollapsibleButton, ui.compareCollapsibleButton):
        button.collapsed = False
    top.resize(width, 1400)
    top.show()
    QtWidgets.QApplication.processEvents()
    assert top.width() == width
    shown = [child for child in top.findChildren(QtWidgets.QWidget) if child.objectName() in vars(ui)]
    assert all(child.isVisible() for child in shown)
    for child in shown:
        edge = child.mapTo(top, QtCore.QPoint(child.width(), child.height()))
        assert edge.x() <= width, child.objectName()
        # What a narrow list of devices cuts off stands in full below it.
        if child.objectName() != "deviceComboBox" or width > 300:
            _check_text(child)


def test_the_readme_shows_the_panel_as_it_is_drawn(root):
    from panel_pictures import THEMES, WIDTHS

    readme = (root / "README.md").read_text(encoding="utf-8")
    for width in WIDTHS:
        for theme in THEMES:
            picture = f"Documentation/panel_{width}_{theme}.png"
            assert picture in readme
            assert QtGui.QImage(str(root / picture)).width() == width


def _check_text(widget):
    metrics = QtGui.QFontMetrics(widget.font())
    if isinstance(widget, QtWidgets.QLabel) and widget.wordWrap():
        assert widget.height() >= widget.heightForWidth(widget.width()), widget.objectName()
    elif isinstance(widget, (QtWidgets.QLabel, QtWidgets.QPushButton, QtWidgets.QCheckBox)):
        assert metrics.horizontalAdvance(widget.text().replace("&", "")) <= widget.width(), widget.objectName()
    elif isinstance(widget, QtWidgets.QComboBox):
        arrow = 28
        assert metrics.horizontalAdvance(widget.currentText()) <= widget.width() - arrow, widget.objectName()


def test_the_tab_key_reaches_all_that_can_be_used(form):
    top, ui = load_panel()
    for button in (ui.upscaleButton, ui.previewButton, ui.liveButton, ui.cancelButton, ui.compareCollapsibleButton):
        button.enabled = True
    ui.advancedCollapsibleButton.collapsed = False
    top.resize(350, 1200)
    top.show()
    top.activateWindow()
    QtWidgets.QApplication.processEvents()
    ui.inputSelector.widget.setFocus()
    stops = [stop.text for stop in form.find("tabstops")]
    reached = []
    for _ in range(3 * len(stops)):
        widget = QtWidgets.QApplication.focusWidget()
        # A slider's spin box is part of the slider.
        named = next((name for name in (widget.objectName(), widget.parent().objectName()) if name in stops), None)
        if named and named not in reached:
            reached.append(named)
        QtTest.QTest.keyClick(widget, QtCore.Qt.Key_Tab)
    assert reached == stops
