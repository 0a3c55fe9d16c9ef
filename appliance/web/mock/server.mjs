// A stand-in for the box, for work on the looks alone: `npm run mock`, then open the address it prints.
// It serves dist/ and the API over a synthetic chest, with one study in each state a reader can meet.
// Never shipped, never a reference for the API: that is /api/openapi.json of a real box.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { COLUMNS, FRAMES, frame, INCREMENT_MM, lesions, ROWS, SPACING_MM } from "./chest.mjs";

const PORT = Number(process.env.PORT ?? 8090);
const DIST = join(import.meta.dirname, "..", "dist");
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'";

const ALGORITHM = { name: "calcium", version: "0.1.0", processor: "CPU twin, 2 threads" };
const RULE =
  "Soft tissue enclosed by the lungs, away from spine, sternum and ribs. Excludes bone and everything outside the " +
  "heart's surroundings. It cannot tell coronary calcium from calcium in valves or the aortic root.";

const SOP = Array.from({ length: FRAMES }, (_, index) => `1.2.826.0.1.3680043.10.1.${index + 1}`);
const STACK = {
  columns: COLUMNS, rows: ROWS, frames: FRAMES,
  column_spacing_mm: SPACING_MM, row_spacing_mm: SPACING_MM, slice_increment_mm: INCREMENT_MM,
  unit: "HU", window: { center: 50, width: 350 }, photometric: "MONOCHROME2", even: true,
  sop_instance_uids: SOP, positions_mm: SOP.map((_, index) => -210 + index * INCREMENT_MM),
  edge_letters: { left: "R", right: "L", top: "A", bottom: "P" },
};

const LESIONS = lesions();
const total = (pick) => LESIONS.reduce((sum, lesion) => sum + pick(lesion), 0);

function study(uid, patient_name, changes) {
  return {
    uid, patient_name, patient_id: `SL-${uid.slice(-4)}`, birth_date: "1957-03-14", sex: "F",
    study_date: "2025-01-31", study_time: "10:15:30", description: "Cardiac CT, calcium scoring", accession_number: `A${uid.slice(-4)}`,
    modalities: ["CT"], series_count: 1, instance_count: FRAMES, conflict_count: 0,
    first_arrival_at: "2025-01-31T09:20:00Z", last_arrival_at: "2025-01-31T09:20:04Z",
    activity: { state: "idle", stage: "", percent: null }, headline: null, ...changes,
  };
}

function finding(study_uid, id, changes) {
  return {
    id, study_uid, series_uid: `${study_uid}.2`, kind: "calcium", title: "Coronary calcium", state: "preliminary",
    label: "candidate calcium, automatic, unreviewed", created_at: "2025-01-31T09:20:05Z", algorithm: ALGORITHM,
    scope: { kind: "automatic", rule: RULE }, reason: null,
    measurements: [
      { name: "Agatston score", value: total((lesion) => lesion.agatston), unit: "1" },
      { name: "Calcium volume", value: total((lesion) => lesion.volume_mm3), unit: "mm3" },
      { name: "Lesions", value: LESIONS.length, unit: "1" },
    ],
    category: { scheme: "Agatston", text: ">400", provisional: true },
    warnings: [{ code: "no_ecg_gating", text: "The series does not say that it is ECG-gated; motion may raise or lower the score." }],
    lesions: LESIONS, lesions_truncated: false, reviewer: null, reviewed_at: null, superseded_by: null, superseded_reason: null,
    ...changes,
  };
}

const empty = { measurements: [], category: null, warnings: [], lesions: [] };
const score = Math.round(total((lesion) => lesion.agatston));
const headline = { text: `Agatston ${score} · automatic, unreviewed`, state: "preliminary" };

