"""Smaller files: weights in eight bits (dynamic), weights and activations in eight bits (static), and what they cost.

Static quantisation calibrates on slices of the training patients. The cost is measured on the patient left out: Dice of
the cavity on the expert's slices, and the largest change of a probability.

usage: quantise.py CINE.npz NETWORK.onnx PATIENT OUT      (PATIENT: the one the network has not seen)
"""

import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from train import PATCH, PITCH_MM, load
from volumes import normalise, positions, predict, report

CALIBRATION_SLICES = 60


def placed(patient, images):
    where = positions(PATCH, PITCH_MM, patient["spacing"], images.shape[-1])
    tensor = torch.from_numpy(np.stack([normalise(image) for image in images]))[:, None]
    sample = torch.nn.functional.grid_sample
    return sample(tensor, where.expand(len(images), -1, -1, -1), "bilinear", "zeros", False).numpy()


class Slices(CalibrationDataReader):
    def __init__(self, patients):
        random = np.random.default_rng(11)
        self.left = []
        for patient in patients:
            flat = patient["images"].reshape(-1, *patient["images"].shape[-2:])
            chosen = random.choice(len(flat), CALIBRATION_SLICES // len(patients), replace=False)
            self.left += [{"image": one[None]} for one in placed(patient, flat[chosen])]

    def get_next(self):
        return self.left.pop() if self.left else None


class Onnx(torch.nn.Module):
    """Log probabilities of an ONNX file, where `predict` expects logits."""

    def __init__(self, file):
        super().__init__()
        self.session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def forward(self, image):
        share = self.session.run(None, {"image": image.numpy()})[0]
        return torch.from_numpy(share).clamp(1e-9).log()


def main(cine, network, left, out):
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    patients = load(cine)
    prepared, dynamic, static = out / "prepared.onnx", out / "dynamic.onnx", out / "static.onnx"
    quant_pre_process(network, str(prepared), skip_symbolic_shape=True)
    begun = time.monotonic()
    quantize_dynamic(str(prepared), str(dynamic), weight_type=QuantType.QUInt8)
    quantize_static(
        str(prepared), str(static), Slices([p for name, p in patients.items() if name != left]),
        quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )
    print(f"quantised both ways in {time.monotonic() - begun:.0f} s")
    patient, full = patients[left], Path(network)
    sample = placed(patient, patient["images"][:, patient["ed"]])
    reference = Onnx(full).session.run(None, {"image": sample})[0]
    print("| file | bytes | of float | max change | cavity Dice | EF error | 100 slices, CPU |")
    print("|---|---|---|---|---|---|---|")
    for name, file in (("float32", full), ("dynamic", dynamic), ("static", static)):
        model = Onnx(file)
        change = np.abs(model.session.run(None, {"image": sample})[0] - reference).max()
        begun = time.monotonic()
        labels = predict(model, patient, PATCH, PITCH_MM, torch.device("cpu"), batch=1)
        took = (time.monotonic() - begun) / labels[:, :, 0, 0].size * 100
        result = report(patient, labels)
        size = file.stat().st_size
        print(f"| {name} | {size} | {size / full.stat().st_size:.0%} | {change:.3f} | {result['dice_cavity_mean']:.3f}"
              f" | {result['ef_error']:+.1f} | {took:.2f} s |")


if __name__ == "__main__":
    main(*sys.argv[1:])
