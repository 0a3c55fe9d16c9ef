// The box's JSON by name. `schema.d.ts` is generated from the box's own OpenAPI document (npm run types);
// this file only says what that document cannot: that every key is always there, and how long lists are.
import type { components } from "./schema";

type Schemas = components["schemas"];

/** The box writes every key, null where there is nothing; the document calls nullable keys optional. */
type Whole<T> = T extends readonly (infer Item)[]
  ? Whole<Item>[]
  : T extends object
    ? { [Key in keyof T]-?: Whole<T[Key]> }
    : T;

export type StudySummary = Whole<Schemas["StudySummary"]>;
export type Activity = Whole<Schemas["StudyActivity"]>;
export type SeriesSummary = Whole<Schemas["SeriesSummary"]>;
export type StudyDetail = StudySummary & { series: SeriesSummary[] };
export type Stack = Whole<Schemas["StackShape"]>;
export type EdgeLetters = Schemas["EdgeLetters"];
export type FindingState = Schemas["FindingState"];
export type Verdict = Schemas["Verdict"];
export type Measurement = Schemas["Measurement"];
export type Vessel = Schemas["Vessel"];
export type Calcium = Whole<Omit<Schemas["Calcium"], "vessels">> & { vessels: VesselSum[] };
export type VesselSum = Whole<Schemas["VesselSum"]>;
export type Warning = Schemas["Warning"];
export type BoxFacts = Whole<Schemas["BoxState"]>;
export type BoxLedger = Whole<Schemas["BoxLedger"]>;
export type LedgerLine = Whole<Schemas["LedgerLine"]>;
export type LedgerTotal = Whole<Schemas["LedgerTotal"]>;
export type LedgerDifference = Whole<Schemas["LedgerDifference"]>;
export type LedgerStanding = Whole<Schemas["LedgerStanding"]>;
export type StudyLedger = Whole<Schemas["StudyLedger"]>;
export type Hold = Whole<Schemas["HoldState"]>;
export type Destinations = Whole<Schemas["Destinations"]>;
export type Destination = Whole<Schemas["DestinationState"]>;
export type IdentityChoice = Schemas["IdentityChoice"];
export type IdentityConflicts = Whole<Schemas["IdentityConflicts"]>;
export type StudyIdentity = Whole<Schemas["StudyIdentity"]>;
export type Identity = Whole<Schemas["Identity"]>;
export type Quarantine = Whole<Schemas["Quarantine"]>;
export type QuarantinedObject = Whole<Schemas["QuarantinedObject"]>;
export type Keeping = Whole<Schemas["Keeping"]>;
export type KeptLine = Whole<Schemas["KeptLine"]>;

export type PerfusionPart = Whole<Schemas["PerfusionPart"]>;
export type PerfusionMap = PerfusionPart["maps"][number];
export type MapKind = Schemas["MapKind"];
export type InletCurve = Whole<Schemas["InletCurve"]>;
export type PerfusionChoice = PerfusionPart["choice"];
export type PerfusionMethod = Schemas["PerfusionMethod"];
export type FlowReference = Schemas["FlowReference"];
export type Curve = Schemas["CurveAnswer"];

export type StructuresPart = Whole<Schemas["StructuresPart"]>;
export type FoundStructure = StructuresPart["found"][number];

export type Finding = Omit<Whole<Schemas["Finding"]>, "lesions" | "scope" | "calcium" | "cardiac" | "marks"> & {
  lesions: Lesion[];
  scope: Scope;
  calcium: Calcium | null;
  cardiac: Ventricle | null;
  marks: MarksPart | null;
};

export type Rescored = Omit<Whole<Schemas["Rescored"]>, "lesions"> & { lesions: Lesion[] };

export type Scope =
  | Extract<Schemas["Scope"], { kind: "automatic" }>
  | { kind: "region"; shape: Shape; reader: string }
  | { kind: "chosen"; choice: PerfusionChoice; reader: string }
  | { kind: "edited"; of: string; reader: string };

/** Pixel (i, j) is inside when (i - cx)^2 + (j - cy)^2 <= r^2; pixel centres are at integer coordinates. */
type Circle = Omit<Extract<Schemas["Shape"], { shape: "circle" }>, "center_px"> & { center_px: [number, number] };

/** Even-odd rule on pixel centres. */
type Polygon = Omit<Extract<Schemas["Shape"], { shape: "polygon" }>, "points_px"> & { points_px: [number, number][] };

export type Shape = Circle | Polygon;

/** `center_px` is column, row, slice; slices are indices in the stack (ascending patient z). */
export type Lesion = Omit<Whole<Schemas["Lesion"]>, "center_px" | "bounds_px" | "slices"> & {
  center_px: [number, number, number];
  /** First and last column, row, slice, both inside. */
  bounds_px: [[number, number, number], [number, number, number]];
  slices: SliceLesion[];
};

export type SliceLesion = Omit<Schemas["LesionSlice"], "runs"> & { runs: Run[] };

/** The left ventricle over a cycle. */
export type Ventricle = Omit<Whole<Schemas["CardiacPart"]>, "slices"> & { slices: { ed: Masks; es: Masks }[] };

/** Column and row of each point, pixel centres at whole numbers; empty where there is no border. */
export type BorderPoints = [number, number][];

export type PhaseContours = Omit<Schemas["PhaseContours"], "slices"> & { slices: SliceBorders[] };
export type SliceBorders = Omit<Schemas["SliceBorders"], "endocardium" | "epicardium"> & {
  endocardium: BorderPoints;
  epicardium: BorderPoints;
};
export type ContourRequest = Schemas["ContourRequest"];

/** What a detection network marked. */
export type MarksPart = Omit<Whole<Schemas["MarksPart"]>, "marks" | "views"> & { marks: FoundMark[]; views: MarkedView[] };

/** `center_px` is column, row, slice; `radius_px` columns, rows. */
export type FoundMark = Omit<Whole<Schemas["FoundMark"]>, "center_px" | "radius_px"> & {
  center_px: [number, number, number];
  radius_px: [number, number];
};

export type MarkedView = Omit<Whole<Schemas["MarkedView"]>, "heat"> & { heat: HeatGrid | null };

/** Cells are column, row, percent. */
export type HeatGrid = Omit<Whole<Schemas["HeatGrid"]>, "cell_px" | "cells"> & {
  cell_px: [number, number];
  cells: [number, number, number][];
};

/** Pixels of one image. */
export interface Masks {
  sop_instance_uid: string;
  cavity: Run[];
  muscle: Run[];
}

/** row, first column, length */
export type Run = [number, number, number];
