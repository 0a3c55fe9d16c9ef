// Talks to the box. Every failure becomes an ApiError whose message a person can act on.
// Deliberately does not retry: each caller knows whether trying again makes sense.
import type { AxisPoint } from "../state/axis";
import type { BoxFacts, ContourRequest, Curve, Finding, MapKind, PerfusionChoice, PhaseContours, Rescored, Shape, StudyDetail, StudySummary, Verdict, Vessel } from "./types";

/** What the caller can do about it: sign in again, wait, try again, or give up. */
export type ApiErrorKind = "unreachable" | "signed_out" | "not_found" | "refused" | "box_failed";

export class ApiError extends Error {
  constructor(
    readonly kind: ApiErrorKind,
    message: string,
    /** Of an answer that was refused. */
    readonly status: number | null = null,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

const UNREACHABLE = "The box cannot be reached. Check that it is switched on and that this station is on its network.";

function kindOfStatus(status: number): ApiErrorKind {
  if (status === 401 || status === 403) return "signed_out";
  if (status === 404 || status === 410) return "not_found";
  return status < 500 ? "refused" : "box_failed";
}

function sentenceFor(kind: ApiErrorKind, status: number): string {
  switch (kind) {
    case "unreachable":
      return UNREACHABLE;
    case "signed_out":
      return "This station is signed out. Sign in with the station token.";
    case "not_found":
      return "The box does not have this any more. Go back to the worklist.";
    case "refused":
      return `The box refused the request (${status}).`;
    case "box_failed":
      return `The box had a fault (${status}). Try again; if it stays, run "sidelight doctor" on the box.`;
  }
}

/** The box's own sentence when it sent one, otherwise ours. */
export function errorFromResponse(status: number, body: string): ApiError {
  const kind = kindOfStatus(status);
  let message = sentenceFor(kind, status);
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === "object" && parsed !== null && "error" in parsed && typeof parsed.error === "string") {
      if (parsed.error.trim() !== "") message = parsed.error;
    }
  } catch {
    // Not JSON: a proxy or a crash answered, and its text is not for readers.
  }
  return new ApiError(kind, message, status);
}

/** For anything that was thrown on the way: an abort stays an abort, a dead network gets our sentence. */
export function errorFromThrow(thrown: unknown): Error {
  if (thrown instanceof ApiError) return thrown;
  if (isAbort(thrown)) return thrown;
  return new ApiError("unreachable", UNREACHABLE);
}

export function isAbort(thrown: unknown): thrown is DOMException {
  return thrown instanceof DOMException && thrown.name === "AbortError";
}

export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  try {
    const response = await fetch(path, { credentials: "same-origin", ...init });
    if (!response.ok) throw errorFromResponse(response.status, await response.text());
    return response;
  } catch (thrown) {
    throw errorFromThrow(thrown);
  }
}

export async function json<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await request(path, init);
  try {
    return (await response.json()) as T;
  } catch (thrown) {
    if (isAbort(thrown)) throw thrown;
    throw new ApiError("box_failed", "The box sent an answer that is cut off or malformed. Try again.");
  }
}

