"""How good a detector is on synthetic scenes.

The working point is chosen on scenes of the training family with seeds of their own; the held-out scenes, whose settings
the training family does not contain, are looked at once, at that point.

usage: judge_detector.py breast|lungs CHECKPOINT.pt VALIDATION CASES
"""

import json
import sys

import torch

from convert_detector import load as load_network
from marks import judge
from scenes import TASKS, load

# Beside the working point, for a curve.
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def kind(lesion, truth):
    if "margin" in lesion:
        what = "cluster" if lesion["class"] == 1 else f"{lesion['margin'].lower()} mass"
        return f"{what}, {truth['intent'].lower()}"
    size = 2 * lesion["radius_mm"]
    bracket = "4-6" if size < 6 else "6-10" if size < 10 else "10-20"
    return f"{'ground glass' if lesion['ground_glass'] else 'solid'} {bracket} mm"


def main(name, checkpoint, validation, cases):
    task = TASKS[name]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = load_network(task, checkpoint).to(device)
    known = judge(network, task, *load(validation), device)
    threshold = known.working_point()
    print(f"validation: {json.dumps(known.at(threshold))}", flush=True)
    held_out = judge(network, task, *load(cases), device)
    for at in THRESHOLDS:
        print(f"held out: {json.dumps(held_out.at(at))}")
    print(f"held out at the working point: {json.dumps(held_out.at(threshold))}")
    print(f"held out at the working point, sensitivity and number by kind: {json.dumps(held_out.by(threshold, kind))}")


if __name__ == "__main__":
    main(*sys.argv[1:])
