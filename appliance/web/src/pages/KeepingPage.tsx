import { useSignal } from "@preact/signals";
import { fetchKeeping } from "../api/housekeeping";
import type { Keeping, KeptLine } from "../api/types";
import { deletionWords, forecastWords, plural, size } from "../state/box-words";
import { ledgerHash } from "../state/page";
import { date, moment, personName } from "../state/words";
import { Nothing, PageBody, useFollowed } from "./Followed";
import { HoldQuestion } from "./HoldQuestion";

export function KeepingPage() {
  const document = useFollowed(fetchKeeping);
  return (
    <PageBody title="Keeping" lead="How full the disk is, how long it lasts, and what may make room." document={document}>
      {(keeping) => (
        <>
          <Disk keeping={keeping} />
          <Studies keeping={keeping} reload={document.reload} />
        </>
      )}
    </PageBody>
  );
}

function Disk({ keeping }: { keeping: Keeping }) {
  const { free_bytes, total_bytes } = keeping.disk;
  const used = total_bytes - free_bytes;
  const percent = total_bytes === 0 ? 0 : Math.round((used / total_bytes) * 100);
  const full = free_bytes <= keeping.reserve_bytes;
  const soon = keeping.forecast?.days_left !== null && (keeping.forecast?.days_left ?? Infinity) < 7;
  return (
    <section class="card disk" aria-label="Disk" data-testid="disk">
      <header>
        <h3>Disk</h3>
        <span class={full ? "badge failed" : soon ? "badge provisional" : "badge confirmed"}>{full ? "! full" : soon ? "◔ soon full" : "✓ room"}</span>
        <span class="card-where">{percent} % full · {size(free_bytes)} of {size(total_bytes)} free</span>
      </header>
      <div class="meter" role="img" aria-label={`${percent} percent of the disk are full`}>
        <span class="meter-ours" style={{ width: share(keeping.used_bytes, total_bytes) }} />
        <span class="meter-others" style={{ width: share(used - keeping.used_bytes, total_bytes) }} />
        <span class="meter-reserve" style={{ width: share(keeping.reserve_bytes, total_bytes) }} />
      </div>
      <ul class="legend">
        <li><span class="swatch meter-ours" />studies {size(keeping.used_bytes)}</li>
        <li><span class="swatch meter-others" />other things {size(Math.max(0, used - keeping.used_bytes))}</li>
        <li><span class="swatch meter-reserve" />reserve {size(keeping.reserve_bytes)}, in which nothing is taken</li>
      </ul>
      <p>{forecastWords(keeping)}</p>
      <p>{deletionWords(keeping)}</p>
      {keeping.quota_bytes !== null && keeping.used_bytes > keeping.quota_bytes && (
        <p class="caution">Studies take {size(keeping.used_bytes - keeping.quota_bytes)} more than the quota. The list says what stays, and why.</p>
      )}
    </section>
  );
}

function share(part: number, whole: number): string {
  return `${whole === 0 ? 0 : Math.max(0, Math.min(100, (part / whole) * 100))}%`;
}

function Studies({ keeping, reload }: { keeping: Keeping; reload: () => void }) {
  if (keeping.studies.length === 0) return <Nothing title="No study is on this box.">The disk is all free for what the scanner sends.</Nothing>;
  return (
    <section aria-label="Studies in the order of deletion">
      <h3 class="list-title">Studies in the order in which they would make room</h3>
      <ul class="lines">{keeping.studies.map((line) => <StudyLine key={line.study_uid} line={line} reload={reload} />)}</ul>
      {keeping.studies_total > keeping.studies.length && (
        <p class="quiet">The first {keeping.studies.length} of {plural(keeping.studies_total, "study", "studies")}.</p>
      )}
    </section>
  );
}

function StudyLine({ line, reload }: { line: KeptLine; reload: () => void }) {
  const asking = useSignal(false);
  const held = line.legal_hold !== null;
  return (
    <li class="line keeping-line" data-testid="kept" data-uid={line.study_uid}>
      <a href={ledgerHash(line.study_uid)} class="line-who">
        <strong>{personName(line.patient_name)}</strong>
        <span class="quiet">{[line.patient_id, line.description, date(line.study_date)].filter((part) => part !== "").join(" · ")}</span>
      </a>
      <span class="line-size">{size(line.bytes)}</span>
      <span class="quiet line-when">{line.was_read ? "read" : "not read"} · {moment(line.last_arrival_at)}</span>
      <span class="line-why">
        {line.stays === null ? <span class="badge confirmed">✓ may be deleted</span> : <span><span class="badge">stays</span> {line.stays}</span>}
        {line.legal_hold !== null && <span class="quiet">“{line.legal_hold.reason}”, {line.legal_hold.by}, {moment(line.legal_hold.at)}</span>}
      </span>
      <button type="button" data-testid="hold" aria-pressed={held} onClick={() => { asking.value = true; }}>{held ? "Lift hold…" : "Legal hold…"}</button>
      {asking.value && <HoldQuestion study={line.study_uid} held={held} done={reload} close={() => { asking.value = false; }} />}
    </li>
  );
}
