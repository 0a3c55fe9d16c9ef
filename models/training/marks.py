"""Marks from heat, and how good they are: the twin of `models/src/detect/peaks.rs`.

A mark is a local maximum of heat; of two marks closer than the larger one's radius (at least `APART_MM`) the weaker goes.
A lesion is found when a mark lies within its radius, or `NEAR_MM` where that is less.
"""

import numpy as np
import torch
from torch.nn import functional

from detector import RADIUS_MM_MAX
from scenes import padded

APART_MM = 5.0
NEAR_MM = 5.0
HEAT_MIN = 0.05
MARKS_MAX = 50
# At the working point this share of lesion-free validation cases carries no mark, and a case so many false ones at most.
CLEAN_MIN, FALSE_MAX = 0.88, 0.5
# So much sensitivity may the working point lose against the best that is as clean.
LOSS_MAX = 0.02


@torch.no_grad()
def heat_of(network, task, image, device, batch=32):
    """Heat and radius of one case: (slice, class + 1, row, column)."""
    image = torch.from_numpy(np.ascontiguousarray(image)).to(device).float() / 255
    if not task.slice_mm:
        return network(padded(image[None]))
    half = task.inputs // 2
    # Beyond the ends the last slice repeats.
    index = torch.arange(len(image), device=device)[:, None] + torch.arange(-half, half + 1, device=device)
    index = index.clamp(0, len(image) - 1)
    parts = [network(padded(image[part])) for part in index.split(batch)]
    return torch.cat(parts)


def marks_of(output, task):
    """[suspicion, class, x, y, z, radius_mm], strongest first; x and y in pixels of the input."""
    heat, radius = output[:, :-1].float(), output[:, -1].float() * RADIUS_MM_MAX
    best, which = heat.max(1)
    around = functional.max_pool3d(best[None, None], 3, 1, 1)[0, 0]
    z, row, column = torch.nonzero((best == around) & (best > HEAT_MIN), as_tuple=True)
    value = best[z, row, column]
    order = value.argsort(descending=True, stable=True)
    found = torch.stack([
        value, which[z, row, column].float(), (column + 0.5) * task.stride - 0.5, (row + 0.5) * task.stride - 0.5,
        z.float(), radius[z, row, column],
    ], 1)[order].cpu().numpy()
    kept = []
    for mark in found:
        if len(kept) == MARKS_MAX:
            break
        if all(distance(mark[2:5], other[2:5], task) >= max(APART_MM, mark[5], other[5]) for other in kept):
            kept.append(mark)
    return kept


def distance(a, b, task):
    x, y = (a[0] - b[0]) * task.pixel_mm, (a[1] - b[1]) * task.pixel_mm
    z = (a[2] - b[2]) * (task.slice_mm or 0.0)
    return float(np.sqrt(x * x + y * y + z * z))


def matched(marks, truth, task):
    """Of each lesion the suspicion of its strongest mark (0: none) and whether its class is right; false marks."""
    found, false = [(0.0, False)] * len(truth["lesions"]), []
    for mark in marks:
        hits = [
            index for index, lesion in enumerate(truth["lesions"])
            if distance(mark[2:5], (lesion["x"], lesion["y"], lesion.get("z", 0)), task) <= max(NEAR_MM, lesion["radius_mm"])
        ]
        if not hits:
            false.append(float(mark[0]))
        for index in hits:
            if mark[0] > found[index][0]:
                found[index] = (float(mark[0]), int(mark[1]) == truth["lesions"][index].get("class", 0))
    return found, false


class Judgement:
    """All cases of a set, at any threshold."""

    def __init__(self, results, truths):
        self.results, self.truths = results, truths

    def at(self, threshold):
        lesions = [lesion for found, _ in self.results for lesion in found]
        false = [sum(value >= threshold for value in wrong) for _, wrong in self.results]
        clean = [count == 0 for count, truth in zip(false, self.truths, strict=True) if not truth["lesions"]]
        hit = [right for value, right in lesions if value >= threshold]
        return {
            "threshold": round(threshold, 3), "cases": len(self.results), "lesions": len(lesions),
            "sensitivity": round(len(hit) / max(1, len(lesions)), 4),
            "false_per_case": round(float(np.mean(false)), 4),
            "lesion_free_cases": len(clean), "without_a_mark": round(float(np.mean(clean)), 4),
            "class_right": round(float(np.mean(hit)) if hit else 0.0, 4),
        }

    def working_point(self):
        """The middle of the thresholds that keep lesion-free cases clean and lose little sensitivity: other images move
        suspicions both ways."""
        said = [self.at(float(threshold)) for threshold in np.arange(0.05, 0.96, 0.01)]
        clean = [one for one in said if one["without_a_mark"] >= CLEAN_MIN and one["false_per_case"] <= FALSE_MAX]
        if not clean:
            return 0.95
        best = max(one["sensitivity"] for one in clean)
        level = [one["threshold"] for one in clean if one["sensitivity"] >= best - LOSS_MAX]
        return (level[0] + level[-1]) / 2

    def by(self, threshold, name):
        """Sensitivity of each kind of lesion."""
        kinds = {}
        for (found, _), truth in zip(self.results, self.truths, strict=True):
            for (value, _), lesion in zip(found, truth["lesions"], strict=True):
                kinds.setdefault(name(lesion, truth), []).append(value >= threshold)
        return {str(kind): [round(float(np.mean(hits)), 3), len(hits)] for kind, hits in sorted(kinds.items())}


def judge(network, task, images, truths, device):
    run = lambda image, truth: matched(marks_of(heat_of(network, task, image, device), task), truth, task)
    return Judgement([run(image, truth) for image, truth in zip(images, truths, strict=True)], truths)
