import { expect, it } from "vitest";
import { studyHash, tokenFromHash, uidFromHash } from "./station";

it("finds the study in the address and writes the address of a study", () => {
  expect(uidFromHash(studyHash("1.2.840.1001"))).toBe("1.2.840.1001");
  expect(uidFromHash("#/")).toBeNull();
  expect(uidFromHash("#/study/")).toBeNull();
  expect(uidFromHash("#/study/%E0%A4%A")).toBeNull();
});

it("finds a token only where a link carried one", () => {
  expect(tokenFromHash("#token=abc-123")).toBe("abc-123");
  expect(tokenFromHash("#/study/1.2")).toBeNull();
  expect(tokenFromHash("")).toBeNull();
});