export function post(body: unknown): RequestInit {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

export const studyPath = (uid: string): string => `/api/studies/${encodeURIComponent(uid)}`;

export async function signIn(token: string): Promise<void> {
  await request("/api/session", post({ token }));
}

export async function signOut(): Promise<void> {
  await request("/api/session", { method: "DELETE" });
}

/** Rejects with kind "signed_out" where there is no session. */
export async function checkSession(): Promise<void> {
  await request("/api/session");
}

export async function fetchStudies(): Promise<StudySummary[]> {
  return (await json<{ studies: StudySummary[] }>("/api/studies")).studies;
}

export async function fetchStudy(uid: string): Promise<StudyDetail> {
  return json<StudyDetail>(studyPath(uid));
}

export async function fetchFindings(uid: string): Promise<Finding[]> {
  return (await json<{ findings: Finding[] }>(`${studyPath(uid)}/findings`)).findings;
}

export async function fetchBox(): Promise<BoxFacts> {
  return json<BoxFacts>("/api/box");
}

export async function postRegion(uid: string, series_uid: string, shape: Shape): Promise<string> {
  const answer = await json<{ finding_id: string }>(`${studyPath(uid)}/regions`, post({ series_uid, shape }));
  return answer.finding_id;
}

const findingPath = (uid: string, id: string): string => `${studyPath(uid)}/findings/${encodeURIComponent(id)}`;

export async function postReview(uid: string, id: string, verdict: Verdict, reader: string): Promise<Finding> {
  return json<Finding>(`${findingPath(uid, id)}/review`, post({ verdict, reader }));
}

export interface Assignment {
  lesion: number;
  /** Null takes an assignment back. */
  vessel: Vessel | null;
}

export async function postAssignments(uid: string, id: string, assignments: readonly Assignment[], reader: string): Promise<Finding> {
  return json<Finding>(`${findingPath(uid, id)}/lesions`, post({ assignments, reader }));
}

/** The contours of a ventricle at one phase, counted from 0. */
export async function fetchContours(uid: string, id: string, phase: number): Promise<PhaseContours> {
  return json<PhaseContours>(`${findingPath(uid, id)}/contours/${phase}`);
}

/** Changes contours; the answer is the finding in the place of this one. */
export async function postContours(uid: string, id: string, change: ContourRequest): Promise<Finding> {
  return json<Finding>(`${findingPath(uid, id)}/contours`, post(change));
}

/** Both ends as pixels of images; the answer names the new series. */
export async function postShortAxis(uid: string, series: string, base: AxisPoint, apex: AxisPoint, reader: string): Promise<{ series_uid: string }> {
  const pixel = ({ sopInstanceUid, x, y }: AxisPoint) => ({ sop_instance_uid: sopInstanceUid, column: x, row: y });
  const path = `/api/studies/${encodeURIComponent(uid)}/series/${encodeURIComponent(series)}/short_axis`;
  return json<{ series_uid: string }>(path, post({ base: pixel(base), apex: pixel(apex), reader }));
}

export async function resetContours(uid: string, id: string, reader: string): Promise<Finding> {
  return json<Finding>(`${findingPath(uid, id)}/contours/reset`, post({ reader }));
}

export async function postLevel(uid: string, id: string, mark: number, level: number | null, reader: string): Promise<Finding> {
  return json<Finding>(`${findingPath(uid, id)}/levels`, post({ levels: [{ mark, level }], reader }));
}

/** The score at another threshold. Rejects with status 409 where a newer threshold was asked for meanwhile. */
export async function fetchRescored(uid: string, id: string, thresholdHu: number): Promise<Rescored> {
  return json<Rescored>(`${findingPath(uid, id)}/rescored?threshold_hu=${thresholdHu}`);
}

/** One slice of a perfusion map, NaN where there is no value. */
export async function fetchMapSlice(uid: string, id: string, map: MapKind, slice: number, pixelCount: number): Promise<Float32Array> {
  const bytes = await bytesOf(`${findingPath(uid, id)}/maps/${map}/${slice}.f32`, pixelCount * 4);
  return new Float32Array(bytes);
}

/** What each voxel of a slice is, a bit each. */
export async function fetchTissue(uid: string, id: string, slice: number, pixelCount: number): Promise<Uint8Array> {
  return new Uint8Array(await bytesOf(`${findingPath(uid, id)}/maps/tissue/${slice}.u8`, pixelCount));
}

async function bytesOf(path: string, expected: number): Promise<ArrayBuffer> {
  const response = await request(path);
  const bytes = await response.arrayBuffer().catch((thrown: unknown) => { throw errorFromThrow(thrown); });
  if (bytes.byteLength !== expected) {
    throw new ApiError("box_failed", `A map came with ${bytes.byteLength} bytes where ${expected} were expected. Try again.`);
  }
  return bytes;
}

/** What each pixel of a slice is: 0 outside of the body, else the label of a structure. */
export async function fetchLabels(uid: string, id: string, slice: number, pixelCount: number): Promise<Uint8Array> {
  return new Uint8Array(await bytesOf(`${findingPath(uid, id)}/structures/${slice}.u8`, pixelCount));
}

/** Enhancement of one voxel over time. While the box reads the series into memory it rejects with "box_failed". */
export async function fetchCurve(
  uid: string,
  id: string,
  voxel: { column: number; row: number; slice: number },
  signal: AbortSignal,
): Promise<Curve> {
  const where = `column=${voxel.column}&row=${voxel.row}&slice=${voxel.slice}`;
  return json<Curve>(`${findingPath(uid, id)}/curve?${where}`, { signal });
}

/** Asks for the analysis with another choice; returns the id of the finding to come. */
export async function postPerfusion(uid: string, id: string, choice: PerfusionChoice): Promise<string> {
  return (await json<{ finding_id: string }>(`${findingPath(uid, id)}/perfusion`, post(choice))).finding_id;
}

/** The one-page report of a result that stands; the box makes it shortly after the result. */
export function reportPath(uid: string, id: string): string {
  return `${findingPath(uid, id)}/report.pdf`;
}

/** Raw little-endian int16 values of one frame of the stack with this digest. Rejects when the stack changed or the length is not rows * columns. */
export async function fetchFrame(
  uid: string,
  series_uid: string,
  frame: number,
  stackDigest: string,
  pixelCount: number,
  signal: AbortSignal,
): Promise<Int16Array> {
  const path = `${studyPath(uid)}/series/${encodeURIComponent(series_uid)}/frames/${frame}.i16?stack=${encodeURIComponent(stackDigest)}`;
  const response = await request(path, { signal });
  let bytes: ArrayBuffer;
  try {
    bytes = await response.arrayBuffer();
  } catch (thrown) {
    throw errorFromThrow(thrown);
  }
  return pixelsFromBytes(bytes, pixelCount);
}

export function pixelsFromBytes(bytes: ArrayBuffer, pixelCount: number): Int16Array {
  if (bytes.byteLength !== pixelCount * 2) {
    throw new ApiError(
      "box_failed",
      `The image came with ${bytes.byteLength} bytes where ${pixelCount * 2} were expected. Try again.`,
    );
  }
  // Every browser this runs in is little-endian (WebAssembly already demands it), so no byte swap.
  return new Int16Array(bytes);
}
