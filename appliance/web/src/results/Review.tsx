// A reader's verdict on an automatic result, and the page to take along.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { postReview, reportPath } from "../api/client";
import type { Finding, Verdict } from "../api/types";
import { assignProblem, nameWanted } from "../state/assigning";
import { reloadStudy } from "../state/opened";
import { readerName } from "../state/reader";
import { unassigned } from "../state/vessels";

/** As long as the name in a report may be. */
const NAME_LENGTH_MAX = 64;

export function Review({ finding }: { finding: Finding }) {
  const busy = useSignal(false);
  const problem = useSignal<string | null>(null);
  const open = finding.state === "preliminary" || finding.state === "confirmed";
  const name = useRef<HTMLInputElement>(null);
  const wanted = nameWanted.value;
  useEffect(() => {
    if (!wanted) return;
    nameWanted.value = false;
    name.current?.focus();
  }, [wanted]);
  if (!open) return null;
  const left = finding.lesions_truncated ? finding.lesions.length : unassigned(finding).length;

  const give = async (verdict: Verdict): Promise<void> => {
    const reader = readerName.value.trim();
    if (reader === "") {
      problem.value = "Enter your name first: the report will carry it.";
      return;
    }
    busy.value = true;
    problem.value = null;
    try {
      await postReview(finding.study_uid, finding.id, verdict, reader);
      reloadStudy();
    } catch (thrown) {
      problem.value = thrown instanceof Error ? thrown.message : "The verdict was not taken. Try again.";
    }
    busy.value = false;
  };

  return (
    <form class="review" aria-label="Review" onSubmit={(event) => { event.preventDefault(); }}>
      <label>
        Reader
        <input
          ref={name}
          type="text"
          data-testid="reader"
          autocomplete="name"
          maxLength={NAME_LENGTH_MAX}
          value={readerName.value}
          onInput={(event) => { readerName.value = event.currentTarget.value; problem.value = null; assignProblem.value = null; }}
        />
      </label>
      <Assigned finding={finding} left={left} />
      <div class="buttons">
        {finding.state === "preliminary" && (
          <button class="primary" type="button" data-testid="confirm" disabled={busy.value || left > 0} title={left > 0 ? "Every lesion needs a vessel first" : undefined} onClick={() => { void give("confirmed"); }}>Confirm</button>
        )}
        <button type="button" data-testid="reject" disabled={busy.value} onClick={() => { void give("rejected"); }}>Reject</button>
        <a href={reportPath(finding.study_uid, finding.id)} target="_blank" rel="noopener">Report (PDF)</a>
      </div>
      {problem.value !== null && <p class="problem" role="alert">{problem.value}</p>}
      {assignProblem.value !== null && <p class="problem" role="alert">{assignProblem.value}</p>}
    </form>
  );
}

/** How far the reader is. */
function Assigned({ finding, left }: { finding: Finding; left: number }) {
  const all = finding.lesions.length;
  if (all === 0 || finding.state !== "preliminary") return null;
  const words = left === 0 ? `All ${all} lesions are assigned.` : `${all - left} of ${all} lesions are assigned. Choose one (N) and press its vessel's key.`;
  return (
    <div class="progress-line">
      <progress max={all} value={all - left} aria-label="Assigned lesions" />
      <span data-testid="assigned">{words}</span>
    </div>
  );
}