const studies = new Map();
const findings = new Map();
function add(one, list) {
  studies.set(one.uid, one);
  findings.set(one.uid, list);
}
add(study("1.2.840.1001", "Lindqvist^Astrid", { headline }), [
  finding("1.2.840.1001", "f2", {}),
  finding("1.2.840.1001", "f1", {
    state: "superseded", created_at: "2025-01-31T09:20:02Z", superseded_by: "f2",
    superseded_reason: "12 more images arrived", lesions: LESIONS.slice(0, 2),
    measurements: [{ name: "Agatston score", value: 61, unit: "1" }, { name: "Calcium volume", value: 70, unit: "mm3" }],
    category: { scheme: "Agatston", text: "11-100", provisional: true }, warnings: [],
  }),
]);
add(study("1.2.840.1002", "Okafor^Chidi", {
  description: "Calcium score", sex: "M", birth_date: "1963-11-02", first_arrival_at: "2025-01-31T09:12:00Z",
  headline: { ...headline, state: "provisional" },
}), [finding("1.2.840.1002", "f3", { state: "provisional" })]);
add(study("1.2.840.1003", "Marchetti^Paolo", {
  description: "Head without contrast", sex: "M", first_arrival_at: "2025-01-31T08:50:00Z", series_count: 2,
  headline: { text: "Calcium score: not applicable", state: "not_applicable" },
}), [finding("1.2.840.1003", "f4", { ...empty, state: "not_applicable", label: "calcium, not applicable", reason: "The series shows a head: BodyPartExamined is HEAD, calcium scoring wants a chest." })]);
add(study("1.2.840.1004", "van der Meer-Oosterhuis^Wilhelmina Johanna", {
  first_arrival_at: "2025-01-31T08:31:00Z", activity: { state: "failed", stage: "geometry", percent: null },
  headline: { text: "Calcium score: failed", state: "failed" },
}), [finding("1.2.840.1004", "f5", { ...empty, state: "failed", label: "calcium, failed", reason: "Slice 12 has another pixel spacing than its neighbours. Send the series again or draw a region on a whole one." })]);
add(study("1.2.840.1005", "Sato^Haruka", { instance_count: 0, first_arrival_at: "2025-01-31T09:31:00Z", activity: { state: "receiving", stage: "", percent: null } }), []);

function detail(one) {
  const series = [{ uid: `${one.uid}.2`, modality: "CT", number: 2, description: "CaSc 3.0 mm", instance_count: one.instance_count, frame_count: FRAMES, stack: STACK, stack_problem: null }];
  if (one.series_count > 1) {
    series.push({ uid: `${one.uid}.3`, modality: "SR", number: 99, description: "Dose report", instance_count: 1, frame_count: 0, stack: null, stack_problem: "A dose report has no images." });
  }
  return { ...one, series };
}

const listeners = new Set();
function tell(one) {
  for (const listener of listeners) listener.write(`event: study\ndata: ${JSON.stringify(one)}\n\n`);
}

/** The last study arrives, is scored, and starts over: a living worklist. */
let tick = 0;
setInterval(() => {
  tick = (tick + 1) % 60;
  const one = studies.get("1.2.840.1005");
  one.instance_count = Math.min(FRAMES, tick * 4);
  if (tick < 12) one.activity = { state: "receiving", stage: "", percent: null };
  else if (tick < 16) one.activity = { state: "waiting", stage: "", percent: null };
  else if (tick < 26) one.activity = { state: "running", stage: "scoring calcium", percent: (tick - 16) * 10 };
  else one.activity = { state: "idle", stage: "", percent: null };
  one.headline = tick < 26 ? null : headline;
  findings.set(one.uid, tick < 26 ? [] : [finding(one.uid, `f9-${one.uid}`, {})]);
  if (tick <= 26) tell(one);
}, 700);

