// The box's own documents about itself: ledger, destinations, identities, quarantine, keeping.
import { json, post, request, studyPath } from "./client";
import type { BoxLedger, Destinations, IdentityChoice, IdentityConflicts, Keeping, Quarantine, StudyIdentity, StudyLedger } from "./types";

export function fetchBoxLedger(): Promise<BoxLedger> {
  return json<BoxLedger>("/api/ledger");
}

export function fetchStudyLedger(uid: string): Promise<StudyLedger> {
  return json<StudyLedger>(`${studyPath(uid)}/ledger`);
}

export function fetchDestinations(): Promise<Destinations> {
  return json<Destinations>("/api/destinations");
}

/** Everything that failed at a destination gets a new start. Returns how many objects. */
export async function retryDestination(name: string): Promise<number> {
  return (await json<{ objects: number }>(`/api/destinations/${encodeURIComponent(name)}/retry`, post({}))).objects;
}

export function fetchIdentityConflicts(): Promise<IdentityConflicts> {
  return json<IdentityConflicts>("/api/identity");
}

export function decideIdentity(uid: string, decision: IdentityChoice, by: string): Promise<StudyIdentity> {
  return json<StudyIdentity>(`${studyPath(uid)}/identity`, post({ decision, by }));
}

export function fetchQuarantine(): Promise<Quarantine> {
  return json<Quarantine>("/api/quarantine");
}

export function quarantinedPath(sha256: string): string {
  return `/api/quarantine/${encodeURIComponent(sha256)}`;
}

export function fetchKeeping(): Promise<Keeping> {
  return json<Keeping>("/api/keeping");
}

export async function setHold(uid: string, hold: { held: boolean; reason: string; by: string }): Promise<void> {
  await request(`${studyPath(uid)}/hold`, post(hold));
}
