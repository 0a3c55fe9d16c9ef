// The words of the 3-D view.
import type { Side } from "./eye";
import type { Look } from "./state";

const PRESET_NAMES: Record<string, string> = {
  bone: "Bone",
  angiography: "Vessels",
  soft_tissue: "Soft tissue",
  lung: "Lung",
  mr: "Tissue",
};

export const PROJECTION_NAMES = { maximum: "Maximum (MIP)", minimum: "Minimum (MinIP)", average: "Average" } as const;

export const PLANE_NAMES: readonly { side: Side; name: string }[] = [
  { side: "f", name: "Axial" },
  { side: "a", name: "Coronal" },
  { side: "l", name: "Sagittal" },
];

export const SIDE_NAMES: readonly { side: Side; name: string }[] = [
  { side: "a", name: "From the front" },
  { side: "p", name: "From the back" },
  { side: "l", name: "From the left" },
  { side: "r", name: "From the right" },
  { side: "h", name: "From the head" },
  { side: "f", name: "From the feet" },
];

export function presetName(preset: string): string {
  return PRESET_NAMES[preset] ?? preset;
}

export function lookName(look: Look): string {
  switch (look.kind) {
    case "volume":
      return `Volume, ${presetName(look.preset).toLowerCase()}`;
    case "projection":
      return PROJECTION_NAMES[look.method];
    case "plane":
      return `${PLANE_NAMES.find(({ side }) => side === look.side)?.name ?? "Oblique"} plane`;
    case "curve":
      return "Straightened along the path";
  }
}
