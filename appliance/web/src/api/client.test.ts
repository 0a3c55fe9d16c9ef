import { describe, expect, it } from "vitest";
import { ApiError, errorFromResponse, errorFromThrow, isAbort, pixelsFromBytes } from "./client";

describe("api errors", () => {
  it("shows the box's own sentence when it sent one", () => {
    const error = errorFromResponse(404, '{"error":"This study was removed by the retention rule."}');
    expect(error.kind).toBe("not_found");
    expect(error.message).toBe("This study was removed by the retention rule.");
  });

  it("never shows a proxy's HTML or an empty sentence to the reader", () => {
    expect(errorFromResponse(502, "<html>Bad gateway</html>").message).toMatch(/had a fault \(502\).*doctor/);
    expect(errorFromResponse(500, '{"error":"  "}').message).toMatch(/had a fault \(500\)/);
    expect(errorFromResponse(500, '{"error":42}').message).toMatch(/had a fault \(500\)/);
  });

  it.each([
    [401, "signed_out"],
    [403, "signed_out"],
    [404, "not_found"],
    [409, "refused"],
    [422, "refused"],
    [503, "box_failed"],
  ])("maps status %i to %s", (status, kind) => {
    expect(errorFromResponse(status, "").kind).toBe(kind);
  });

  it("turns a network failure into a sentence and leaves an abort alone", () => {
    const unreachable = errorFromThrow(new TypeError("Failed to fetch"));
    expect(unreachable).toBeInstanceOf(ApiError);
    expect(unreachable.message).toMatch(/cannot be reached/);
    const abort = new DOMException("stale", "AbortError");
    expect(errorFromThrow(abort)).toBe(abort);
    expect(isAbort(abort)).toBe(true);
    expect(isAbort(unreachable)).toBe(false);
  });
});

describe("frame bytes", () => {
  it("are signed little-endian 16-bit values", () => {
    const bytes = Uint8Array.from([0x18, 0xfc, 0x82, 0x00]).buffer;
    expect([...pixelsFromBytes(bytes, 2)]).toEqual([-1000, 130]);
  });

  it("are refused when the length is wrong", () => {
    expect(() => pixelsFromBytes(new ArrayBuffer(6), 4)).toThrow(/6 bytes where 8 were expected/);
  });
});
