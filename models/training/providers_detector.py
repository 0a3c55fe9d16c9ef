"""A detector on every provider at hand, on inputs as large as the box's: the largest difference from the CPU's answer, and
times. Whole mammograms of 4096 x 3328 pixels of 0.07 mm, and of 0.1 mm; a chest of 512 x 512 x 300 voxels of 0.7 x 0.7 x 1 mm.

usage: providers_detector.py breast|lungs NETWORK.onnx [--webgpu libonnxruntime_providers_webgpu.so]
"""

import argparse
import time

import numpy as np
import onnxruntime

from providers import session

# Shape of one run, and how often it runs for one case; the box judges four slices together.
CASES = {
    "breast": {"4096 x 3328 of 0.07 mm": ((1, 2, 736, 608), 1), "4096 x 3328 of 0.1 mm": ((1, 2, 1024, 864), 1)},
    "lungs": {"512 x 512 x 300": ((4, 7, 384, 384), 50)},
}
REPEATS = 5


def median_ms(model, image, runs):
    took = []
    for _ in range(REPEATS if runs == 1 else 1):
        begun = time.perf_counter()
        for _ in range(runs):
            model.run(None, {"image": image})
        took.append((time.perf_counter() - begun) * 1000)
    return float(np.median(took))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=CASES)
    parser.add_argument("network")
    parser.add_argument("--webgpu")
    arguments = parser.parse_args()
    models = {"cpu, 2 threads": session(arguments.network, threads=2), "cpu, all threads": session(arguments.network)}
    if arguments.webgpu:
        onnxruntime.register_execution_provider_library("WebGpuExecutionProvider", arguments.webgpu)
        for device in onnxruntime.get_ep_devices():
            if device.ep_name == "WebGpuExecutionProvider" and "webgpu" not in models:
                models["webgpu"] = session(arguments.network, device)
    random = np.random.default_rng(5)
    print("| network | input | provider | difference from CPU | first run, ms | a case, ms |\n|---|---|---|---|---|---|")
    for what, (shape, runs) in CASES[arguments.task].items():
        image = random.random(shape, np.float32)
        reference = models["cpu, all threads"].run(None, {"image": image})[0]
        for name, model in models.items():
            begun = time.perf_counter()
            worst = np.abs(model.run(None, {"image": image})[0] - reference).max()
            first = (time.perf_counter() - begun) * 1000
            took = median_ms(model, image, runs)
            print(f"| {arguments.task} | {what} | {name} | {worst:.1e} | {first:.0f} | {took:.1f} |", flush=True)


if __name__ == "__main__":
    main()
