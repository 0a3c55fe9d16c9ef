// The box's JSON, as the application uses it. Everything else imports these names from here, so that
// the generated `schema.d.ts` (npm run types) can take over by changing this one file.
// Times are RFC 3339 UTC strings, lengths millimetres, slices indices in the stack (ascending patient z).

export interface StudySummary {
  uid: string;
  patient_name: string;
  patient_id: string;
  birth_date: string | null;
  sex: string | null;
  study_date: string | null;
  study_time: string | null;
  description: string;
  accession_number: string;
  modalities: string[];
  series_count: number;
  instance_count: number;
  first_arrival_at: string;
  last_arrival_at: string;
  activity: Activity;
  headline: { text: string; state: FindingState } | null;
}

export interface Activity {
  state: "receiving" | "waiting" | "queued" | "running" | "idle" | "failed";
  stage: string;
  percent: number | null;
}

export interface StudyDetail extends StudySummary {
  series: SeriesSummary[];
}

export interface SeriesSummary {
  uid: string;
  modality: string;
  number: number | null;
  description: string;
  instance_count: number;
  frame_count: number;
  stack: Stack | null;
  /** Why there is no stack, in words for the reader. */
  stack_problem: string | null;
}

export interface Stack {
  columns: number;
  rows: number;
  frames: number;
  column_spacing_mm: number | null;
  row_spacing_mm: number | null;
  slice_increment_mm: number | null;
  unit: "HU" | "stored";
  window: { center: number; width: number } | null;
  photometric: "MONOCHROME1" | "MONOCHROME2";
  even: boolean;
  sop_instance_uids: string[];
  positions_mm: number[] | null;
  edge_letters: EdgeLetters | null;
}

export interface EdgeLetters {
  left: string;
  right: string;
  top: string;
  bottom: string;
}

export type FindingState =
  | "provisional"
  | "preliminary"
  | "confirmed"
  | "rejected"
  | "superseded"
  | "failed"
  | "not_applicable";

export interface Finding {
  id: string;
  study_uid: string;
  series_uid: string;
  kind: "calcium";
  title: string;
  state: FindingState;
  label: string;
  created_at: string;
  algorithm: { name: string; version: string; processor: string };
  scope: Scope;
  /** Why nothing ran, or why it failed. */
  reason: string | null;
  measurements: Measurement[];
  category: { scheme: string; text: string; provisional: boolean } | null;
  warnings: { code: string; text: string }[];
  lesions: Lesion[];
  lesions_truncated: boolean;
  reviewer: string | null;
  reviewed_at: string | null;
  superseded_by: string | null;
  superseded_reason: string | null;
}

export interface Measurement {
  name: string;
  value: number;
  unit: string;
}

export type Scope = { kind: "automatic"; rule: string } | { kind: "region"; shape: Shape; reader: string };

export type Shape = Circle | Polygon;

/** Pixel (i, j) is inside when (i - cx)^2 + (j - cy)^2 <= r^2; pixel centres are at integer coordinates. */
export interface Circle {
  shape: "circle";
  center_px: [number, number];
  radius_px: number;
  first_slice: number;
  last_slice: number;
}

/** Even-odd rule on pixel centres. */
export interface Polygon {
  shape: "polygon";
  points_px: [number, number][];
  first_slice: number;
  last_slice: number;
}

export interface Lesion {
  number: number;
  peak_hu: number;
  volume_mm3: number;
  agatston: number;
  center_px: [number, number, number];
  slices: SliceLesion[];
}

export interface SliceLesion {
  slice: number;
  area_mm2: number;
  peak_hu: number;
  weight: number;
  agatston: number;
  runs: Run[];
}

/** row, first column, length */
export type Run = [number, number, number];

export interface BoxFacts {
  version: string;
  site: string;
  device: string;
  ae_title: string;
  dicom_port: number;
  started_at: string;
  processor: { kind: "gpu" | "twin"; name: string; reason: string };
  disk: { free_bytes: number; total_bytes: number };
  store: { studies: number; instances: number; quarantined: number };
  broker: { configured: boolean; connected: boolean; waiting: number };
}
