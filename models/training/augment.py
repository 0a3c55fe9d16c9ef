"""Variety, made on the processor that trains: heavy deformation of real slices, and hearts that never were.

Everything draws from one torch generator, so a seed gives the same batch on the same processor.
"""

import math

import torch
from torch.nn import functional


class Dice:
    """Random numbers of one seed."""

    def __init__(self, device, seed):
        self.device = device
        self.generator = torch.Generator(device).manual_seed(seed)

    def uniform(self, low, high, *shape):
        return low + (high - low) * torch.rand(*shape, generator=self.generator, device=self.device)

    def normal(self, *shape):
        return torch.randn(*shape, generator=self.generator, device=self.device)

    def index(self, below, count):
        return torch.randint(below, (count,), generator=self.generator, device=self.device)

    def smooth(self, count, channels, knots, size):
        """Smooth noise of unit height, `knots` bumps across."""
        field = self.normal(count, channels, knots, knots)
        return functional.interpolate(field, (size, size), mode="bicubic", align_corners=True)


def grid(dice, count, patch, pitch_mm, spacing_mm, source_px):
    """Sampling positions of `count` deformed patches, in grid_sample's units, for square images of source_px."""
    angle = dice.uniform(-math.pi, math.pi, count)
    scale = torch.exp(dice.normal(count) * 0.16).clamp(0.68, 1.5)
    stretch = torch.exp(dice.normal(count) * 0.07)
    flip = torch.where(dice.uniform(0, 1, count) < 0.5, -1.0, 1.0)
    shift_mm = dice.normal(count, 2) * 18
    at = (torch.arange(patch, device=dice.device) + 0.5 - patch / 2) * pitch_mm
    y, x = torch.meshgrid(at, at, indexing="ij")
    x, y = x[None] * flip[:, None, None], y[None].expand(count, -1, -1)
    bend = dice.smooth(count, 2, 7, patch) * dice.uniform(0, 5, count)[:, None, None, None]
    x, y = x + bend[:, 0], y + bend[:, 1]
    cos, sin = (angle.cos() * scale)[:, None, None], (angle.sin() * scale)[:, None, None]
    x, y = (x * cos - y * sin) * stretch[:, None, None], (x * sin + y * cos) / stretch[:, None, None]
    x, y = x + shift_mm[:, :1, None], y + shift_mm[:, 1:, None]
    half_mm = (spacing_mm * source_px / 2)[:, None, None]
    return torch.stack([x / half_mm, y / half_mm], -1)


def sample(images, labels, positions):
    """Images bilinearly, labels by the nearest pixel; outside there is darkness and nothing."""
    image = functional.grid_sample(images, positions, "bilinear", "zeros", False)
    label = functional.grid_sample(labels[:, None].float(), positions, "nearest", "zeros", False)
    return image, label[:, 0].round().long()


def shade(dice, image):
    """Another scanner: contrast, coil sensitivity, blur, noise."""
    count, _, patch, _ = image.shape
    each = lambda low, high: dice.uniform(low, high, count)[:, None, None, None]
    image = image * torch.exp(dice.smooth(count, 1, 3, patch) * each(0, 0.45))
    image = image + dice.smooth(count, 1, 9, patch) * each(0, 0.06)
    blurred = functional.avg_pool2d(image, 3, 1, 1)
    image = image + (blurred - image) * each(-0.6, 1.0)
    image = image.clamp(0, None) ** torch.exp(dice.normal(count) * 0.28)[:, None, None, None] * each(0.7, 1.35)
    image = image + dice.normal(*image.shape) * each(0, 0.07)
    return image.clamp(0, 1)


def synthetic(dice, count, patch, pitch_mm):
    """Short-axis slices of hearts that never were: a chest of smooth organs, a ring of muscle, bright blood in both
    ventricles, papillary muscles. Labels: 0 elsewhere, 1 cavity, 2 muscle."""
    each = lambda low, high: dice.uniform(low, high, count)[:, None, None]
    at = (torch.arange(patch, device=dice.device) + 0.5 - patch / 2) * pitch_mm
    y, x = torch.meshgrid(at, at, indexing="ij")
    x, y = x[None].expand(count, -1, -1), y[None].expand(count, -1, -1)
    organs = dice.smooth(count, 1, 8, patch)[:, 0] * 0.25 + dice.smooth(count, 1, 20, patch)[:, 0] * 0.12
    image = (each(0.15, 0.45) + organs).clamp(0, 1)
    image = torch.where(dice.smooth(count, 1, 5, patch)[:, 0] > each(0.3, 1.2), image * 0.15, image)
    body = (x / each(120, 190)) ** 2 + (y / each(90, 150)) ** 2
    image = torch.where(body > 1, image * 0.05, image)
    image = torch.where((body > 0.85) & (body < 1), each(0.5, 1.0), image)
    cx, cy = dice.normal(count)[:, None, None] * 28, dice.normal(count)[:, None, None] * 22
    wobble = dice.smooth(count, 3, 6, patch)
    angle = each(-math.pi, math.pi)
    u = (x - cx) * angle.cos() - (y - cy) * angle.sin() + wobble[:, 0] * 1.5
    v = (x - cx) * angle.sin() + (y - cy) * angle.cos() + wobble[:, 1] * 1.5
    radius, oval = each(9, 34), each(0.85, 1.18)
    away = ((u * oval) ** 2 + (v / oval) ** 2).sqrt()
    wall = each(5, 15) * (1 + 0.2 * wobble[:, 2])
    blood, muscle = each(0.55, 1.0), each(0.12, 0.4)
    right = ((u + radius + wall * 0.6) / each(18, 40)) ** 2 + (v / (radius * each(0.8, 1.6))) ** 2 < 1
    image = torch.where(right, blood * each(0.85, 1.1), image)
    image = torch.where(away < radius + wall, muscle + organs * 0.1, image)
    inside = away < radius
    trabeculae = inside & (dice.smooth(count, 1, 32, patch)[:, 0] > each(0.8, 2.5)) & (away > radius * 0.35)
    image = torch.where(inside, torch.where(trabeculae, (muscle + blood) / 2, blood), image)
    label = torch.where(inside, 1, torch.where(away < radius + wall, 2, 0))
    # Some slices show no ventricle at all.
    empty = dice.uniform(0, 1, count)[:, None, None] < 0.12
    without = torch.where(away < radius + wall, muscle + organs, image)
    image, label = torch.where(empty, without, image), torch.where(empty, 0, label)
    return image[:, None].clamp(0, 1), label
