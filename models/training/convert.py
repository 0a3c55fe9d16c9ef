"""A checkpoint becomes an ONNX file: opset pinned, checked by onnx, compared with PyTorch on 20 inputs.

usage: convert.py CHECKPOINT.pt OUT.onnx
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from network import Probabilities, UNet, folded
from train import PATCH

OPSET = 17
INPUTS_COMPARED = 20
DIFFERENCE_MAX = 1e-4
# Any number of images of any size that halves four times.
AXES = {0: "batch", 2: "rows", 3: "columns"}
# What the WebGPU provider runs as well.
OPERATORS = {"Conv", "Relu", "Resize", "Concat", "Softmax"}


def load(checkpoint):
    network = folded(UNet(3))
    network.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True))
    return Probabilities(network).eval()


def export(network, out):
    example = torch.zeros(1, 1, PATCH, PATCH)
    torch.onnx.export(
        network, (example,), str(out), opset_version=OPSET, dynamo=False, input_names=["image"],
        output_names=["probabilities"], dynamic_axes={name: AXES for name in ("image", "probabilities")},
    )
    model = onnx.load(out)
    # Names of this machine's sources and of the exporter's parts say nothing on the box.
    for node in model.graph.node:
        node.ClearField("doc_string")
        del node.metadata_props[:]
    del model.graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, out)
    foreign = {node.op_type for node in model.graph.node} - OPERATORS - {"Constant"}
    if foreign:
        raise SystemExit(f"{out}: operators that not every provider has: {sorted(foreign)}")


@torch.no_grad()
def difference(network, out):
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(7)
    worst = 0.0
    for _ in range(INPUTS_COMPARED):
        image = random.random((1, 1, PATCH, PATCH), np.float32) ** random.uniform(0.3, 3)
        ours = session.run(None, {"image": image})[0]
        worst = max(worst, float(np.abs(ours - network(torch.from_numpy(image)).numpy()).max()))
    return worst


def main(checkpoint, out):
    network = load(checkpoint)
    export(network, Path(out))
    worst = difference(network, out)
    parameters = sum(p.numel() for p in network.parameters())
    digest = hashlib.sha256(Path(out).read_bytes()).hexdigest()
    print(f"{out}: opset {OPSET}, {Path(out).stat().st_size} bytes, {parameters} parameters, sha256 {digest}")
    print(f"{out}: differs from PyTorch by at most {worst:.2e} on {INPUTS_COMPARED} inputs")
    if not worst <= DIFFERENCE_MAX:
        raise SystemExit(f"more than {DIFFERENCE_MAX}")


if __name__ == "__main__":
    main(*sys.argv[1:])
