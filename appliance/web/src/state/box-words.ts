// What the box's own pages say, in words that tell what to do. Pure; no HTML.
import type { BoxFacts, Keeping, LedgerLine, LedgerStanding } from "../api/types";
import type { PageName } from "./page";
import { number } from "./words";

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** Bytes with a unit a person would choose. */
export function size(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ""}`;
}

/** How long ago a moment was, as coarse as a person would say it. */
export function ago(moment: string, now: number): string {
  const seconds = Math.round((now - new Date(moment).getTime()) / 1000);
  if (Number.isNaN(seconds)) return moment;
  if (seconds < 60) return "just now";
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${plural(minutes, "minute")} ago`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${plural(hours, "hour")} ago` : `${plural(Math.round(hours / 24), "day")} ago`;
}

/** What an administrator can do about the reason a destination or the box gives; null where only the reason helps. */
export function remedy(reason: string): string | null {
  for (const [pattern, words] of REMEDIES) if (pattern.test(reason)) return words;
  return null;
}

const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/cannot be reached|did not answer within|connect/i, "Check that it is switched on, on the network, and that its address in the site file is right. Nothing is lost: its objects wait here."],
  [/resolve/i, "Its name is not known on this network. Check the address in the site file, or the name server."],
  [/refused the association/i, "It does not know this box. Have its administrator allow this box's AE title and address."],
  [/takes no/i, "It does not accept this kind of object or its compression. Have its administrator allow it, then try again."],
  [/out of resources|0xa7/i, "It says that it is full. Make room there; the box tries again by itself."],
  [/answered with (401|403)/i, "It refused this box's sign-in. Check what the site file says about it."],
  [/answered with (404|405)/i, "There is no DICOMweb service at this address. Check the url in the site file."],
  [/does not keep it/i, "It confirmed nothing for this object. “Try again” sends it once more."],
  [/answered with status/i, "It refused this object. Its own log says why; then try again."],
  [/aborted|closed the connection|did not answer in time/i, "It broke off while this was sent. Its own log says why."],
];

/** One standing of an instance with a destination. */
export function standingWords(standing: LedgerStanding): string {
  switch (standing.state) {
    case "confirmed":
      return "confirmed";
    case "forwarded":
      return "forwarded, not confirmed yet";
    case "waiting":
      return standing.reason === null ? "waiting" : `waiting: ${standing.reason}`;
    case "isolated":
      return `set apart: ${standing.reason ?? "no reason given"}`;
    default:
      return "not sent: arrived before this destination was named";
  }
}

/** What is different about a study, the most urgent first; empty where it is through. */
export function differences(line: LedgerLine): string[] {
  const found: string[] = [];
  if (line.held) found.push("held: it arrived under two patients");
  if (line.conflicts > 0) found.push(`${plural(line.conflicts, "object")} arrived again with other bytes`);
  for (const { name, isolated } of line.destinations) if (isolated > 0) found.push(`${plural(isolated, "object")} set apart for ${name}`);
  for (const { name, waiting } of line.destinations) if (waiting > 0) found.push(`${plural(waiting, "object")} waiting for ${name}`);
  for (const { name, archive, forwarded, confirmed } of line.destinations) {
    if (archive && forwarded > confirmed) found.push(`${plural(forwarded - confirmed, "object")} not confirmed by ${name}`);
  }
  if (!line.settled && !line.held) found.push("still being received or analysed");
  return found;
}

/** How long the disk lasts, in a sentence. */
export function forecastWords(keeping: Keeping): string {
  const { forecast } = keeping;
  if (keeping.disk.free_bytes <= keeping.reserve_bytes) return "The disk is full: objects are refused until there is room.";
  if (forecast === null) return "A forecast needs a whole day of arrivals.";
  const pace = `${size(forecast.bytes_per_day)} a day over the last ${forecast.over_days === 1 ? "day" : `${forecast.over_days} days`}`;
  if (forecast.days_left === null) return "Nothing arrived in the last days, so there is no forecast.";
  if (forecast.days_left > 3650) return `At ${pace} the disk lasts for more than ten years.`;
  return `At ${pace} objects would be refused in ${forecast.days_left === 0 ? "less than a day" : plural(forecast.days_left, "day")}.`;
}

/** Whether and when studies are deleted here. */
export function deletionWords(keeping: Keeping): string {
  if (keeping.this_box_is_the_archive) return "This box is the archive: nothing is ever deleted here.";
  if (keeping.archives.length === 0) return "No archive is named in the site file, so nothing is ever deleted and the disk will fill. Name a destination with archive = true.";
  const archives = keeping.archives.join(", ");
  if (keeping.quota_bytes === null) return `No quota is set, so nothing is deleted. ${archives} may confirm studies; retention.quota_bytes in the site file says from when on they make room.`;
  return `Above ${size(keeping.quota_bytes)} studies that ${archives} confirmed make room: read ones first, the oldest first.`;
}

/** How many things on a page wait for a person. */
export function attention(page: PageName, box: BoxFacts | null): number {
  if (box === null) return 0;
  switch (page) {
    case "destinations":
      return box.attention.unreached + box.attention.isolated;
    case "identity":
      return box.attention.held_identities;
    case "quarantine":
      return box.store.quarantined;
    default:
      return 0;
  }
}
