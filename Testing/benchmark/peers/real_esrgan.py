"""Real-ESRGAN x4plus (Wang, Xie, Dong and Shan 2021, "Real-ESRGAN: training real-world blind super-resolution with pure
synthetic data"), run by ncnn on one thread of the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np


class RealESRGAN:
    """Enlarges pictures four times.

    Args:
        graph, weights: the ``.param`` and ``.bin`` files of ncnn's.
    """

    def __init__(self, graph: Path, weights: Path):
        import ncnn

        self._mat = ncnn.Mat
        self._net = ncnn.Net()
        self._net.opt.use_vulkan_compute = False
        self._net.opt.num_threads = 1
        self._net.load_param(str(graph))
        self._net.load_model(str(weights))

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """Return the ``(4 H, 4 W, 3)`` uint8 picture that is made of an ``(H, W, 3)`` one."""
        planes = np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32) / 255
        extractor = self._net.create_extractor()
        extractor.input("data", self._mat(planes).clone())  # a Mat of an array does not keep the array alive
        _, fine = extractor.extract("output")
        return np.rint(255 * np.clip(np.array(fine), 0, 1)).astype(np.uint8).transpose(1, 2, 0)
