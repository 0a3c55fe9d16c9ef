// A synthetic chest in Hounsfield units, drawn from ellipses: enough anatomy to judge a viewer by.
// Not a phantom with known truth; that one lives in tests/phantoms.

export const COLUMNS = 512;
export const ROWS = 512;
export const FRAMES = 47;
export const SPACING_MM = 0.68;
export const INCREMENT_MM = 3;

/** Calcified lesions: centre column, row, slice, radii in pixels and slices, density in HU. */
const CALCIFICATIONS = [
  { x: 284, y: 226, z: 30, rx: 11, ry: 4, rz: 3.4, hu: 560, tilt: 0.5 },
  { x: 246, y: 208, z: 33, rx: 5, ry: 6, rz: 2.2, hu: 380, tilt: -0.3 },
  { x: 318, y: 262, z: 24, rx: 4, ry: 9, rz: 2.6, hu: 310, tilt: 0.4 },
  { x: 216, y: 262, z: 20, rx: 4, ry: 4, rz: 1.6, hu: 230, tilt: 0 },
];

let seed = 20250131;
const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
const NOISE = Int8Array.from({ length: 65537 }, () => Math.round((random() + random() + random() + random() - 2) * 26));

const inside = (x, y, cx, cy, rx, ry, tilt = 0) => {
  const dx = x - cx;
  const dy = y - cy;
  const u = (dx * Math.cos(tilt) + dy * Math.sin(tilt)) / rx;
  const v = (-dx * Math.sin(tilt) + dy * Math.cos(tilt)) / ry;
  return u * u + v * v;
};

function tissue(x, y, z) {
  const height = z / (FRAMES - 1);
  const body = inside(x, y, 256, 262, 226, 158);
  if (body > 1) return y > 436 && y < 444 && x > 60 && x < 452 ? -700 : -1000;
  if (body > 0.9) return -105;
  if (body > 0.8) return rib(x, y, z) ? 320 : 55;
  const spine = inside(x, y, 256, 362, 31, 27);
  if (spine < 1) return spine > 0.72 ? 420 : 170;
  if (inside(x, y, 256, 393, 9, 22) < 1) return 330;
  if (inside(x, y, 256, 386, 10, 9) < 1) return 25;
  const sternum = inside(x, y, 256, 134, 27, 9);
  if (sternum < 1) return sternum > 0.6 ? 380 : 120;
  if (inside(x, y, 296, 340, 19, 19) < 1) return 48;
  const swell = 1 - 0.35 * height;
  const heart = inside(x, y, 272, 236, 84 * swell, 68 * swell, 0.45);
  if (heart < 1) return heart > 0.86 ? -85 : inside(x, y, 288, 250, 34 * swell, 27 * swell, 0.45) < 1 ? 42 : 52;
  const lung = Math.min(inside(x, y, 150, 268, 88, 118, 0.08), inside(x, y, 372, 268, 84, 116, -0.08));
  if (lung < 1) {
    const vessel = Math.sin(x * 0.21 + z * 0.5) * Math.sin(y * 0.19 - z * 0.4) + Math.sin((x + y) * 0.11 + z * 0.3) * 0.5;
    return vessel > 1.12 ? 30 : -860;
  }
  if (inside(x, y, 256, 330, 12, 9) < 1) return height > 0.6 ? -960 : 35;
  return body < 0.62 ? -95 : 50;
}

function rib(x, y, z) {
  const angle = Math.atan2(y - 262, x - 256) + z * 0.055;
  return Math.sin(angle * 9) > 0.62;
}

function calcium(x, y, z) {
  let hu = -2000;
  for (const one of CALCIFICATIONS) {
    const dz = (z - one.z) / one.rz;
    const r = inside(x, y, one.x, one.y, one.rx, one.ry, one.tilt) + dz * dz;
    if (r < 1.25) hu = Math.max(hu, one.hu * Math.min(1, (1.25 - r) * 1.6));
  }
  return hu;
}

const frames = new Map();

export function frame(z) {
  let pixels = frames.get(z);
  if (pixels === undefined) {
    pixels = new Int16Array(COLUMNS * ROWS);
    for (let y = 0; y < ROWS; y += 1) {
      for (let x = 0; x < COLUMNS; x += 1) {
        const noise = NOISE[(x * 7919 + y * 104729 + z * 1299709) % 65537] / 2;
        pixels[y * COLUMNS + x] = Math.round(Math.max(tissue(x, y, z), calcium(x, y, z)) + noise);
      }
    }
    frames.set(z, pixels);
  }
  return pixels;
}

const weight = (peak) => (peak >= 400 ? 4 : peak >= 300 ? 3 : peak >= 200 ? 2 : 1);

function sliceLesion(one, slice) {
  const pixels = frame(slice);
  const runs = [];
  let count = 0;
  let peak = 0;
  for (let y = one.y - 16; y <= one.y + 16; y += 1) {
    for (let x = one.x - 16; x <= one.x + 16; x += 1) {
      const value = pixels[y * COLUMNS + x];
      if (value < 130 || calcium(x, y, slice) < 60) continue;
      count += 1;
      peak = Math.max(peak, value);
      const last = runs.at(-1);
      if (last !== undefined && last[0] === y && last[1] + last[2] === x) last[2] += 1;
      else runs.push([y, x, 1]);
    }
  }
  const area_mm2 = count * SPACING_MM * SPACING_MM;
  return { slice, area_mm2, peak_hu: peak, weight: weight(peak), agatston: area_mm2 * weight(peak), runs };
}

export function lesions() {
  const found = CALCIFICATIONS.map((one) => {
    const slices = [];
    for (let z = Math.floor(one.z - one.rz * 1.2); z <= one.z + one.rz * 1.2; z += 1) {
      const here = sliceLesion(one, z);
      if (here.area_mm2 >= 1) slices.push(here);
    }
    return {
      number: 0,
      peak_hu: Math.max(...slices.map((slice) => slice.peak_hu)),
      volume_mm3: slices.reduce((sum, slice) => sum + slice.area_mm2 * INCREMENT_MM, 0),
      agatston: slices.reduce((sum, slice) => sum + slice.agatston, 0),
      center_px: [one.x, one.y, one.z],
      slices,
    };
  });
  found.sort((left, right) => right.agatston - left.agatston);
  found.forEach((lesion, index) => (lesion.number = index + 1));
  return found;
}
