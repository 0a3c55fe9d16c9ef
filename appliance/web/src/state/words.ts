// DICOM and machine values in words for the reader. Pure; no HTML.
import type { Activity, Finding, FindingState, Measurement, StudySummary } from "../api/types";

/** PN "Family^Given^Middle^Prefix^Suffix" as "Family, Given Middle". */
export function personName(name: string): string {
  const [family = "", given = "", middle = ""] = (name.split("=")[0] ?? "").split("^").map((part) => part.trim());
  const first = [given, middle].filter((part) => part !== "").join(" ");
  if (family === "") return first === "" ? "No name" : first;
  return first === "" ? family : `${family}, ${first}`;
}

/** "20250131" and "2025-01-31" as "2025-01-31"; anything else as it came. */
export function date(value: string | null): string {
  if (value === null) return "";
  const digits = /^(\d{4})(\d{2})(\d{2})$/.exec(value);
  return digits === null ? value : `${digits[1] ?? ""}-${digits[2] ?? ""}-${digits[3] ?? ""}`;
}

/** TM "101530.000000" and "10:15:30" as "10:15". */
export function time(value: string | null): string {
  const digits = /^(\d{2}):?(\d{2})/.exec(value ?? "");
  return digits === null ? "" : `${digits[1] ?? ""}:${digits[2] ?? ""}`;
}

/** An RFC 3339 time in the station's own time zone, to the minute. */
export function moment(value: string): string {
  const parsed = new Date(value);
  if (Number.isNaN(parsed.getTime())) return value;
  const two = (part: number): string => String(part).padStart(2, "0");
  const day = `${parsed.getFullYear()}-${two(parsed.getMonth() + 1)}-${two(parsed.getDate())}`;
  return `${day} ${two(parsed.getHours())}:${two(parsed.getMinutes())}`;
}

/** Enough digits to compare, none to pretend precision: 0.42, 7.34, 45.7, 412. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const digits = size === 0 || size >= 100 ? 0 : size >= 10 ? 1 : 2;
  const text = value.toFixed(digits);
  // Trailing zeros claim precision: "20.0" comes from 20.
  return digits > 0 ? text.replace(/\.?0+$/, "") : text;
}

/** Agatston scores are read as whole numbers; only below ten does a fraction decide the category. */
export function score(value: number): string {
  return Math.abs(value) >= 10 ? number(Math.round(value)) : number(Math.round(value * 10) / 10);
}

export function unit(unitCode: string): string {
  // In UCUM, what stands in braces only repeats what is counted.
  if (unitCode === "1" || /^\{.*\}$/.test(unitCode)) return "";
  return unitCode.replace("mm3", "mm³").replace("mm2", "mm²").replace("[hnsf'U]", "HU");
}

export function isScore(measurement: Measurement): boolean {
  return /agatston/i.test(measurement.name);
}

export function scoreOf(finding: Finding): Measurement | null {
  return finding.measurements.find(isScore) ?? null;
}

/** Sign, words and explanation for each state: never colour alone. */
export const STATE_WORDS: Record<FindingState, { sign: string; name: string; meaning: string }> = {
  provisional: { sign: "◔", name: "Provisional", meaning: "The study may still grow." },
  preliminary: { sign: "○", name: "Preliminary", meaning: "Complete, not yet reviewed by a reader." },
  confirmed: { sign: "✓", name: "Confirmed", meaning: "Reviewed and confirmed by a reader." },
  rejected: { sign: "✕", name: "Rejected", meaning: "Reviewed and rejected by a reader." },
  superseded: { sign: "↻", name: "Superseded", meaning: "A newer result replaces this one." },
  failed: { sign: "!", name: "Failed", meaning: "The analysis did not finish." },
  not_applicable: { sign: "–", name: "Not applicable", meaning: "The analysis does not fit this study." },
};

/** What the box is doing with the study, for the chip in the worklist. */
export function activityWords(activity: Activity, instanceCount: number): string {
  const images = `${number(instanceCount)} ${instanceCount === 1 ? "image" : "images"}`;
  switch (activity.state) {
    case "receiving":
      return `Receiving, ${images}`;
    case "waiting":
      return `Waiting for more, ${images}`;
    case "queued":
      return "Queued";
    case "running": {
      const stage = activity.stage === "" ? "Running" : capitalised(activity.stage);
      return activity.percent === null ? stage : `${stage} ${Math.round(activity.percent)} %`;
    }
    case "failed":
      return activity.stage === "" ? "Failed" : `Failed: ${activity.stage}`;
    case "idle":
      return "Ready";
  }
}

export function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function studyTitle(study: StudySummary): string {
  return study.description === "" ? study.modalities.join(" ") || "Study" : study.description;
}

export function bytes(count: number): string {
  const gigabytes = count / 1e9;
  return gigabytes >= 1000 ? `${(gigabytes / 1000).toFixed(1)} TB` : `${gigabytes.toFixed(gigabytes < 10 ? 1 : 0)} GB`;
}
