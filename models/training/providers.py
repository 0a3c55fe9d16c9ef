"""One network on every provider at hand: the largest difference from the CPU's answer, and times.

usage: providers.py NETWORK.onnx [--webgpu libonnxruntime_providers_webgpu.so]
"""

import argparse
import time

import numpy as np
import onnxruntime

from train import PATCH

BATCHES = (1, 8, 40)
REPEATS = 20


def session(file, device=None, threads=0):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    if device:
        options.add_provider_for_devices([device], {})
        return onnxruntime.InferenceSession(file, options)
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def median_ms(model, image):
    model.run(None, {"image": image})
    took = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        model.run(None, {"image": image})
        took.append((time.perf_counter() - begun) * 1000)
    return float(np.median(took))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("network")
    parser.add_argument("--webgpu")
    arguments = parser.parse_args()
    models = {"cpu, 2 threads": session(arguments.network, threads=2), "cpu, all threads": session(arguments.network)}
    if arguments.webgpu:
        onnxruntime.register_execution_provider_library("WebGpuExecutionProvider", arguments.webgpu)
        for device in onnxruntime.get_ep_devices():
            print(f"{device.ep_name}: {device.device.vendor} {device.device.type}")
            if device.ep_name == "WebGpuExecutionProvider" and "webgpu" not in models:
                begun = time.perf_counter()
                models["webgpu"] = session(arguments.network, device)
                print(f"webgpu session in {time.perf_counter() - begun:.2f} s")
    random = np.random.default_rng(5)
    image = random.random((max(BATCHES), 1, PATCH, PATCH), np.float32)
    reference = models["cpu, all threads"].run(None, {"image": image})[0]
    print("| provider | difference from CPU | " + " | ".join(f"batch {b}, ms" for b in BATCHES) + " |")
    print("|---|---|" + "---|" * len(BATCHES))
    for name, model in models.items():
        worst = np.abs(model.run(None, {"image": image})[0] - reference).max()
        times = " | ".join(f"{median_ms(model, image[:b]):.1f}" for b in BATCHES)
        print(f"| {name} | {worst:.1e} | {times} |", flush=True)


if __name__ == "__main__":
    main()
