import { awaitedFindingId, chosenFindingId, currentFindings, earlierFindings, finding, series, study } from "../state/opened";
import { Icon } from "../shell/Icon";
import { draft } from "../state/region";
import { activityWords } from "../state/words";
import type { Finding } from "../api/types";
import { EarlierFinding, FindingCard, SilentFinding } from "./FindingCard";
import { DrawingHint, RegionEditor } from "./RegionEditor";

export function Results() {
  const current = currentFindings.value;
  const silent = current.filter((one) => !says(one));
  const earlier = earlierFindings.value;
  return (
    <aside class="results" aria-label="Results">
      {draft.value?.complete === true ? <RegionEditor /> : <DrawingHint />}
      {awaitedFindingId.value !== null && <p class="notice" role="status">Computing what was asked for…</p>}
      <Activity />
      <Cautions />
      {current.filter(says).map((one) => (
        <FindingCard
          key={one.id}
          finding={one}
          chosen={one.id === finding.value?.id}
          choose={() => { chosenFindingId.value = one.id; }}
        />
      ))}
      {current.length === 0 && study.value !== null && <p class="quiet page-note">No result yet.</p>}
      {silent.length > 0 && (
        <details class="earlier" open={silent.length === current.length}>
          <summary>Does not apply ({silent.length})</summary>
          {silent.map((one) => <SilentFinding key={one.id} finding={one} />)}
        </details>
      )}
      {earlier.length > 0 && (
        <details class="earlier">
          <summary>Earlier ({earlier.length})</summary>
          {earlier.map((one) => <EarlierFinding key={one.id} finding={one} />)}
        </details>
      )}
      <p class="disclaimer">Not a diagnosis. For review by a qualified reader.</p>
    </aside>
  );
}

/** An analysis that does not fit the series only says why; several of them would hide what was found. */
function says(finding: Finding): boolean {
  return finding.state !== "not_applicable" || finding.scope.kind !== "automatic";
}

/** What is odd about the images themselves, whatever was found in them. */
function Cautions() {
  const conflicts = study.value?.conflict_count ?? 0;
  // Time points and the phases of a heartbeat share their positions by nature.
  const dynamic = currentFindings.value.some((one) => (one.perfusion !== null || one.cardiac !== null) && one.series_uid === series.value?.uid);
  const problem = dynamic || series.value?.stack == null ? null : series.value.stack_problem;
  return (
    <>
      {problem !== null && <p class="caution"><Icon name="warning" /> <span>{problem}</span></p>}
      {conflicts > 0 && (
        <p class="caution">
          <Icon name="warning" />
          <span>{conflicts} {conflicts === 1 ? "image" : "images"} arrived a second time with other content. Both are kept, the first is shown.</span>
        </p>
      )}
    </>
  );
}

/** What the box is doing with this study now. */
function Activity() {
  const opened = study.value;
  if (opened === null || opened.activity.state === "idle") return null;
  const { activity } = opened;
  return (
    <div class={`notice chip ${activity.state}`} role="status">
      <span class="dot" aria-hidden="true" />
      <span>{activityWords(activity, opened.instance_count)}</span>
      {activity.percent !== null && <progress max={100} value={activity.percent} aria-label="Progress of the analysis" />}
    </div>
  );
}
