// The worklist as a pure machine: what the box said goes in, what the reader sees comes out.
//
// connecting --connected--> live --lost--> lost --connected--> live
// Each time the connection stands, and on `resync`, the whole list is fetched again. Events that arrive
// while that fetch is under way win over its rows: the box sends one for every change, in order, so the
// last event about a study is never older than a list that missed it.
import type { StudySummary } from "../api/types";

export interface Worklist {
  connection: "connecting" | "live" | "lost";
  /** False until the first list came; an empty list is only then really empty. */
  loaded: boolean;
  studies: readonly StudySummary[];
  /** Studies heard of since the fetch in progress began. */
  heard: ReadonlyMap<string, StudySummary> | null;
}

export type WorklistInput =
  | { kind: "connected" }
  | { kind: "lost" }
  | { kind: "fetch_began" }
  | { kind: "list"; studies: readonly StudySummary[] }
  | { kind: "fetch_failed" }
  | { kind: "study"; study: StudySummary };

export const EMPTY_WORKLIST: Worklist = { connection: "connecting", loaded: false, studies: [], heard: null };

/** Newest arrival first, as the box lists them; ISO times in UTC sort as text. */
function newestFirst(studies: StudySummary[]): StudySummary[] {
  return studies.sort((left, right) =>
    left.first_arrival_at === right.first_arrival_at
      ? left.uid.localeCompare(right.uid)
      : right.first_arrival_at.localeCompare(left.first_arrival_at),
  );
}

function withStudy(studies: readonly StudySummary[], study: StudySummary): StudySummary[] {
  return newestFirst([...studies.filter((other) => other.uid !== study.uid), study]);
}

export function reduceWorklist(worklist: Worklist, input: WorklistInput): Worklist {
  switch (input.kind) {
    case "connected":
      return { ...worklist, connection: "live" };
    case "lost":
      return { ...worklist, connection: "lost" };
    case "fetch_began":
      return { ...worklist, heard: new Map() };
    case "fetch_failed":
      return { ...worklist, heard: null };
    case "list": {
      let studies = newestFirst([...input.studies]);
      for (const study of worklist.heard?.values() ?? []) studies = withStudy(studies, study);
      return { ...worklist, loaded: true, studies, heard: null };
    }
    case "study": {
      const heard = worklist.heard === null ? null : new Map(worklist.heard).set(input.study.uid, input.study);
      return { ...worklist, studies: withStudy(worklist.studies, input.study), heard };
    }
  }
}

/** Rows whose patient, description or accession number contains every word typed. */
export function filtered(studies: readonly StudySummary[], typed: string): StudySummary[] {
  const words = typed.toLowerCase().split(/\s+/).filter((word) => word !== "");
  return studies.filter((study) => {
    const row = [study.patient_name, study.patient_id, study.description, study.accession_number, study.study_date ?? ""]
      .join(" ")
      .toLowerCase();
    return words.every((word) => row.includes(word));
  });
}
