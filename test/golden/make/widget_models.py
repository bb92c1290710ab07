"""Golden states of widget models: what ipywidgets sends when a widget is made without arguments.

Run:  python test/golden/make/widget_models.py > test/golden/widget-models.json     (needs ipywidgets, anywidget)
Written: for each model "state" and, where it has one, "style"; ids of other models as "IPY_MODEL_".
"""

import json
import re
from importlib.metadata import version

import anywidget
import ipywidgets

PLAIN = [
    "IntSlider", "FloatSlider", "FloatLogSlider", "IntRangeSlider", "FloatRangeSlider", "ToggleButton", "Checkbox",
    "Button", "Text", "Textarea", "IntText", "FloatText", "HTML", "Label", "IntProgress", "HBox", "VBox", "Tab",
    "Accordion", "Output", "Layout",
]
SELECTIONS = ["Dropdown", "SelectionSlider", "RadioButtons"]


class Any(anywidget.AnyWidget):
    _esm = "export default {}"
    _css = ""


def state(widget):
    def plain(value):
        if isinstance(value, ipywidgets.Widget):
            return "IPY_MODEL_"
        return re.sub("^IPY_MODEL_.*", "IPY_MODEL_", value) if isinstance(value, str) else value

    return {key: plain(value) for key, value in sorted(widget.get_state().items())}


def entry(widget):
    made = {"state": state(widget)}
    if hasattr(widget, "style") and isinstance(widget.style, ipywidgets.Widget):
        made["style"] = state(widget.style)
    return made


models = {name: entry(getattr(ipywidgets, name)()) for name in PLAIN}
models.update({name: entry(getattr(ipywidgets, name)(options=["a", "b"])) for name in SELECTIONS})
models["AnyWidget"] = entry(Any())
models["AnyWidget"]["state"].pop("_anywidget_id")  # the class's own name
print(
    json.dumps(
        {
            "made_by": {"ipywidgets": version("ipywidgets"), "anywidget": version("anywidget")},
            "protocol": ipywidgets.widgets.widget.__protocol_version__,
            "models": models,
        },
        indent=1,
    )
)
