"""Agatston score of everything in a volume with CuPy: what a good engineer writes with the usual tools.

usage: calcium_cupy.py FILE SLICES ROWS COLUMNS PIXEL_AREA_MM2 INCREMENT_MM
Prints `name value` lines; times are medians after a warm-up, in milliseconds.
"""
import statistics
import sys
import time

import cupy
import numpy
from cupyx.scipy import ndimage

# In-plane neighbours only: slices are labelled all at once and never joined.
IN_PLANE = numpy.zeros((3, 3, 3), dtype=bool)
IN_PLANE[1] = True


def score(hounsfield, area_mm2, increment_mm):
    foreground = hounsfield >= 130
    labels, count = ndimage.label(foreground, structure=IN_PLANE)
    inside = cupy.flatnonzero(foreground)
    labels = labels.ravel()[inside]
    pixels = cupy.bincount(labels, minlength=count + 1)
    peaks = cupy.zeros(count + 1, dtype=numpy.int32)
    cupy.maximum.at(peaks, labels, hounsfield.ravel()[inside].astype(numpy.int32))
    scored = pixels * area_mm2 >= 1.0 - 1e-9
    weights = cupy.clip(peaks // 100, 1, 4) * scored
    return float((weights * pixels).sum()) * area_mm2 * increment_mm / 3.0


def timed(work, times):
    start = time.perf_counter()
    done = work()
    cupy.cuda.Device().synchronize()
    times.append((time.perf_counter() - start) * 1e3)
    return done


def main():
    path, shape = sys.argv[1], tuple(int(size) for size in sys.argv[2:5])
    area_mm2, increment_mm = (float(value) for value in sys.argv[5:7])
    host = numpy.fromfile(path, dtype="<i2").reshape(shape)
    upload, compute = [], []
    for _ in range(6):
        device = timed(lambda: cupy.asarray(host), upload)
        agatston = timed(lambda: score(device, area_mm2, increment_mm), compute)
    upload_ms, compute_ms = (statistics.median(times[1:]) for times in (upload, compute))
    print(f"peer CuPy {cupy.__version__}")
    print(f"agatston {agatston!r}")
    print(f"upload_ms {upload_ms:.2f}")
    print(f"compute_ms {compute_ms:.2f}")
    print(f"total_ms {upload_ms + compute_ms:.2f}")


main()
