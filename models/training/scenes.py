"""Synthetic scenes written by `sidelight-arrays`: loading, batches with their targets, and how each task differs.

A breast is two channels (averages, what stands out). A chest is slices; the network sees seven of them as channels and
judges the middle one.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from detector import MULTIPLE, RADIUS_MM_MAX

LESIONS_MAX = 6


@dataclass(frozen=True)
class Task:
    name: str
    classes: int
    inputs: int
    # Pixels of the input along a cell of the output.
    stride: int
    pixel_mm: float
    # Distance of the slices of a stack; None where an image is a case.
    slice_mm: float | None
    batch: int


BREAST = Task("mammography_cad", 2, 2, 4, 0.4, None, 24)
LUNGS = Task("lesion_det", 1, 7, 2, 1.0, 1.5, 32)
TASKS = {"breast": BREAST, "lungs": LUNGS}


def load(folder, limit=None):
    """Images (case, channel or slice, row, column) as bytes, and what is true of each."""
    folder = Path(folder)
    index = json.loads((folder / "index.json").read_text())
    cases = index["cases"][:limit]
    images = np.memmap(folder / "images.u8", np.uint8, "r").reshape(-1, *index["shape"])
    return np.stack([images[case["number"]] for case in cases]), [case["truth"] for case in cases]


def padded(images):
    """Zeros to the right and below, up to sides that halve five times."""
    rows, columns = (-side % MULTIPLE for side in images.shape[-2:])
    return functional.pad(images, (0, columns, 0, rows))


class Pool:
    """All training scenes on the device."""

    def __init__(self, task, folder, device):
        images, truths = load(folder)
        self.task, self.device = task, device
        self.images = torch.from_numpy(images).to(device)
        # x, y, z, radius in pixels, class; absent ones have radius 0.
        table = np.zeros((len(truths), LESIONS_MAX, 5), np.float32)
        for lesions, truth in zip(table, truths, strict=True):
            for line, lesion in zip(lesions, truth["lesions"], strict=False):
                line[:] = lesion["x"], lesion["y"], lesion.get("z", 0), lesion["radius_mm"] / task.pixel_mm, lesion.get("class", 0)
        self.lesions = torch.from_numpy(table).to(device)
        self.random = torch.Generator(device=device)

    def share(self, *shape):
        return torch.rand(shape, generator=self.random, device=self.device)

    def batch(self):
        task = self.task
        chosen = (self.share(task.batch) * len(self.images)).long()
        images, lesions = self.images[chosen], self.lesions[chosen].clone()
        amplitude = torch.ones_like(lesions[..., 0])
        if task.slice_mm:
            half = task.inputs // 2
            middle = half + (self.share(task.batch) * (images.shape[1] - 2 * half)).long()
            around = middle[:, None] + torch.arange(-half, half + 1, device=self.device)
            images = images[torch.arange(task.batch, device=self.device)[:, None], around]
            away_mm = (lesions[..., 2] - middle[:, None]) * task.slice_mm
            reach_mm = (lesions[..., 3] * task.pixel_mm / 2.2).clamp(min=0.8)
            # Half a slice away from the centre is still the centre.
            away_mm = (away_mm.abs() - 0.5 * task.slice_mm).clamp(min=0)
            amplitude = torch.exp(-0.5 * (away_mm / reach_mm) ** 2)
        images = images.float() / 255
        images, lesions = self.turned(*self.moved(images, lesions))
        return self.shaded(images), self.targets(images.shape[-2:], lesions, amplitude)

    def moved(self, images, lesions):
        """Somewhere else on the grid of cells."""
        down, right = (int(value) for value in (self.share(2) * 16).tolist())
        images = padded(functional.pad(images, (right, 0, down, 0)))
        lesions[..., 0] += right
        lesions[..., 1] += down
        return images, lesions

    def turned(self, images, lesions):
        """Mirrored either way, for the whole batch."""
        across, down, order = (value < 0.5 for value in self.share(3).tolist())
        if across:
            images = images.flip(-1)
            lesions[..., 0] = images.shape[-1] - 1 - lesions[..., 0]
        if down:
            images = images.flip(-2)
            lesions[..., 1] = images.shape[-2] - 1 - lesions[..., 1]
        if order and self.task.slice_mm:
            images = images.flip(1)
        return images, lesions

    def shaded(self, images):
        """Another tone, another contrast, a little more noise."""
        count = len(images)
        each = lambda low, high: low + (high - low) * self.share(count, 1, 1, 1)
        if self.task.slice_mm:
            images = images * each(0.95, 1.05) + each(-0.02, 0.02) * (images > 0)
        else:
            mean, detail = images[:, :1], images[:, 1:]
            mean = (mean.clamp(min=1e-4) ** each(0.75, 1.35)) * each(0.85, 1.15)
            images = torch.cat([mean * (images[:, :1] > 0), detail * each(0.7, 1.3)], 1)
        noise = torch.randn(images.shape, generator=self.random, device=self.device)
        return (images + noise * each(0.0, 0.012) * (images > 0)).clamp(0, 1)

    def targets(self, size, lesions, amplitude):
        """Heat (batch, class, row, column) and the radius with the cells where it counts."""
        task = self.task
        rows, columns = (torch.arange(side // task.stride, device=self.device) for side in size)
        # Centre of a cell, in pixels.
        place = lambda cells: (cells + 0.5) * task.stride - 0.5
        x, y, radius = (lesions[..., index, None, None] for index in (0, 1, 3))
        squared = (place(columns)[None, None, None] - x) ** 2 + (place(rows)[None, None, :, None] - y) ** 2
        sigma = (radius / 3).clamp(min=0.7 * task.stride)
        # A cell whose middle is nearest is the centre.
        squared = (squared.sqrt() - 0.5 * task.stride).clamp(min=0) ** 2
        spots = torch.exp(-squared / (2 * sigma**2)) * amplitude[..., None, None] * (radius > 0)
        of_class = [(spots * (lesions[..., 4, None, None] == number)).amax(1) for number in range(task.classes)]
        heat = torch.stack(of_class, 1)
        strongest = spots.argmax(1, keepdim=True)
        wide = radius.expand_as(spots).gather(1, strongest) * task.pixel_mm / RADIUS_MM_MAX
        return heat, wide, heat.amax(1, keepdim=True) > 0.4
