"""Trains `cardiac_seg`: left-ventricular cavity and myocardium on 2-D short-axis cine MR.

One network per patient left out, and one on all patients; each is time-boxed, checkpointed while it trains, and judged
on what it has never seen, over the whole cycle, as the box will use it.

usage: train.py CINE.npz OUT --leave SC-HF-I-1|SC-HF-I-2|SC-HF-I-4|nobody --seconds 150 --seed 1
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from augment import Dice, grid, sample, shade, synthetic
from network import UNet, folded
from volumes import normalise, predict, report

PATIENTS = ("SC-HF-I-1", "SC-HF-I-2", "SC-HF-I-4")
PATCH, PITCH_MM = 208, 1.8
BATCH_REAL, BATCH_SYNTHETIC = 36, 12
# Labels beyond the three classes: not cavity, muscle or not is unknown.
NOT_CAVITY = 3
# Away from the cavity by this much there is no muscle of the left ventricle.
MUSCLE_MM_MAX = 25.0
# A slice that the expert left out may show what he chose not to draw.
UNDRAWN_WEIGHT = 0.4


def load(path):
    """Per patient: images (slice, phase, row, column), cavity (slice, ED|ES, ...), whole (slice, ...), about."""
    file = np.load(path)
    patients = {}
    for patient in PATIENTS:
        images = file[f"{patient}/images"]
        slices, _, rows, columns = images.shape
        bits = lambda name, *shape: np.unpackbits(file[f"{patient}/{name}"])[: math.prod(shape)].reshape(shape)
        about = dict(zip(("spacing", "distance", "ed", "es", "edv", "esv"), file[f"{patient}/about"], strict=True))
        patients[patient] = {
            "images": images,
            "cavity": bits("cavity", slices, 2, rows, columns).astype(bool),
            "whole": bits("whole", slices, rows, columns).astype(bool),
            **{key: int(value) if key in ("ed", "es") else float(value) for key, value in about.items()},
        }
    return patients


def examples(patient):
    """(image, label, weight) of the drawn phases, undrawn slices included."""
    near_px = 2 * int(MUSCLE_MM_MAX / patient["spacing"]) + 1
    for position, phase in enumerate((patient["ed"], patient["es"])):
        for index, cavity in enumerate(patient["cavity"][:, position]):
            drawn = bool(cavity.any())
            label = cavity.astype(np.int64)
            if phase == patient["ed"]:
                label[patient["whole"][index] & ~cavity] = 2
            elif drawn:
                inside = torch.from_numpy(cavity)[None, None].float()
                near = functional.max_pool2d(inside, near_px, 1, near_px // 2)[0, 0].bool().numpy()
                label[near & ~cavity] = NOT_CAVITY
            else:
                label[:] = NOT_CAVITY
            image = normalise(patient["images"][index, phase])
            yield image, label, 1.0 if drawn else UNDRAWN_WEIGHT


def loss_of(logits, label, weight):
    """Cross entropy that counts muscle and background as one where that is all the expert said, plus Dice."""
    log = functional.log_softmax(logits.float(), 1)
    not_cavity = torch.logsumexp(log[:, [0, 2]], 1)
    four = torch.cat([log, not_cavity[:, None]], 1)
    entropy = functional.nll_loss(four, label, reduction="none").mean((1, 2))
    share = log.exp()
    dice = torch.zeros_like(entropy)
    for number in (1, 2):
        truth = (label == number).float()
        known = (label != NOT_CAVITY).float() if number == 2 else 1.0
        p = share[:, number] * known
        overlap = 2 * (p * truth).sum((1, 2)) + 20
        dice = dice + (1 - overlap / (p.sum((1, 2)) + truth.sum((1, 2)) + 20))
    return ((entropy * 2 + dice) * weight).mean()


class Pool:
    """All examples of the training patients on the device."""

    def __init__(self, patients, device):
        triples = [(t, p["spacing"]) for p in patients for t in examples(p)]
        self.images = torch.from_numpy(np.stack([t[0] for t, _ in triples]))[:, None].to(device)
        self.labels = torch.from_numpy(np.stack([t[1] for t, _ in triples])).to(torch.uint8).to(device)
        self.weights = torch.tensor([t[2] for t, _ in triples], device=device)
        self.spacing = torch.tensor([s for _, s in triples], device=device)

    def batch(self, dice):
        chosen = dice.index(len(self.images), BATCH_REAL)
        positions = grid(dice, BATCH_REAL, PATCH, PITCH_MM, self.spacing[chosen], self.images.shape[-1])
        real, label = sample(self.images[chosen], self.labels[chosen], positions)
        drawn, truth = synthetic(dice, BATCH_SYNTHETIC, PATCH, PITCH_MM)
        image = shade(dice, torch.cat([real, drawn]))
        weight = torch.cat([self.weights[chosen], torch.full((BATCH_SYNTHETIC,), 0.5, device=dice.device)])
        return image, torch.cat([label, truth]), weight


def train(pool, device, seconds, seed, note, keep):
    torch.manual_seed(seed)
    network = UNet(3).to(device).to(memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995), use_buffers=True
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.02)
    dice = Dice(device, seed)
    begun = kept = time.monotonic()
    step = 0
    while (passed := time.monotonic() - begun) < seconds:
        share = passed / seconds
        rate = 3e-3 * min(1.0, step / 100 + 0.01) * (0.5 + 0.5 * math.cos(math.pi * share))
        for group in optimiser.param_groups:
            group["lr"] = rate
        image, label, weight = pool.batch(dice)
        with torch.autocast(device.type, torch.bfloat16):
            logits = network(image.contiguous(memory_format=torch.channels_last))
        loss = loss_of(logits, label, weight)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        average.update_parameters(network)
        step += 1
        if step % 250 == 0:
            note(f"step {step} at {passed:.0f} s: loss {loss.item():.4f}")
        if time.monotonic() - kept > 25:
            kept = time.monotonic()
            keep(average.module)
    note(f"{step} steps in {time.monotonic() - begun:.0f} s")
    keep(average.module)
    return average.module


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cine", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--leave", required=True, choices=(*PATIENTS, "nobody"))
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    arguments.out.mkdir(parents=True, exist_ok=True)
    log = (arguments.out / f"without-{arguments.leave}.log").open("w", buffering=1)

    def note(text):
        print(f"[without {arguments.leave}] {text}", flush=True)
        log.write(text + "\n")

    def keep(network):
        state = {key: value.cpu().contiguous() for key, value in folded(network).state_dict().items()}
        torch.save(state, arguments.out / f"without-{arguments.leave}.pt")

    patients = load(arguments.cine)
    left = patients.get(arguments.leave)
    note(f"seed {arguments.seed}, torch {torch.__version__}, {device}")
    pool = Pool([p for name, p in patients.items() if name != arguments.leave], device)
    network = folded(train(pool, device, arguments.seconds, arguments.seed, note, keep))
    judged = {arguments.leave: left} if left else patients
    for name, patient in judged.items():
        result = report(patient, predict(network, patient, PATCH, PITCH_MM, device))
        note(f"{name}: {json.dumps(result)}")


if __name__ == "__main__":
    main()
