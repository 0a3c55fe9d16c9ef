// How map values become colours: the scale of the box's own pictures, so that screen and PACS look alike.

/** Anchors from the low end to the high one. */
const COLORS: readonly (readonly [number, number, number])[] = [
  [24, 16, 72],
  [38, 78, 190],
  [30, 160, 200],
  [70, 196, 110],
  [224, 212, 70],
  [240, 140, 44],
  [214, 40, 40],
];

const STEPS = 256;

/** One opaque colour for each step of a scale, as ImageData wants it (little-endian ABGR). */
export const SCALE: Uint32Array = Uint32Array.from({ length: STEPS }, (_, step) => {
  const at = (step / (STEPS - 1)) * (COLORS.length - 1);
  const first = Math.min(Math.floor(at), COLORS.length - 2);
  const low = COLORS[first] ?? [0, 0, 0];
  const high = COLORS[first + 1] ?? low;
  const channel = (index: 0 | 1 | 2): number => Math.round(low[index] + (at - first) * (high[index] - low[index]));
  return ((255 << 24) | (channel(2) << 16) | (channel(1) << 8) | channel(0)) >>> 0;
});

/** The scale as a CSS gradient, low end first. */
export const GRADIENT = `linear-gradient(to right, ${COLORS.map((color) => `rgb(${color.join(" ")})`).join(", ")})`;

const BLACK = 0xff000000;

/** Values beyond the ends show as the ends; where there is no value stays black. */
export function colorize(values: Float32Array, [low, high]: readonly [number, number], out: Uint32Array): void {
  const factor = (STEPS - 1) / (high - low);
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] ?? Number.NaN;
    const step = Math.min(STEPS - 1, Math.max(0, Math.round((value - low) * factor)));
    out[index] = Number.isNaN(value) ? BLACK : (SCALE[step] ?? BLACK);
  }
}

/** Bits of the box's tissue bytes. */
export const TISSUE = { brain: 1, vessel: 2, csf: 4, core: 8, hypoperfused: 16 } as const;

export const CORE_COLOR: readonly [number, number, number] = [232, 62, 84];
export const HYPOPERFUSED_COLOR: readonly [number, number, number] = [64, 196, 120];

/** Grey images in a brain window with core and hypoperfused tissue half over them. */
export function overlaid(hounsfield: Int16Array, tissue: Uint8Array | null, shown: boolean, out: Uint32Array): void {
  const [center, width] = [40, 90];
  for (let index = 0; index < hounsfield.length; index += 1) {
    const grey = Math.min(255, Math.max(0, (((hounsfield[index] ?? 0) - center) / width + 0.5) * 255));
    const bits = shown ? (tissue?.[index] ?? 0) : 0;
    const over = (bits & TISSUE.core) !== 0 ? CORE_COLOR : (bits & TISSUE.hypoperfused) !== 0 ? HYPOPERFUSED_COLOR : null;
    const channel = (at: 0 | 1 | 2): number => (over === null ? grey : (grey + over[at]) / 2);
    out[index] = ((255 << 24) | (channel(2) << 16) | (channel(1) << 8) | channel(0)) >>> 0;
  }
}
