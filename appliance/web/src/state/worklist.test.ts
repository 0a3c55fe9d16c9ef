import { describe, expect, it } from "vitest";
import type { StudySummary } from "../api/types";
import { EMPTY_WORKLIST, filtered, reduceWorklist, type Worklist, type WorklistInput } from "./worklist";

function study(uid: string, changes: Partial<StudySummary> = {}): StudySummary {
  return {
    uid,
    patient_name: "Phantom^Calcium",
    patient_id: "P-1",
    birth_date: null,
    sex: null,
    study_date: "2025-01-31",
    study_time: null,
    description: "Calcium scoring",
    accession_number: "",
    modalities: ["CT"],
    series_count: 1,
    instance_count: 1,
    conflict_count: 0,
    first_arrival_at: "2025-01-31T10:00:00Z",
    last_arrival_at: "2025-01-31T10:00:00Z",
    activity: { state: "receiving", stage: "", percent: null },
    headline: null,
    ...changes,
  };
}

const after = (...inputs: WorklistInput[]): Worklist => inputs.reduce(reduceWorklist, EMPTY_WORKLIST);
const uids = (worklist: Worklist): string[] => worklist.studies.map((row) => row.uid);

describe("worklist", () => {
  it("puts the newest arrival first, whoever told of it", () => {
    const worklist = after(
      { kind: "list", studies: [study("a"), study("c", { first_arrival_at: "2025-01-31T12:00:00Z" })] },
      { kind: "study", study: study("b", { first_arrival_at: "2025-01-31T11:00:00Z" }) },
    );
    expect(uids(worklist)).toEqual(["c", "b", "a"]);
  });

  it("replaces a study it knows instead of listing it twice", () => {
    const worklist = after(
      { kind: "list", studies: [study("a")] },
      { kind: "study", study: study("a", { instance_count: 47 }) },
    );
    expect(worklist.studies.map((row) => row.instance_count)).toEqual([47]);
  });

  it("does not lose an event that arrives while the list is being fetched", () => {
    const worklist = after(
      { kind: "fetch_began" },
      { kind: "study", study: study("a", { instance_count: 9 }) },
      { kind: "study", study: study("new") },
      { kind: "list", studies: [study("a", { instance_count: 3 })] },
    );
    expect(worklist.studies.find((row) => row.uid === "a")?.instance_count).toBe(9);
    expect(uids(worklist)).toContain("new");
  });

  it("drops studies the box no longer has when the list is fetched again", () => {
    const worklist = after(
      { kind: "list", studies: [study("gone"), study("kept")] },
      { kind: "fetch_began" },
      { kind: "list", studies: [study("kept")] },
    );
    expect(uids(worklist)).toEqual(["kept"]);
  });

  it("keeps its rows while the connection is lost, and says so until it stands again", () => {
    const lost = after({ kind: "connected" }, { kind: "list", studies: [study("a")] }, { kind: "lost" });
    expect(lost.connection).toBe("lost");
    expect(uids(lost)).toEqual(["a"]);
    expect(reduceWorklist(lost, { kind: "connected" }).connection).toBe("live");
  });

  it("is not taken for empty before the first list came", () => {
    expect(after({ kind: "connected" }, { kind: "fetch_began" }, { kind: "fetch_failed" }).loaded).toBe(false);
    expect(after({ kind: "list", studies: [] }).loaded).toBe(true);
  });
});

describe("filter", () => {
  const rows = [study("a", { patient_name: "Berg^Eva" }), study("b", { patient_name: "Berg^Olaf", description: "Head" })];

  it("wants every word, in any case and any field", () => {
    expect(filtered(rows, "berg HEAD").map((row) => row.uid)).toEqual(["b"]);
    expect(filtered(rows, " ").length).toBe(2);
    expect(filtered(rows, "berg knee")).toEqual([]);
  });
});
