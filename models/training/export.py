"""What every network's way to ONNX shares: opset pinned, checked by onnx, compared with PyTorch on 20 inputs."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

OPSET = 17
INPUTS_COMPARED = 20
DIFFERENCE_MAX = 1e-4


def export(network, example, names, axes, operators, out):
    """`names` of the one input and the one output; operators beyond `operators` not every provider has."""
    torch.onnx.export(
        network, (example,), str(out), opset_version=OPSET, dynamo=False, input_names=names[:1],
        output_names=names[1:], dynamic_axes={name: axes for name in names},
    )
    model = onnx.load(out)
    # Names of this machine's sources and of the exporter's parts say nothing on the box.
    for node in model.graph.node:
        node.ClearField("doc_string")
        del node.metadata_props[:]
    del model.graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, out)
    foreign = {node.op_type for node in model.graph.node} - operators - {"Constant"}
    if foreign:
        raise SystemExit(f"{out}: operators that not every provider has: {sorted(foreign)}")


@torch.no_grad()
def compare(network, out, shapes):
    """Runs both on random images of these shapes, says what the file is, and refuses one that differs."""
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    random = np.random.default_rng(7)
    worst = 0.0
    for shape in shapes:
        image = (random.random(shape) ** random.uniform(0.3, 3)).astype(np.float32)
        ours = session.run(None, {name: image})[0]
        worst = max(worst, float(np.abs(ours - network(torch.from_numpy(image)).numpy()).max()))
    parameters = sum(p.numel() for p in network.parameters())
    digest = hashlib.sha256(Path(out).read_bytes()).hexdigest()
    print(f"{out}: opset {OPSET}, {Path(out).stat().st_size} bytes, {parameters} parameters, sha256 {digest}")
    print(f"{out}: differs from PyTorch by at most {worst:.2e} on {len(shapes)} inputs")
    if not worst <= DIFFERENCE_MAX:
        raise SystemExit(f"more than {DIFFERENCE_MAX}")
