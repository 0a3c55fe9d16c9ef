"""The 2-D detection network: a small U-Net whose heat is highest where a lesion's centre is.

As in `network.py` only Conv, Relu, Resize (nearest), Concat and Sigmoid remain after export. Outputs, each 0 to 1: one heat
a class, and last the radius as a share of `RADIUS_MM_MAX`.
"""

import torch
from torch import nn

from network import UNet, block

RADIUS_MM_MAX = 16.0
# Sides of inputs are multiples of this.
MULTIPLE = 32


class Detector(nn.Module):
    """`stride`: pixels of the input along a cell of the output, 2 or 4."""

    def __init__(self, inputs, classes, stride, widths):
        super().__init__()
        self.stem = nn.Sequential(block(inputs, widths[0], 2), block(widths[0], widths[0]))
        pairs = list(zip(widths, widths[1:], strict=False))
        self.down = nn.ModuleList(nn.Sequential(block(a, b, 2), block(b, b), block(b, b)) for a, b in pairs)
        kept = pairs if stride == 2 else pairs[1:]
        self.up = nn.ModuleList(nn.Sequential(block(a + b, a), block(a, a)) for a, b in reversed(kept))
        last = kept[0][0]
        self.head = nn.Conv2d(last, classes + 1, 1)
        # Almost nowhere is a lesion: begin by saying so.
        nn.init.constant_(self.head.bias, -4.0)

    forward = UNet.forward


class Heat(nn.Module):
    """What is exported."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image):
        return torch.sigmoid(self.network(image))
