"""Smaller files of a detector, as `quantise.py` makes them, and what they cost on held-out scenes.

usage: quantise_detector.py breast|lungs NETWORK.onnx TRAINING CASES OUT [THRESHOLD]
"""

import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from marks import judge
from scenes import TASKS, load, padded

CALIBRATION_SCENES, JUDGED = 40, {"breast": 100, "lungs": 8}


def inputs(task, images, truths):
    """Slices through a lesion where there is one: without them hot activations would be cut off."""
    half = task.inputs // 2
    for image, truth in zip(images, truths, strict=True):
        if task.slice_mm:
            middle = round(truth["lesions"][0]["z"]) if truth["lesions"] else len(image) // 2
            middle = min(max(middle, half), len(image) - 1 - half)
            image = image[middle - half : middle + half + 1]
        yield padded(torch.from_numpy(image.copy())[None].float() / 255).numpy()


class Scenes(CalibrationDataReader):
    def __init__(self, task, images, truths):
        self.left = [{"image": image} for image in inputs(task, images, truths)]

    def get_next(self):
        return self.left.pop() if self.left else None


class Onnx(torch.nn.Module):
    def __init__(self, file):
        super().__init__()
        self.session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def forward(self, image):
        return torch.from_numpy(self.session.run(None, {"image": image.numpy()})[0])


def main(name, network, training, cases, out, threshold="0.3"):
    task, out, threshold = TASKS[name], Path(out), float(threshold)
    out.mkdir(parents=True, exist_ok=True)
    images, truths = load(cases, JUDGED[name])
    prepared, dynamic, static = out / "prepared.onnx", out / "dynamic.onnx", out / "static.onnx"
    quant_pre_process(network, str(prepared), skip_symbolic_shape=True)
    begun = time.monotonic()
    quantize_dynamic(str(prepared), str(dynamic), weight_type=QuantType.QUInt8)
    quantize_static(
        str(prepared), str(static), Scenes(task, *load(training, CALIBRATION_SCENES)), quant_format=QuantFormat.QDQ,
        per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )
    print(f"quantised both ways in {time.monotonic() - begun:.0f} s")
    sample = next(inputs(task, images, truths))
    full = Path(network)
    reference = Onnx(full)(torch.from_numpy(sample)).numpy()
    print("| file | bytes | of float | max change | sensitivity | false marks | clean | one input, CPU |")
    print("|---|---|---|---|---|---|---|---|")
    for name, file in (("float32", full), ("dynamic", dynamic), ("static", static)):
        model = Onnx(file)
        begun = time.monotonic()
        change = np.abs(model(torch.from_numpy(sample)).numpy() - reference).max()
        took = time.monotonic() - begun
        said = judge(model, task, images, truths, torch.device("cpu")).at(threshold)
        size = file.stat().st_size
        print(f"| {name} | {size} | {size / full.stat().st_size:.0%} | {change:.3f} | {said['sensitivity']:.3f}"
              f" | {said['false_per_case']:.2f} | {said['without_a_mark']:.2f} | {1000 * took:.0f} ms |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
