"""Reads the Sunnybrook cine MR studies (three patients, CC0) and their expert contours into one array file.

Phases are counted within a slice by trigger time; slices are ordered from base to apex by the order of acquisition,
their distance comes from the positions (SliceLocation lies in these files).

usage: cine.py DATA OUT.npz      (DATA holds dicoms/ and contours/)
"""

import sys
from pathlib import Path

import numpy as np
import pydicom

PATIENTS = {"SC-HF-I-1": "SCD0000101", "SC-HF-I-2": "SCD0000201", "SC-HF-I-4": "SCD0000301"}
PHASES = 20


def inside(points, rows, columns):
    """Pixels whose centre lies inside the outline (even-odd rule); the contours count pixels from 1."""
    x, y = points[:, 0] - 1.0, points[:, 1] - 1.0
    column, row = np.meshgrid(np.arange(columns), np.arange(rows))
    odd = np.zeros((rows, columns), bool)
    for i in range(len(x)):
        j = i - 1
        crosses = (y[i] > row) != (y[j] > row)
        with np.errstate(divide="ignore", invalid="ignore"):
            at = (x[j] - x[i]) * (row - y[i]) / (y[j] - y[i]) + x[i]
        odd ^= crosses & (column < at)
    return odd


def area_px(points):
    """Shoelace formula."""
    x, y = points[:, 0], points[:, 1]
    return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


def read_patient(data, patient):
    files = (data / "dicoms" / PATIENTS[patient]).glob("*.dcm")
    frames = {int(file.stem): pydicom.dcmread(file) for file in files}
    slices = len(frames) // PHASES
    first, last = frames[1], frames[(slices - 1) * PHASES + 1]
    rows, columns = first.Rows, first.Columns
    images = np.zeros((slices, PHASES, rows, columns), np.int16)
    for number, frame in frames.items():
        images[divmod(number - 1, PHASES)] = frame.pixel_array
    step = np.array(last.ImagePositionPatient, float) - np.array(first.ImagePositionPatient, float)
    distance = np.linalg.norm(step) / (slices - 1)
    # 0 nothing known, 1 inside endocardium, 2 between endocardium and epicardium.
    cavity = np.zeros((slices, PHASES, rows, columns), bool)
    whole = np.zeros_like(cavity)
    areas = {}
    for kind, mask in (("i", cavity), ("o", whole)):
        for file in sorted((data / "contours" / patient / f"{kind}-contours").glob("*.txt")):
            slice_, phase = divmod(int(file.name.split("-")[2]) - 1, PHASES)
            points = np.loadtxt(file)
            mask[slice_, phase] = inside(points, rows, columns)
            areas[kind, slice_, phase] = area_px(points)
    return images, cavity, whole, areas, float(first.PixelSpacing[0]), distance


def main(data, out):
    arrays = {}
    for patient in PATIENTS:
        images, cavity, whole, areas, spacing, distance = read_patient(Path(data), patient)
        # Eight bits between the darkest and the brightest thousandth of the study: noise is far coarser.
        low, high = np.percentile(images, [0.05, 99.95])
        eight = np.clip((images - low) / (high - low) * 255, 0, 255).round().astype(np.uint8)
        phases = sorted({phase for kind, _, phase in areas if kind == "i"})
        volumes = {
            phase: sum(area for (kind, _, at), area in areas.items() if kind == "i" and at == phase)
            * spacing**2 * distance / 1000
            for phase in phases
        }
        ed, es = max(volumes, key=volumes.get), min(volumes, key=volumes.get)
        ef = (volumes[ed] - volumes[es]) / volumes[ed] * 100
        print(f"{patient}: {images.shape[0]} slices, {spacing:.4f} mm pixels, {distance:.3f} mm apart,"
              f" ED phase {ed} {volumes[ed]:.1f} mL, ES phase {es} {volumes[es]:.1f} mL, EF {ef:.1f} %")
        arrays |= {
            f"{patient}/images": eight,
            f"{patient}/cavity": np.packbits(cavity[:, [ed, es]]),
            f"{patient}/whole": np.packbits(whole[:, ed]),
            f"{patient}/about": np.array([spacing, distance, ed, es, volumes[ed], volumes[es]]),
        }
    np.savez_compressed(out, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
