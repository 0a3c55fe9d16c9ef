"""A checkpoint of a detector becomes an ONNX file, checked and compared (`export.py`).

usage: convert_detector.py breast|lungs CHECKPOINT.pt OUT.onnx
"""

import sys

import torch

from detector import MULTIPLE, Detector, Heat
from export import INPUTS_COMPARED, compare, export
from network import folded
from scenes import TASKS

# Any number of images of any size that halves five times.
AXES = {0: "batch", 2: "rows", 3: "columns"}
# What the WebGPU provider runs as well.
OPERATORS = {"Conv", "Relu", "Resize", "Concat", "Sigmoid"}


def load(task, checkpoint):
    network = folded(Detector(task.inputs, task.classes, task.stride, task.widths))
    network.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True))
    return Heat(network).eval()


def main(name, checkpoint, out):
    task = TASKS[name]
    network = load(task, checkpoint)
    export(network, torch.zeros(1, task.inputs, 96, 128), ["image", "heat"], AXES, OPERATORS, out)
    sides = [(MULTIPLE * (2 + number % 5), MULTIPLE * (2 + number % 3)) for number in range(INPUTS_COMPARED)]
    compare(network, out, [(1, task.inputs, *side) for side in sides])


if __name__ == "__main__":
    main(*sys.argv[1:])
