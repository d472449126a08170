"""The networks of UpscalerJS, evaluated by torch from the files that TensorFlow.js reads in a browser."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

Weights = Mapping[str, torch.Tensor]


class UpscalerJS:
    """Enlarges pictures by a network that is a graph of Keras layers.

    Args:
        folder: holds ``model.json`` and the files of weights that it names.
        largest: what white is to the network, 1 or 255.
    """

    def __init__(self, folder: Path, largest: float):
        self._graph, self._largest = LayerGraph(folder), largest

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """Return the larger uint8 picture ``(rows, columns, 3)`` that is made of an ``(H, W, 3)`` one."""
        image = torch.from_numpy(picture.astype(np.float32) * (self._largest / 255)).permute(2, 0, 1)[None]
        fine = self._graph(image)[0].permute(1, 2, 0) * (255 / self._largest)
        return fine.clamp(0, 255).round().to(torch.uint8).numpy()


class LayerGraph:
    """A network as TensorFlow.js stores one of Keras, of those layer kinds that UpscalerJS has.

    Raises:
        ValueError: a layer, or how the weights are stored, is none of those.
    """

    def __init__(self, folder: Path):
        description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        graph = description["modelTopology"]["model_config"]["config"]
        self._layers = graph["layers"]  # each after those that it reads
        self._output = graph["output_layers"][0][0]
        self._weights = _read_weights(folder, description["weightsManifest"])
        for layer in self._layers:
            if layer["class_name"] not in ("InputLayer", *LAYERS):
                raise ValueError(f"there is no layer {layer['class_name']}")

    @torch.inference_mode()
    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """Return what the network makes of ``(N, C, H, W)``, channels second as well."""
        readers = Counter(name for layer in self._layers for name in _read_by(layer))
        values = {}
        for layer in self._layers:
            names = _read_by(layer)
            if layer["class_name"] == "InputLayer":
                values[layer["name"]] = image
            else:
                inputs = [values[name] for name in names]
                values[layer["name"]] = LAYERS[layer["class_name"]](layer["config"], inputs, self._weights)
            readers.subtract(names)
            for name in names:
                if not readers[name] and name != self._output:
                    values.pop(name, None)
        return values[self._output]


def _read_by(layer: dict) -> list[str]:
    """Return the names of the layers whose output ``layer`` reads."""
    return [name for node in layer["inbound_nodes"][:1] for name, *_ in node]


def _read_weights(folder: Path, manifest: Sequence[dict]) -> dict[str, torch.Tensor]:
    weights = {}
    for group in manifest:
        data = b"".join((folder / path).read_bytes() for path in group["paths"])
        offset = 0
        for entry in group["weights"]:
            if entry["dtype"] != "float32" or "quantization" in entry:
                raise ValueError(f"the weights {entry['name']} are not stored as float32")
            count = math.prod(entry["shape"])
            values = np.frombuffer(data, "<f4", count, offset).reshape(entry["shape"])
            weights[entry["name"]] = torch.from_numpy(values.copy())
            offset += values.nbytes
    return weights


def depth_to_space(image: torch.Tensor, block: int) -> torch.Tensor:
    """Return ``(N, C, block H, block W)`` of ``(N, block * block * C, H, W)``, in TensorFlow's order.

    There the channels of one place lie together; in ``pixel_shuffle`` the places of one channel do.
    """
    places = image.unflatten(1, (block * block, -1))
    return F.pixel_shuffle(places.transpose(1, 2).flatten(1, 2), block)


def _activated(kind: str, image: torch.Tensor) -> torch.Tensor:
    if kind not in ("linear", "relu"):
        raise ValueError(f"there is no activation {kind}")
    return F.relu(image) if kind == "relu" else image


def _convolution(config: dict, inputs: list[torch.Tensor], weights: Weights) -> torch.Tensor:
    if config["strides"] != [1, 1]:
        raise ValueError(f"the layer {config['name']} has strides")
    kernel = weights[f"{config['name']}/kernel"].permute(3, 2, 0, 1)  # rows, columns, from, to -> to, from, ...
    bias = weights[f"{config['name']}/bias"] if config["use_bias"] else None
    return _activated(config["activation"], F.conv2d(inputs[0], kernel, bias, padding=config["padding"]))


def _upsampled(config: dict, inputs: list[torch.Tensor], weights: Weights) -> torch.Tensor:
    if config["interpolation"] != "nearest":
        raise ValueError(f"the layer {config['name']} does not take the nearest pixel")
    return F.interpolate(inputs[0], scale_factor=tuple(map(float, config["size"])), mode="nearest")


LAYERS = {
    "Conv2D": _convolution,
    "Activation": lambda config, inputs, weights: _activated(config["activation"], inputs[0]),
    "Concatenate": lambda config, inputs, weights: torch.cat(inputs, dim=1),
    "Add": lambda config, inputs, weights: sum(inputs[1:], inputs[0]),
    "MultiplyBeta": lambda config, inputs, weights: config["beta"] * inputs[0],
    "PixelShuffle4x": lambda config, inputs, weights: depth_to_space(inputs[0], config["scale"]),
    "UpSampling2D": _upsampled,
}
"""By Keras's name, or that of UpscalerJS for its own two: a function of configuration, inputs and all weights."""
