"""A checkpoint of `cardiac_seg` becomes an ONNX file, checked and compared (`export.py`).

usage: convert.py CHECKPOINT.pt OUT.onnx
"""

import sys

import torch

from export import INPUTS_COMPARED, compare, export
from network import Probabilities, UNet, folded
from train import PATCH

# Any number of images of any size that halves four times.
AXES = {0: "batch", 2: "rows", 3: "columns"}
# What the WebGPU provider runs as well.
OPERATORS = {"Conv", "Relu", "Resize", "Concat", "Softmax"}


def load(checkpoint):
    network = folded(UNet(3))
    network.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True))
    return Probabilities(network).eval()


def main(checkpoint, out):
    network = load(checkpoint)
    export(network, torch.zeros(1, 1, PATCH, PATCH), ["image", "probabilities"], AXES, OPERATORS, out)
    compare(network, out, [(1, 1, PATCH, PATCH)] * INPUTS_COMPARED)


if __name__ == "__main__":
    main(*sys.argv[1:])
