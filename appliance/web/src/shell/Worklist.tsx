import { computed, signal } from "@preact/signals";
import type { StudySummary } from "../api/types";
import { box, openUid, refetch, studyHash, worklist, worklistProblem } from "../state/station";
import { filtered } from "../state/worklist";
import * as words from "../state/words";
import { StateBadge } from "../results/StateBadge";
import { Icon } from "./Icon";

const typed = signal("");
const rows = computed(() => filtered(worklist.value.studies, typed.value));

export function ConnectionNote() {
  const lost = worklist.value.connection === "lost";
  return (
    <p class={lost ? "connection lost" : "connection"} role="status">
      {lost && <><Icon name="warning" /> <span>Connection to the box lost. What you see may be old. Trying again…</span></>}
      {worklist.value.connection === "live" && <span class="quiet">Live</span>}
    </p>
  );
}

export function Worklist({ wide = false }: { wide?: boolean }) {
  return (
    <section class={wide ? "worklist wide" : "worklist"} aria-label="Worklist">
      <div class="worklist-head">
        <h2>Studies <span class="count">{worklist.value.studies.length}</span></h2>
        <input
          type="search"
          placeholder="Name, number, description"
          aria-label="Filter the worklist"
          value={typed.value}
          onInput={(event) => { typed.value = event.currentTarget.value; }}
        />
      </div>
      {worklistProblem.value !== null && (
        <p class="problem" role="alert">
          {worklistProblem.value} <button type="button" onClick={() => void refetch()}>Try again</button>
        </p>
      )}
      {wide && rows.value.length > 0 && (
        <div class="study-columns quiet" aria-hidden="true">
          <span>Patient</span><span>Study</span><span>Date</span><span>Images</span><span>Result</span>
        </div>
      )}
      <ul class="study-list">
        {rows.value.map((study) => <StudyRow key={study.uid} study={study} />)}
      </ul>
      {rows.value.length === 0 && <EmptyNote />}
    </section>
  );
}

function EmptyNote() {
  if (!worklist.value.loaded) return <p class="quiet page-note">Reading the worklist…</p>;
  if (typed.value !== "") return <p class="quiet page-note">No study matches “{typed.value}”.</p>;
  const address = box.value === null ? "" : ` to ${box.value.ae_title}, port ${box.value.dicom_port}`;
  return <p class="quiet page-note">No study yet. Send one by DICOM{address}; it appears here while it arrives.</p>;
}

function StudyRow({ study }: { study: StudySummary }) {
  const open = openUid.value === study.uid;
  return (
    <li>
      <a class="study-row" data-testid="study-row" data-uid={study.uid} href={studyHash(study.uid)} aria-current={open ? "page" : undefined}>
        <span class="study-patient">
          <strong>{words.personName(study.patient_name)}</strong>
          <span class="quiet">{[study.patient_id, words.date(study.birth_date), study.sex].filter((part) => part !== null && part !== "").join(" · ")}</span>
        </span>
        <span class="study-what">
          <span>{words.studyTitle(study)}</span>
          <span class="quiet">{[study.modalities.join(" "), study.accession_number].filter((part) => part !== "").join(" · ")}</span>
        </span>
        <span class="study-date">{words.date(study.study_date)} <span class="quiet">{words.time(study.study_time)}</span></span>
        <span class="study-images">{words.number(study.instance_count)}<span class="unit"> images</span></span>
        <StudyState study={study} />
      </a>
    </li>
  );
}

/** What the box is doing with the study now, else what it found. */
function StudyState({ study }: { study: StudySummary }) {
  const { activity, headline } = study;
  const busy = activity.state !== "idle" && activity.state !== "failed";
  return (
    <span class="study-state" data-testid="study-state">
      {busy && (
        <span class={`chip ${activity.state}`}>
          <span class="dot" aria-hidden="true" />
          {words.activityWords(activity, study.instance_count)}
          {activity.percent !== null && <progress max={100} value={activity.percent} aria-label="Progress of the analysis" />}
        </span>
      )}
      {activity.state === "failed" && headline === null && <span class="chip failed"><Icon name="warning" /> {words.activityWords(activity, study.instance_count)}</span>}
      {headline !== null && (
        <span class="headline"><StateBadge state={headline.state} short /> <span>{headline.text}</span></span>
      )}
      {!busy && headline === null && activity.state === "idle" && <span class="quiet">No result yet</span>}
    </span>
  );
}

export function BoxLine() {
  const facts = box.value;
  if (facts === null) return null;
  const parts = [
    `${facts.site} / ${facts.device}`,
    `version ${facts.version}`,
    facts.processor.name === "" ? facts.processor.reason : facts.processor.name,
    `${words.bytes(facts.disk.free_bytes)} free`,
    brokerWords(facts.broker),
  ];
  const degraded = facts.processor.degraded ?? "";
  return (
    <footer class="box-line quiet" title={facts.processor.reason}>
      {degraded !== "" && <p class="chip failed" role="alert"><Icon name="warning" /> GPU: {degraded}</p>}
      {parts.filter((part) => part !== "").join(" · ")}
    </footer>
  );
}

function brokerWords(broker: { configured: boolean; connected: boolean; waiting: number }): string {
  if (!broker.configured) return "no broker";
  const waiting = broker.waiting > 0 ? `, ${broker.waiting} waiting` : "";
  return broker.connected ? `broker connected${waiting}` : `broker not reached${waiting}`;
}
