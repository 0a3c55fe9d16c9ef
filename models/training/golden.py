"""The golden answer of a bundle: a heart that never was (augment.py), and what the CPU provider says of it.

usage: golden.py NETWORK.onnx BUNDLE
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from augment import Dice, synthetic
from train import PITCH_MM

SIDE = 160
# A golden answer that is background throughout would prove little.
PIXELS_MIN = 200


def main(network, bundle):
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    for seed in range(100):
        image = synthetic(Dice(torch.device("cpu"), seed), 1, SIDE, PITCH_MM)[0].numpy()
        probabilities = session.run(None, {"image": image})[0]
        pixels = np.bincount(probabilities.argmax(1).ravel(), minlength=3)
        if pixels.min() >= PIXELS_MIN:
            break
    else:
        raise SystemExit("no synthetic heart shows all classes")
    np.save(Path(bundle) / "golden_image.npy", image)
    np.save(Path(bundle) / "golden_probabilities.npy", probabilities)
    print(f"seed {seed}, pixels by class: {pixels}")


if __name__ == "__main__":
    main(*sys.argv[1:])
