import { expect, it } from "vitest";
import { pauseBeforeAttempt, studyFromEvent } from "./events";

it("pauses longer after each loss, but never so long that a restarted box waits", () => {
  expect([0, 1, 2, 3, 4, 5, 1000].map(pauseBeforeAttempt)).toEqual([1, 2, 4, 8, 15, 15, 15]);
});

it("reads a study from an event and refuses anything else", () => {
  expect(studyFromEvent('{"uid":"1.2.3","instance_count":4}')?.instance_count).toBe(4);
  for (const data of ["", "{", "null", "[]", '{"uid":5}', 7]) expect(studyFromEvent(data)).toBeNull();
});
