// The VOI lookup table: stored values to grey levels, exactly as PS3.3 C.11.2.1.2.1 (LINEAR) defines it.

export interface Window {
  center: number;
  width: number;
}

export interface Preset extends Window {
  name: string;
  key: string;
}

// 1 to 5 are OHIF's, so that hands trained there are right here.
// 6 puts the 130 HU threshold at mid-grey minus a tenth and 400 HU (weight 4) just under white:
// the four Agatston weights stay distinguishable while blood and muscle stay visible.
export const PRESETS: readonly Preset[] = [
  { name: "Soft tissue", key: "1", width: 400, center: 40 },
  { name: "Lung", key: "2", width: 1500, center: -600 },
  { name: "Liver", key: "3", width: 150, center: 90 },
  { name: "Bone", key: "4", width: 2500, center: 480 },
  { name: "Brain", key: "5", width: 80, center: 40 },
  { name: "Calcium", key: "6", width: 520, center: 190 },
];

/** Width 1 is the smallest the standard allows; 65536 already shows every int16 value. */
export const WIDTH_MIN = 1;
export const WIDTH_MAX = 65536;

/** PS3.3 C.11.2.1.2.1 for an output range of 0 to 255, before rounding. */
export function greyFromValue(value: number, { center, width }: Window): number {
  if (value <= center - 0.5 - (width - 1) / 2) return 0;
  if (value > center - 0.5 + (width - 1) / 2) return 255;
  return ((value - (center - 0.5)) / (width - 1) + 0.5) * 255;
}

/** int16 values are looked up at `value + LOOKUP_OFFSET`. */
export const LOOKUP_OFFSET = 32768;

/** 65536 opaque grey RGBA pixels; `inverted` is MONOCHROME1 exclusive-or the reader's inversion. */
export function lookupTable(window: Window, inverted: boolean): Uint32Array {
  const table = new Uint32Array(65536);
  for (let index = 0; index < table.length; index += 1) {
    const rounded = Math.round(greyFromValue(index - LOOKUP_OFFSET, window));
    const grey = inverted ? 255 - rounded : rounded;
    // Little-endian RGBA in memory is ABGR in a word; grey makes the order irrelevant but for alpha.
    table[index] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
  }
  return table;
}

export function applyLookup(pixels: Int16Array, table: Uint32Array, out: Uint32Array): void {
  for (let index = 0; index < pixels.length; index += 1) {
    out[index] = table[(pixels[index] as number) + LOOKUP_OFFSET] as number;
  }
}

/** A window for images that brought none: everything between the darkest and the brightest pixel. */
export function windowOfExtremes(pixels: Int16Array): Window {
  let lowest = 32767;
  let highest = -32768;
  for (const value of pixels) {
    if (value < lowest) lowest = value;
    if (value > highest) highest = value;
  }
  if (highest < lowest) return { center: 0, width: WIDTH_MAX };
  // +1: the standard's window spans width - 1 values between black and white, centred at center - 0.5.
  return { center: (lowest + highest + 1) / 2, width: Math.max(WIDTH_MIN, highest - lowest + 1) };
}

/**
 * A drag of `dx`, `dy` screen pixels. Right widens, down raises the centre (darker), as readers know it.
 * The step grows with the width, so that brain and bone windows both need a hand's breadth.
 */
export function draggedWindow(window: Window, dx: number, dy: number): Window {
  const step = Math.max(0.5, window.width / 400);
  return {
    center: Math.max(-LOOKUP_OFFSET, Math.min(LOOKUP_OFFSET, Math.round(window.center + dy * step))),
    width: Math.max(WIDTH_MIN, Math.min(WIDTH_MAX, Math.round(window.width + dx * step))),
  };
}
