from __future__ import annotations


def widgetsByParameter(ui) -> dict:
    """Return the widgets of SuperResolution.ui by the parameter that their property SlicerParameterName names."""
    named = {widget.property("SlicerParameterName"): widget for widget in vars(ui).values()}
    return {name: widget for name, widget in named.items() if name}
