import { fetchQuarantine, quarantinedPath } from "../api/housekeeping";
import type { QuarantinedObject } from "../api/types";
import { plural, size, standingWords } from "../state/box-words";
import { moment } from "../state/words";
import { Nothing, PageBody, useFollowed } from "./Followed";

export function QuarantinePage() {
  const document = useFollowed(fetchQuarantine);
  return (
    <PageBody
      title="Quarantine"
      lead="Objects that arrived whole and do not parse. They are kept as they came, committed and forwarded like any other, and never analysed."
      document={document}
    >
      {({ objects, total }) => total === 0
        ? <Nothing title="Nothing is in quarantine.">Every object that arrived could be read.</Nothing>
        : (
          <>
            <p class="quiet">{plural(total, "object")}{total > objects.length && `; the newest ${objects.length} are shown`}. Download one and show it to whoever maintains the sender.</p>
            <ul class="cards">{objects.map((object) => <ObjectCard key={object.sha256} object={object} />)}</ul>
          </>
        )}
    </PageBody>
  );
}

function ObjectCard({ object }: { object: QuarantinedObject }) {
  const facts: [string, string][] = [
    ["Arrived", moment(object.arrived_at)],
    ["From", object.source_ae_title ?? "an unnamed sender"],
    ["Size", size(object.bytes)],
    ["Said to be", object.sop_class_name ?? object.sop_class ?? "unknown"],
    ["Instance", object.sop_instance_uid ?? "unknown"],
    ["Transfer syntax", object.transfer_syntax ?? "unknown"],
    ["SHA-256", object.sha256],
  ];
  return (
    <li class="card" data-testid="quarantined">
      <div class="reason failed"><strong>{object.reason}</strong></div>
      <dl class="facts">
        {facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
        {object.destinations.map((standing) => <div key={standing.name}><dt>{standing.name}</dt><dd>{standingWords(standing)}</dd></div>)}
      </dl>
      <div class="buttons"><a class="button" href={quarantinedPath(object.sha256)} download data-testid="download">Download</a></div>
    </li>
  );
}
