"""The golden answer of a detector's bundle: a piece of a synthetic scene around a lesion, and what the CPU provider says.

usage: golden_detector.py breast|lungs NETWORK.onnx VALIDATION BUNDLE
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime

from scenes import TASKS, load

SIDES = {"breast": 160, "lungs": 96}
# A golden answer without heat would prove little.
HEAT_MIN = 0.8
SCENES = 12


def piece(task, image, lesion, side):
    """A square around the lesion that lies within the image, as the network reads it."""
    if task.slice_mm:
        half = task.inputs // 2
        middle = min(max(round(lesion["z"]), half), len(image) - 1 - half)
        image = image[middle - half : middle + half + 1]
    corner = [min(max(round(lesion[axis]) - side // 2, 0), length - side)
              for axis, length in (("y", image.shape[1]), ("x", image.shape[2]))]
    rows, columns = (slice(first, first + side) for first in corner)
    return image[None, :, rows, columns].astype(np.float32) / 255


def main(name, network, validation, bundle):
    task = TASKS[name]
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    for image, truth in zip(*load(validation, SCENES), strict=True):
        for lesion in truth["lesions"]:
            given = piece(task, image, lesion, SIDES[name])
            heat = session.run(None, {"image": given})[0]
            if heat[:, :-1].max() >= HEAT_MIN:
                np.save(Path(bundle) / "golden_image.npy", given)
                np.save(Path(bundle) / "golden_heat.npy", heat)
                print(f"{given.shape} to {heat.shape}, hottest {heat[:, :-1].max():.3f}")
                return
    raise SystemExit("no scene is hot enough")


if __name__ == "__main__":
    main(*sys.argv[1:])
