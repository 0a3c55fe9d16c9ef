import { useSignal } from "@preact/signals";
import { fetchDestinations, retryDestination } from "../api/housekeeping";
import type { Destination } from "../api/types";
import { Icon } from "../shell/Icon";
import { ago, plural, remedy } from "../state/box-words";
import { ledgerHash, pageHash } from "../state/page";
import { Nothing, PageBody, useFollowed } from "./Followed";

export function DestinationsPage() {
  const document = useFollowed(fetchDestinations);
  return (
    <PageBody title="Destinations" lead="Where studies are forwarded to. Each has a queue of its own: a dead one delays nobody else." document={document}>
      {({ destinations }) => destinations.length === 0
        ? <Nothing title="No destination is named in the site file.">What arrives stays on this box. Add a [[destinations]] section to the site file and restart the box.</Nothing>
        : <ul class="cards">{destinations.map((one) => <DestinationCard key={one.name} destination={one} reload={document.reload} />)}</ul>}
    </PageBody>
  );
}

function DestinationCard({ destination, reload }: { destination: Destination; reload: () => void }) {
  const failing = destination.reached === false || destination.isolated > 0;
  return (
    <li class="card" data-testid="destination" data-name={destination.name}>
      <header>
        <h3>{destination.name}</h3>
        <Health destination={destination} />
        {destination.archive && <span class="badge">archive</span>}
        <span class="quiet card-where">{destination.kind === "stow" ? "STOW-RS" : "C-STORE"} · {destination.address}</span>
      </header>
      {destination.error !== null && <Failure reason={destination.error} at={destination.reached_at} />}
      <dl class="counts">
        <Count name="on their way" value={destination.waiting} />
        <Count name="set apart" value={destination.isolated} bad />
        {destination.archive && <Count name="not confirmed yet" value={destination.unconfirmed} />}
      </dl>
      {destination.problems.length > 0 && <SetApart destination={destination} />}
      {(failing || destination.waiting > 0) && <Retry destination={destination} reload={reload} />}
    </li>
  );
}

function Health({ destination }: { destination: Destination }) {
  if (destination.reached === null) return <span class="badge">○ not tried yet</span>;
  return destination.reached ? <span class="badge confirmed">✓ reached</span> : <span class="badge failed">! not reached</span>;
}

function Failure({ reason, at }: { reason: string; at: string | null }) {
  const what = remedy(reason);
  return (
    <div class="reason failed" role="status">
      <strong>{reason}</strong>
      {what !== null && <span>{what}</span>} {at !== null && <span class="quiet">Last tried {ago(at, Date.now())}.</span>}
    </div>
  );
}

function Count({ name, value, bad = false }: { name: string; value: number; bad?: boolean }) {
  return (
    <div class={bad && value > 0 ? "count-bad" : undefined}>
      <dd>{value}</dd>
      <dt>{name}</dt>
    </div>
  );
}

/** Objects that failed too often, gathered by the reason. */
function SetApart({ destination }: { destination: Destination }) {
  const reasons = new Map<string, Destination["problems"]>();
  for (const problem of destination.problems) reasons.set(problem.reason, [...(reasons.get(problem.reason) ?? []), problem]);
  return (
    <details class="set-apart" open>
      <summary>{plural(destination.isolated, "object")} set apart; the others go on</summary>
      {[...reasons].map(([reason, problems]) => (
        <div class="reason failed" key={reason}>
          <strong>{reason}</strong>
          {remedy(reason) !== null && <span>{remedy(reason)}</span>}
          <ul class="uids">
            {problems.map((problem) => (
              <li key={problem.sop_instance_uid ?? problem.reason}>
                {problem.study_uid === null
                  ? <a href={pageHash("quarantine")}>an object of the quarantine</a>
                  : <a href={ledgerHash(problem.study_uid)}>{problem.sop_instance_uid}</a>}
              </li>
            ))}
          </ul>
        </div>
      ))}
      {destination.isolated > destination.problems.length && <p class="quiet">The first {destination.problems.length} are shown.</p>}
    </details>
  );
}

function Retry({ destination, reload }: { destination: Destination; reload: () => void }) {
  const busy = useSignal(false);
  const said = useSignal<string | null>(null);
  const again = async (): Promise<void> => {
    busy.value = true;
    try {
      const objects = await retryDestination(destination.name);
      said.value = objects === 0 ? "Trying now." : `Trying now; ${plural(objects, "object")} that failed ${objects === 1 ? "gets" : "get"} a new start.`;
      reload();
    } catch (thrown) {
      said.value = thrown instanceof Error ? thrown.message : "The box did not take it. Try again.";
    }
    busy.value = false;
  };
  return (
    <div class="buttons">
      <button type="button" data-testid="retry" disabled={busy.value} onClick={again}><Icon name="turnRight" /> Try again</button>
      <span class="quiet" role="status">{said.value}</span>
    </div>
  );
}