const routes = [
  [/^POST \/api\/session$/, (_, body) => (body.token === "lab" ? [204, undefined, { "Set-Cookie": "session=mock; HttpOnly; SameSite=Strict; Path=/" }] : [401, { error: "This token is not the station's. Look at the box's ready line." }])],
  [/^GET \/api\/session$/, () => [204]],
  [/^DELETE \/api\/session$/, () => [204, undefined, { "Set-Cookie": "session=; Max-Age=0; Path=/" }]],
  [/^GET \/api\/box$/, () => [200, {
    version: "0.1.0", site: "lab", device: "lab-box", ae_title: "SIDELIGHT", dicom_port: 11112, started_at: "2025-01-31T07:00:00Z",
    processor: { kind: "twin", name: "CPU twin, 2 threads", reason: "No Vulkan device." }, disk: { free_bytes: 412e9, total_bytes: 1e12 },
    store: { studies: studies.size, instances: 235, quarantined: 0 }, broker: { configured: true, connected: true, waiting: 0 },
  }]],
  [/^GET \/api\/studies$/, () => [200, { studies: [...studies.values()] }]],
  [/^GET \/api\/studies\/([\d.]+)$/, ([uid]) => (studies.has(uid) ? [200, detail(studies.get(uid))] : [404, { error: "The box has no such study." }])],
  [/^GET \/api\/studies\/([\d.]+)\/findings$/, ([uid]) => [200, { study_uid: uid, findings: findings.get(uid) ?? [] }]],
  [/^POST \/api\/studies\/([\d.]+)\/regions$/, ([uid], body) => {
    const id = `region-${findings.get(uid).length}`;
    setTimeout(() => {
      findings.get(uid).unshift(finding(uid, id, {
        title: "Calcium in a drawn region", label: "Agatston in drawn region, unreviewed", warnings: [], lesions: LESIONS.slice(0, 1), category: null,
        scope: { kind: "region", shape: body.shape, reader: "station" }, created_at: new Date().toISOString(),
        measurements: [{ name: "Agatston score", value: LESIONS[0].agatston, unit: "1" }, { name: "Calcium volume", value: LESIONS[0].volume_mm3, unit: "mm3" }],
      }));
      tell(studies.get(uid));
    }, 600);
    return [202, { finding_id: id }];
  }],
];

async function answer(request, response, body) {
  const path = new URL(request.url, "http://box").pathname;
  if (path.startsWith("/api/") && request.method !== "POST" && !/session=mock/.test(request.headers.cookie ?? "")) {
    response.writeHead(401, { "Content-Type": "application/json" });
    return response.end('{"error":"Sign in with the station token."}');
  }
  const pixels = /\/frames\/(\d+)\.i16$/.exec(path);
  if (pixels !== null) {
    if (process.env.BROKEN_FRAME === pixels[1]) {
      response.writeHead(500, { "Content-Type": "application/json" });
      return response.end('{"error":"This image\'s file does not match its checksum. Send the series again."}');
    }
    response.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Encoding": "gzip" });
    return response.end(gzipSync(Buffer.from(frame(Number(pixels[1])).buffer), { level: 1 }));
  }
  if (path === "/api/events") {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write(": welcome\n\n");
    listeners.add(response);
    return request.on("close", () => listeners.delete(response));
  }
  for (const [pattern, handle] of routes) {
    const found = pattern.exec(`${request.method} ${path}`);
    if (found === null) continue;
    const [status, json, headers = {}] = handle(found.slice(1), body);
    response.writeHead(status, json === undefined ? headers : { "Content-Type": "application/json" });
    return response.end(json === undefined ? undefined : JSON.stringify(json));
  }
  const file = path === "/" ? "index.html" : path.slice(1);
  try {
    const content = await readFile(join(DIST, file.replaceAll("..", "")));
    response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream", "Content-Security-Policy": POLICY });
    response.end(content);
  } catch {
    response.writeHead(404).end();
  }
}

createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => void answer(request, response, parts.length > 0 ? JSON.parse(Buffer.concat(parts).toString()) : {}));
}).listen(PORT, "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}/#token=lab`));
