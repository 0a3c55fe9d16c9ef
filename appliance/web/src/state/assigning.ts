// A reader's assignments on their way to the box, one after the other: keys are pressed faster than answers come.
import { signal } from "@preact/signals";
import { postAssignments } from "../api/client";
import type { Finding, Vessel } from "../api/types";
import { replaceFinding } from "./opened";
import { readerName } from "./reader";

export const assignProblem = signal<string | null>(null);
/** Set when an assignment wants a name first; the field takes the focus. */
export const nameWanted = signal(false);

let last: Promise<void> = Promise.resolve();

export function canAssign(finding: Finding | null): finding is Finding {
  return finding !== null && finding.calcium !== null && (finding.state === "preliminary" || finding.state === "confirmed");
}

/** Says where lesions lie. False where it was not even asked: nobody said who is reading. */
export function assign(finding: Finding, lesions: readonly number[], vessel: Vessel | null): boolean {
  const assignments = lesions.map((lesion) => ({ lesion, vessel }));
  const reader = readerName.value.trim();
  if (reader === "") {
    nameWanted.value = true;
    assignProblem.value = "Enter your name first: every assignment carries it.";
    return false;
  }
  assignProblem.value = null;
  last = last.then(async () => {
    try {
      replaceFinding(await postAssignments(finding.study_uid, finding.id, assignments, reader));
    } catch (thrown) {
      assignProblem.value = thrown instanceof Error ? thrown.message : "The assignment was not taken. Try again.";
    }
  });
  return true;
}
