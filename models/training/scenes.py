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
# How much thicker than the grid's slices those of a thickened slab are at most; how much noise it gets at most.
THICKEST, NOISIEST = 2.6, 0.032
# Share of the slabs of a batch that get more vessels; what is brighter in a lung is a vessel.
CROWDED, VESSEL = 0.45, 0.2


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
    # Channels from the finest level to the coarsest.
    widths: tuple[int, ...]


BREAST = Task("mammography_cad", 2, 2, 4, 0.4, None, 24, (16, 32, 48, 64, 80))
LUNGS = Task("lesion_det", 1, 7, 2, 1.0, 1.5, 40, (24, 48, 64, 96, 112))
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


def thickened(images, random):
    """Slabs (case, slice, row, column; 0 to 1) as a noisier scan of slices up to `THICKEST` times as far apart would show
    them: averages over thick slices, noise, and back onto the grid as the box does it, linearly."""
    count, slices = images.shape[:2]
    share = lambda *shape: torch.rand(shape, generator=random, device=images.device)
    apart = 1 + (THICKEST - 1) * share(count, 1, 1) * (share(count, 1, 1) < 0.75)
    first = (share(count, 1, 1) - 0.5) * apart
    index = torch.arange(slices, device=images.device, dtype=torch.float32)
    # Where the thick slices lie, how thick they are; those that stay as they are, exactly as they are.
    same = apart == 1
    place = torch.where(same, index[:, None], first + apart * index[:, None]).clamp(0, slices - 1)
    thick = torch.where(same, 1.0, apart * (0.7 + 0.3 * share(count, 1, 1)))
    cover = (0.5 * (thick + 1) - (place - index).abs()).clamp(0, 1)
    cover = cover / cover.sum(-1, keepdim=True)
    noise = torch.randn(images.shape, generator=random, device=images.device)
    grain = (share(count, 1, 1, 1) < 0.5).float()
    cross = noise.roll(1, -1) + noise.roll(-1, -1) + noise.roll(1, -2) + noise.roll(-1, -2)
    noise = torch.lerp(noise, (2 * noise + cross) / 2.83, grain) * NOISIEST * share(count, 1, 1, 1)
    drawn = (cover @ images.flatten(2)) + noise.flatten(2)
    # Linear between the thick slices; beyond the outermost it stays.
    at = ((index[:, None] - torch.where(same, 0.0, first)) / apart).clamp(0, slices - 1)
    back = (1 - (at - index).abs()).clamp(min=0)
    return (back @ drawn).view_as(images).clamp(0, 1) * (images > 0)


def crowded(images, other):
    """Slabs with the vessels of others, where both are lung all around."""
    lung = lambda slabs: functional.avg_pool2d((slabs < VESSEL).float(), 21, 1, 10) > 0.65
    drawn = torch.where((other > VESSEL) & lung(other) & lung(images), other, other.new_zeros(()))
    return torch.maximum(images, drawn)


