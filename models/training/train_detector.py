"""Trains `mammography_cad` or `lesion_det` on synthetic scenes, time-boxed.

usage: train_detector.py breast|lungs TRAINING OUT --seconds 100 --seed 1 [--more FOLDER] [--resume CHECKPOINT.pt]

FOLDER: scenes that are still being drawn when training begins; taken in when their index is there.
"""

import argparse
import math
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from detector import Detector
from network import folded
from scenes import TASKS, Pool

# Of a new network, and of one trained before.
RATE, RATE_AGAIN = 2e-3, 1.2e-3


def loss_of(logits, heat, radius, counts):
    """Quality focal loss of the heat (Li et al. 2020), absolute error of the radius where there is a lesion."""
    logits = logits.float()
    share = logits[:, :-1].sigmoid()
    entropy = functional.binary_cross_entropy_with_logits(logits[:, :-1], heat, reduction="none")
    spots = (heat > 0.95).sum().clamp(min=1)
    focal = ((heat - share) ** 2 * entropy).sum() / spots
    wrong = (logits[:, -1:].sigmoid() - radius).abs() * counts
    return focal + 2.0 * wrong.sum() / counts.sum().clamp(min=1)


@torch.no_grad()
def resume(network, checkpoint, images):
    """Weights of a kept network, whose normalisation is part of its convolutions: each layer gets back one that, on these
    images, changes nothing."""
    state = torch.load(checkpoint, map_location=images.device, weights_only=True)
    owned = network.state_dict()
    owned.update({name: value for name, value in state.items() if name in owned})
    network.load_state_dict(owned)

    def neutral(name):
        def hook(layer, inputs):
            mean, variance = inputs[0].float().mean((0, 2, 3)), inputs[0].float().var((0, 2, 3), unbiased=False)
            layer.weight.copy_((variance + layer.eps).sqrt())
            layer.bias.copy_(mean + state[name[: name.rindex(".")] + ".0.bias"])
            layer.running_mean.copy_(mean)
            layer.running_var.copy_(variance)

        return hook

    layers = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.BatchNorm2d)]
    hooks = [layer.register_forward_pre_hook(neutral(name)) for name, layer in layers]
    network.train()(images)
    for one in hooks:
        one.remove()


def train(pool, seconds, seed, note, keep, more=None, kept_before=None):
    task, device = pool.task, pool.device
    torch.manual_seed(seed)
    pool.random.manual_seed(seed)
    network = Detector(task.inputs, task.classes, task.stride, task.widths).to(device).to(memory_format=torch.channels_last)
    if kept_before:
        resume(network, kept_before, pool.batch()[0])
    most = RATE_AGAIN if kept_before else RATE
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995), use_buffers=True
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=most, weight_decay=0.02)
    begun = kept = time.monotonic()
    step, running = 0, None
    while (passed := time.monotonic() - begun) < seconds:
        rate = most * min(1.0, step / 100 + 0.01) * (0.5 + 0.5 * math.cos(math.pi * passed / seconds))
        for group in optimiser.param_groups:
            group["lr"] = rate
        if more and step % 250 == 0 and (more / "index.json").exists():
            pool.add(more)
            more = None
            note(f"{len(pool.images)} scenes from step {step} on")
        images, (heat, radius, counts) = pool.batch()
        with torch.autocast(device.type, torch.bfloat16):
            logits = network(images.contiguous(memory_format=torch.channels_last))
        loss = loss_of(logits, heat, radius, counts)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        average.update_parameters(network)
        running = loss.detach() if running is None else 0.98 * running + 0.02 * loss.detach()
        step += 1
        if step % 250 == 0:
            note(f"step {step} at {passed:.0f} s: loss {running.item():.4f}")
        if time.monotonic() - kept > 25:
            kept = time.monotonic()
            keep(average.module)
    note(f"{step} steps in {time.monotonic() - begun:.0f} s, {len(pool.images)} scenes")
    keep(average.module)
    return average.module


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("training", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--more", type=Path)
    parser.add_argument("--resume", type=Path)
    arguments = parser.parse_args()
    task = TASKS[arguments.task]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    arguments.out.mkdir(parents=True, exist_ok=True)
    log = (arguments.out / f"{task.name}.log").open("w", buffering=1)

    def note(text):
        print(f"[{task.name}] {text}", flush=True)
        log.write(text + "\n")

    def keep(network):
        state = {key: value.cpu().contiguous() for key, value in folded(network).state_dict().items()}
        torch.save(state, arguments.out / f"{task.name}.pt")

    note(f"seed {arguments.seed}, torch {torch.__version__}, {device}")
    train(Pool(task, arguments.training, device), arguments.seconds, arguments.seed, note, keep, arguments.more, arguments.resume)


if __name__ == "__main__":
    main()
