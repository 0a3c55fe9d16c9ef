// Where a lesion can lie, once: the keys, the chips and the tables all read this list. Pure.
import type { Finding, Lesion, Vessel } from "../api/types";

export interface Place {
  vessel: Vessel;
  /** As it is written in tables and on chips. */
  name: string;
  /** In full, for titles and screen readers. */
  long: string;
  key: string;
  /** Whether calcium there belongs to the coronary score. */
  counted: boolean;
}

// A row of keys for the four that count, in the order in which they leave the aorta; letters of the word for the rest.
export const PLACES: readonly Place[] = [
  { vessel: "lm", name: "LM", long: "left main", key: "7", counted: true },
  { vessel: "lad", name: "LAD", long: "left anterior descending", key: "8", counted: true },
  { vessel: "lcx", name: "LCX", long: "circumflex", key: "9", counted: true },
  { vessel: "rca", name: "RCA", long: "right coronary", key: "0", counted: true },
  { vessel: "aorta", name: "Aorta", long: "aorta", key: "t", counted: false },
  { vessel: "valve", name: "Valve", long: "a valve", key: "e", counted: false },
  { vessel: "other", name: "Other", long: "elsewhere", key: "u", counted: false },
];

export function placeOf(vessel: Vessel): Place {
  const place = PLACES.find((one) => one.vessel === vessel);
  if (place === undefined) throw new Error(`no place is called ${vessel}`);
  return place;
}

/** What nobody has assigned counts as a candidate; only a reader's word takes it out. */
export function isCounted(lesion: Lesion): boolean {
  return lesion.vessel === null || placeOf(lesion.vessel).counted;
}

export function unassigned(finding: Finding): Lesion[] {
  return finding.lesions.filter((lesion) => lesion.vessel === null);
}

/** The next lesion after `number`, round and round, that nobody has assigned. */
export function nextUnassigned(finding: Finding, number: number): Lesion | null {
  const { lesions } = finding;
  const at = lesions.findIndex((lesion) => lesion.number === number);
  const after = [...lesions.slice(at + 1), ...lesions.slice(0, at + 1)];
  return after.find((lesion) => lesion.vessel === null && lesion.number !== number) ?? null;
}
