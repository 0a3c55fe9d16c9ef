import { expect, test } from "vitest";
import { ledgerHash, pageFromHash, pageHash, PAGES } from "./page";

test("every page has an address that leads back to it and a key of its own", () => {
  for (const { name } of PAGES) expect(pageFromHash(pageHash(name)).name).toBe(name);
  expect(new Set(PAGES.map(({ key }) => key)).size).toBe(PAGES.length);
});

test("the ledger of one study is named in its address", () => {
  expect(pageFromHash(ledgerHash("1.2.3"))).toEqual({ name: "ledger", study: "1.2.3" });
  expect(pageFromHash("#/ledger")).toEqual({ name: "ledger", study: null });
  expect(pageFromHash("#/ledger/%zz")).toEqual({ name: "ledger", study: null });
});

test("an address nobody knows is the list of studies", () => {
  for (const hash of ["", "#", "#/", "#/nonsense", "#/keeping/1", "#token=abc", "#/study/1.2"]) {
    expect(pageFromHash(hash)).toEqual({ name: "studies" });
  }
});