class Pool:
    """All training scenes on the device."""

    def __init__(self, task, folder, device):
        self.task, self.device = task, device
        self.images, self.lesions = self.read(folder)
        self.random = torch.Generator(device=device)

    def read(self, folder):
        images, truths = load(folder)
        # x, y, z, radius in pixels, class; absent ones have radius 0.
        table = np.zeros((len(truths), LESIONS_MAX, 5), np.float32)
        for lesions, truth in zip(table, truths, strict=True):
            for line, lesion in zip(lesions, truth["lesions"], strict=False):
                radius = lesion["radius_mm"] / self.task.pixel_mm
                line[:] = lesion["x"], lesion["y"], lesion.get("z", 0), radius, lesion.get("class", 0)
        return torch.from_numpy(images).to(self.device), torch.from_numpy(table).to(self.device)

    def add(self, folder):
        """More scenes, which were being drawn while training had begun."""
        images, lesions = self.read(folder)
        self.images, self.lesions = torch.cat([self.images, images]), torch.cat([self.lesions, lesions])

    def share(self, *shape):
        return torch.rand(shape, generator=self.random, device=self.device)

    def batch(self):
        task = self.task
        chosen = (self.share(task.batch) * len(self.images)).long()
        images, lesions = self.images[chosen], self.lesions[chosen].clone()
        amplitude = torch.ones_like(lesions[..., 0])
        if task.slice_mm:
            images = self.filled(images.float() / 255)
            middle = self.middles(images.shape[1], lesions)
            half = task.inputs // 2
            around = middle[:, None] + torch.arange(-half, half + 1, device=self.device)
            sharper = 0.8 * self.share(task.batch, 1, 1, 1) * (self.share(task.batch, 1, 1, 1) < 0.4)
            images = images + sharper * (images - functional.avg_pool2d(images, 3, 1, 1))
            images = thickened(images, self.random)
            images = images[torch.arange(task.batch, device=self.device)[:, None], around]
            away_mm = (lesions[..., 2] - middle[:, None]) * task.slice_mm
            reach_mm = (lesions[..., 3] * task.pixel_mm / 2.2).clamp(min=task.slice_mm)
            # A slice away from the centre is still the centre: in thick slices nobody could tell.
            away_mm = (away_mm.abs() - task.slice_mm).clamp(min=0)
            amplitude = torch.exp(-0.5 * (away_mm / reach_mm) ** 2)
            images, lesions = self.warped(images, lesions)
        else:
            images = images.float() / 255
        images, lesions = self.turned(*self.moved(images, lesions))
        return self.shaded(images), self.targets(images.shape[-2:], lesions, amplitude)

    def filled(self, images):
        """To some lungs the vessels of another chest without lesions are added."""
        free = ((self.lesions[..., 3] > 0).sum(1) == 0).nonzero()[:, 0]
        count = int(CROWDED * len(images))
        if len(free) == 0:
            return images
        other = self.images[free[(self.share(count) * len(free)).long()]].float() / 255
        if self.share(1).item() < 0.5:
            other = other.flip(-1)
        return torch.cat([crowded(images[:count], other), images[count:]])

    def warped(self, images, lesions):
        """Turned and scaled about the middle, each its own way; a third stays as it is."""
        rows, columns = images.shape[-2:]
        each = lambda low, high: low + (high - low) * self.share(len(images), 1, 1)
        stays = self.share(len(images), 1, 1) < 0.33
        angle = torch.where(stays, 0.0, each(-0.25, 0.25))
        scale = torch.where(stays, 1.0, each(0.88, 1.14))
        cos, sin = angle.cos(), angle.sin()
        down = torch.arange(rows, device=self.device)[None, :, None] - 0.5 * (rows - 1)
        across = torch.arange(columns, device=self.device)[None, None] - 0.5 * (columns - 1)
        x, y = (cos * across + sin * down) / scale, (cos * down - sin * across) / scale
        grid = torch.stack([x * 2 / columns, y * 2 / rows], -1)
        images = functional.grid_sample(images, grid, "bilinear", "zeros", align_corners=False)
        cos, sin, scale = cos[:, 0], sin[:, 0], scale[:, 0]
        x, y = lesions[..., 0] - 0.5 * (columns - 1), lesions[..., 1] - 0.5 * (rows - 1)
        lesions[..., 0] = scale * (cos * x - sin * y) + 0.5 * (columns - 1)
        lesions[..., 1] = scale * (sin * x + cos * y) + 0.5 * (rows - 1)
        lesions[..., 3] *= scale
        return images, lesions

    def middles(self, slices, lesions):
        """The slice to judge: of half of the scenes with lesions one within a slice of a lesion's centre, and of two drawn at
        random the smaller one's, because slices through small lesions are rarest; of the others any."""
        half, batch = self.task.inputs // 2, self.task.batch
        anywhere = half + (self.share(batch) * (slices - 2 * half)).long()
        count = (lesions[..., 3] > 0).sum(1)
        drawn = [(self.share(batch) * count.clamp(min=1)).long()[:, None] for _ in range(2)]
        radius, z = ([column.gather(1, one)[:, 0] for one in drawn] for column in (lesions[..., 3], lesions[..., 2]))
        near = torch.where(radius[0] < radius[1], z[0], z[1]).round().long() + (self.share(batch) * 3).long() - 1
        focused = (self.share(batch) < 0.5) & (count > 0)
        return torch.where(focused, near.clamp(half, slices - 1 - half), anywhere)

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
        if self.task.slice_mm:
            return images.clamp(0, 1)
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
