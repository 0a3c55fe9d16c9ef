"""What the box does with the network's answer, in Python: normalise, place, un-resample, keep the largest piece, add up.

The Rust side (models/src/segment.rs) is the product; this twin judges networks while they are trained.
"""

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional

PERCENTILES = (0.5, 99.5)


def normalise(image):
    """Percentiles of this image become 0 and 1."""
    ordered = np.sort(image, axis=None).astype(np.float32)
    low, high = (ordered[round(p / 100 * (ordered.size - 1))] for p in PERCENTILES)
    return np.clip((image.astype(np.float32) - low) / max(high - low, 1e-6), 0, 1)


def positions(patch, pitch_mm, spacing_mm, size_px):
    """Where the patch's pixels lie in a square image, both centred; in grid_sample's units."""
    at = (np.arange(patch) + 0.5 - patch / 2) * pitch_mm / (spacing_mm * size_px / 2)
    y, x = np.meshgrid(at, at, indexing="ij")
    return torch.from_numpy(np.stack([x, y], -1)[None].astype(np.float32))


def back(patch, pitch_mm, spacing_mm, size_px):
    """Where the image's pixels lie in the patch."""
    return positions(size_px, spacing_mm, pitch_mm, patch)


@torch.no_grad()
def predict(network, patient, patch, pitch_mm, device, batch=40):
    """Labels (slice, phase, row, column) on the original grid."""
    images = patient["images"]
    slices, phases, rows, _ = images.shape
    flat = images.reshape(-1, rows, rows)
    to_patch = positions(patch, pitch_mm, patient["spacing"], rows).to(device)
    to_image = back(patch, pitch_mm, patient["spacing"], rows).to(device)
    labels = np.zeros(flat.shape, np.uint8)
    network.eval()
    for first in range(0, len(flat), batch):
        part = torch.from_numpy(np.stack([normalise(image) for image in flat[first:first + batch]]))[:, None].to(device)
        count = len(part)
        placed = functional.grid_sample(part, to_patch.expand(count, -1, -1, -1), "bilinear", "zeros", False)
        share = torch.softmax(network(placed).float(), 1)
        share = functional.grid_sample(share, to_image.expand(count, -1, -1, -1), "bilinear", "border", False)
        labels[first:first + batch] = share.argmax(1).cpu().numpy()
    return labels.reshape(slices, phases, rows, rows)


def largest_piece(labels):
    """Keeps the largest connected piece of all foreground of one phase (slice, row, column), 6-connected."""
    pieces, count = ndimage.label(labels > 0)
    if count == 0:
        return labels
    sizes = np.bincount(pieces.ravel())[1:]
    return np.where(pieces == 1 + sizes.argmax(), labels, 0)


def extremes(curve):
    """End diastole and end systole, by the curve smoothed over its neighbours: the extreme of a noisy curve is the noise's."""
    smooth = (np.roll(curve, 1) + 2 * curve + np.roll(curve, -1)) / 4
    return int(smooth.argmax()), int(smooth.argmin())


def overlap(a, b):
    total = a.sum() + b.sum()
    return float(2 * (a & b).sum() / total) if total else 1.0


def report(patient, labels):
    """Dice on the drawn slices, volumes over all slices and all phases, against the expert's."""
    kept = np.stack([largest_piece(labels[:, phase]) for phase in range(labels.shape[1])], 1)
    per_ml = patient["spacing"] ** 2 * patient["distance"] / 1000
    curve = (kept == 1).sum((0, 2, 3)) * per_ml
    ed, es = extremes(curve)
    drawn = patient["cavity"].any((2, 3))
    per_slice = []
    for position, phase in enumerate((patient["ed"], patient["es"])):
        for index in np.flatnonzero(drawn[:, position]):
            per_slice.append(overlap(kept[index, phase] == 1, patient["cavity"][index, position]))
    ed_drawn = drawn[:, 0]
    whole = patient["whole"][ed_drawn]
    muscle = whole & ~patient["cavity"][ed_drawn, 0]
    edv, esv = float(curve[ed]), float(curve[es])
    true_ef = (patient["edv"] - patient["esv"]) / patient["edv"] * 100
    ef = (edv - esv) / edv * 100 if edv else 0.0
    in_drawn = [float((kept[drawn[:, i], phase] == 1).sum() * per_ml)
                for i, phase in enumerate((patient["ed"], patient["es"]))]
    numbers = {
        "dice_cavity_mean": np.mean(per_slice), "dice_cavity_worst": np.min(per_slice),
        "dice_cavity_ed": overlap(kept[:, patient["ed"]] == 1, patient["cavity"][:, 0]),
        "dice_cavity_es": overlap(kept[:, patient["es"]] == 1, patient["cavity"][:, 1]),
        "dice_muscle_ed": overlap(kept[ed_drawn, patient["ed"]] == 2, muscle),
        "edv": edv, "edv_true": patient["edv"], "esv": esv, "esv_true": patient["esv"],
        "ef": ef, "ef_true": true_ef, "ef_error": ef - true_ef,
        "edv_drawn_slices": in_drawn[0], "esv_drawn_slices": in_drawn[1],
    }
    rounded = {key: round(float(value), 3) for key, value in numbers.items()}
    return rounded | {"ed": [ed, patient["ed"]], "es": [es, patient["es"]], "curve": [round(float(v), 1) for v in curve]}
