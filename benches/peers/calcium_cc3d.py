"""Agatston score of everything in a volume with numpy and connected-components-3d, two threads, slice by slice.

usage: calcium_cc3d.py FILE SLICES ROWS COLUMNS PIXEL_AREA_MM2 INCREMENT_MM
Prints `name value` lines; times are medians after a warm-up, in milliseconds.
"""
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import cc3d
import numpy


def weighted_pixels(hounsfield, area_mm2):
    """Of one slice."""
    foreground = hounsfield >= 130
    labels = cc3d.connected_components(foreground, connectivity=8)
    inside = numpy.flatnonzero(foreground)
    labels = labels.ravel()[inside]
    pixels = numpy.bincount(labels, minlength=1)
    peaks = numpy.zeros(len(pixels), dtype=numpy.int16)
    numpy.maximum.at(peaks, labels, hounsfield.ravel()[inside])
    scored = pixels * area_mm2 >= 1.0 - 1e-9
    return int((numpy.clip(peaks // 100, 1, 4) * pixels * scored).sum())


def main():
    path, shape = sys.argv[1], tuple(int(size) for size in sys.argv[2:5])
    area_mm2, increment_mm = (float(value) for value in sys.argv[5:7])
    hounsfield = numpy.fromfile(path, dtype="<i2").reshape(shape)
    times = []
    with ThreadPoolExecutor(2) as pool:
        for _ in range(4):
            start = time.perf_counter()
            weighted = sum(pool.map(lambda pixels: weighted_pixels(pixels, area_mm2), hounsfield))
            times.append((time.perf_counter() - start) * 1e3)
    print(f"peer numpy {numpy.__version__}, cc3d {version('connected-components-3d')}, 2 threads")
    print(f"agatston {weighted * area_mm2 * increment_mm / 3.0!r}")
    print(f"compute_ms {statistics.median(times[1:]):.1f}")


main()
