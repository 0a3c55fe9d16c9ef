"""How good a detector is on synthetic scenes.

The working point is chosen on scenes of the training family with seeds of their own, chests made as hard as training makes
them; the held-out scenes, whose settings the training family does not contain, are looked at once, at that point.

usage: judge_detector.py breast|lungs CHECKPOINT.pt VALIDATION CASES
"""

import json
import sys

import torch

from convert_detector import load as load_network
from marks import judge
from scenes import TASKS, crowded, load, thickened

# Beside the working point, for a curve.
THRESHOLDS = (0.1, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)


def kind(lesion, truth):
    if "margin" in lesion:
        what = "cluster" if lesion["class"] == 1 else f"{lesion['margin'].lower()} mass"
        return f"{what}, {truth['intent'].lower()}"
    size = 2 * lesion["radius_mm"]
    bracket = "4-6" if size < 6 else "6-10" if size < 10 else "10-20"
    return f"{'ground glass' if lesion['ground_glass'] else 'solid'} {bracket} mm"


@torch.no_grad()
def hardened(images, truths, device):
    """Each scan as thicker slices, more noise and more vessels would show it, as in training."""
    random = torch.Generator(device=device)
    random.manual_seed(7)
    free = [image for image, truth in zip(images, truths, strict=True) if not truth["lesions"]]
    slab = lambda image: torch.from_numpy(image).to(device)[None].float() / 255
    for number, image in enumerate(images):
        fuller = crowded(slab(image), slab(free[(number // 2 + 1) % len(free)]).flip(-1))
        yield (255 * thickened(fuller, random)[0]).round().byte().cpu().numpy()


def main(name, checkpoint, validation, cases):
    task = TASKS[name]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = load_network(task, checkpoint).to(device)
    images, truths = load(validation)
    drawn = known = judge(network, task, images, truths, device)
    if task.slice_mm:
        known = judge(network, task, hardened(images, truths, device), truths, device)
    threshold = known.working_point()
    print(f"validation as drawn: {json.dumps(drawn.at(threshold))}")
    for at in THRESHOLDS:
        print(f"validation: {json.dumps(known.at(at))}")
    print(f"validation at the working point: {json.dumps(known.at(threshold))}", flush=True)
    held_out = judge(network, task, *load(cases), device)
    for at in THRESHOLDS:
        print(f"held out: {json.dumps(held_out.at(at))}")
    print(f"held out at the working point: {json.dumps(held_out.at(threshold))}")
    print(f"held out at the working point, sensitivity and number by kind: {json.dumps(held_out.by(threshold, kind))}")


if __name__ == "__main__":
    main(*sys.argv[1:])
