import { expect, test } from "vitest";
import type { Keeping, LedgerLine } from "../api/types";
import { ago, deletionWords, differences, forecastWords, remedy, size, standingWords } from "./box-words";

const KEEPING: Keeping = {
  disk: { free_bytes: 400e9, total_bytes: 1e12 },
  used_bytes: 500e9,
  reserve_bytes: 100e9,
  quota_bytes: null,
  this_box_is_the_archive: false,
  archives: ["pacs"],
  forecast: { bytes_per_day: 30e9, over_days: 7, days_left: 10 },
  studies_total: 0,
  studies: [],
};

const LINE: LedgerLine = {
  study_uid: "1.2", patient_name: "", patient_id: "", study_date: null, description: "", last_arrival_at: "",
  received: 4, committed: 0, conflicts: 0, analysed: 4, results: 0, settled: true, held: false, differs: false,
  destinations: [{ name: "pacs", archive: true, forwarded: 4, confirmed: 4, waiting: 0, isolated: 0 }],
};

test("sizes have the unit a person would choose", () => {
  expect([0, 999, 1500, 123_456_789, 5e11, 2.5e12].map(size)).toEqual(["0 bytes", "999 bytes", "1.5 kB", "123 MB", "500 GB", "2.5 TB"]);
});

test("moments are as coarse as a person would say them", () => {
  const now = Date.parse("2026-11-25T12:00:00Z");
  const said = ["11:59:40", "11:59:00", "11:15:00", "09:00:00"].map((time) => ago(`2026-11-25T${time}Z`, now));
  expect(said).toEqual(["just now", "1 minute ago", "45 minutes ago", "3 hours ago"]);
  expect(ago("2026-11-20T12:00:00Z", now)).toBe("5 days ago");
  expect(ago("never", now)).toBe("never");
});

test("reasons that a person can do something about say what", () => {
  for (const [reason, word] of [
    ["127.0.0.1:1 cannot be reached: Connection refused (os error 111)", "switched on"],
    ["the peer refused the association: calling AE title not recognized", "AE title"],
    ["the peer takes no 1.2.840 in transfer syntax 1.2", "compression"],
    ["out of resources, answered with status 0xa700", "full"],
    ["answered with 404 Not Found", "url"],
    ["answered with status 0xc000", "refused this object"],
    ["the archive says that it does not keep it", "once more"],
  ] as const) expect(remedy(reason), reason).toContain(word);
  expect(remedy("something new")).toBeNull();
});

test("a study that is through has no difference, and the most urgent one comes first", () => {
  expect(differences(LINE)).toEqual([]);
  const total = { name: "pacs", archive: true, forwarded: 2, confirmed: 1, waiting: 1, isolated: 1 };
  expect(differences({ ...LINE, held: true, conflicts: 1, settled: false, destinations: [total] })).toEqual([
    "held: it arrived under two patients",
    "1 object arrived again with other bytes",
    "1 object set apart for pacs",
    "1 object waiting for pacs",
    "1 object not confirmed by pacs",
  ]);
  expect(differences({ ...LINE, settled: false })).toEqual(["still being received or analysed"]);
});

test("every standing has words", () => {
  const standing = { name: "pacs", state: "", at: null, reason: null };
  const said = ["confirmed", "forwarded", "waiting", "isolated", "not_queued"].map((state) => standingWords({ ...standing, state }));
  expect(new Set(said).size).toBe(5);
  expect(standingWords({ ...standing, state: "waiting", reason: "no answer" })).toBe("waiting: no answer");
});

test("the forecast says when objects would be refused, and nothing it does not know", () => {
  expect(forecastWords(KEEPING)).toBe("At 30.0 GB a day over the last 7 days objects would be refused in 10 days.");
  expect(forecastWords({ ...KEEPING, forecast: null })).toContain("whole day");
  expect(forecastWords({ ...KEEPING, forecast: { bytes_per_day: 0, over_days: 7, days_left: null } })).toContain("no forecast");
  expect(forecastWords({ ...KEEPING, disk: { free_bytes: 1, total_bytes: 1e12 } })).toContain("full");
});

test("whether studies are deleted is said for every kind of site", () => {
  expect(deletionWords({ ...KEEPING, this_box_is_the_archive: true })).toContain("nothing is ever deleted");
  expect(deletionWords({ ...KEEPING, archives: [] })).toContain("archive = true");
  expect(deletionWords(KEEPING)).toContain("No quota");
  expect(deletionWords({ ...KEEPING, quota_bytes: 600e9 })).toContain("Above 600 GB");
});
