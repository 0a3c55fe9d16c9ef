// A reader's verdict on an automatic result, and the page to take along.
import { useSignal } from "@preact/signals";
import { postReview, reportPath } from "../api/client";
import type { Finding, Verdict } from "../api/types";
import { readerName } from "../state/reader";
import { reloadStudy } from "../state/opened";

/** As long as the name in a report may be. */
const NAME_LENGTH_MAX = 64;

export function Review({ finding }: { finding: Finding }) {
  const busy = useSignal(false);
  const problem = useSignal<string | null>(null);
  const open = finding.state === "preliminary" || finding.state === "confirmed";
  if (finding.scope.kind !== "automatic" || !open) return null;

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
          type="text"
          data-testid="reader"
          autocomplete="name"
          maxLength={NAME_LENGTH_MAX}
          value={readerName.value}
          onInput={(event) => { readerName.value = event.currentTarget.value; problem.value = null; }}
        />
      </label>
      <div class="buttons">
        {finding.state === "preliminary" && (
          <button class="primary" type="button" data-testid="confirm" disabled={busy.value} onClick={() => { void give("confirmed"); }}>Confirm</button>
        )}
        <button type="button" data-testid="reject" disabled={busy.value} onClick={() => { void give("rejected"); }}>Reject</button>
        <a href={reportPath(finding.study_uid, finding.id)} target="_blank" rel="noopener">Report (PDF)</a>
      </div>
      {problem.value !== null && <p class="problem" role="alert">{problem.value}</p>}
    </form>
  );
}
