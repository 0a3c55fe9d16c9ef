"""The 2-D segmentation network: a small U-Net that every provider can run.

Only Conv, Relu, Resize (nearest), Concat and Softmax remain after export: no transposed convolution, which the WebGPU
provider lacks in three dimensions, and no normalisation layers, which fold into the convolutions before them.
"""

import torch
from torch import nn

WIDTHS = (8, 24, 40, 64, 96)


def block(inputs, outputs, stride=1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs, momentum=0.02),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    def __init__(self, classes, widths=WIDTHS):
        super().__init__()
        self.stem = nn.Sequential(block(1, widths[0]), block(widths[0], widths[0]))
        pairs = list(zip(widths, widths[1:], strict=False))
        self.down = nn.ModuleList(nn.Sequential(block(a, b, 2), block(b, b)) for a, b in pairs)
        self.up = nn.ModuleList(nn.Sequential(block(a + b, a), block(a, a)) for a, b in reversed(pairs))
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x):
        kept = [self.stem(x)]
        for down in self.down:
            kept.append(down(kept[-1]))
        x = kept.pop()
        for up in self.up:
            x = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = up(torch.cat([x, kept.pop()], 1))
        return self.head(x)


class Probabilities(nn.Module):
    """What is exported: class probabilities."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image):
        return torch.softmax(self.network(image), 1)


def folded(network):
    """A copy for inference whose normalisation layers are part of the convolutions."""
    import copy

    network = copy.deepcopy(network).eval()
    for module in network.modules():
        if isinstance(module, nn.Sequential) and len(module) == 3 and isinstance(module[1], nn.BatchNorm2d):
            module[0] = nn.utils.fusion.fuse_conv_bn_eval(module[0], module[1])
            module[1] = nn.Identity()
    return network
