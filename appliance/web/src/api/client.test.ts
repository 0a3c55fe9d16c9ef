import { describe, expect, it } from "vitest";
import { ApiError, error_from_response, error_from_throw, is_abort, pixels_from_bytes } from "./client";

describe("api errors", () => {
  it("shows the box's own sentence when it sent one", () => {
    const error = error_from_response(404, '{"error":"This study was removed by the retention rule."}');
    expect(error.kind).toBe("not_found");
    expect(error.message).toBe("This study was removed by the retention rule.");
  });

  it("never shows a proxy's HTML or an empty sentence to the reader", () => {
    expect(error_from_response(502, "<html>Bad gateway</html>").message).toMatch(/had a fault \(502\).*doctor/);
    expect(error_from_response(500, '{"error":"  "}').message).toMatch(/had a fault \(500\)/);
    expect(error_from_response(500, '{"error":42}').message).toMatch(/had a fault \(500\)/);
  });

  it.each([
    [401, "signed_out"],
    [403, "signed_out"],
    [404, "not_found"],
    [409, "refused"],
    [422, "refused"],
    [503, "box_failed"],
  ])("maps status %i to %s", (status, kind) => {
    expect(error_from_response(status, "").kind).toBe(kind);
  });

  it("turns a network failure into a sentence and leaves an abort alone", () => {
    const unreachable = error_from_throw(new TypeError("Failed to fetch"));
    expect(unreachable).toBeInstanceOf(ApiError);
    expect(unreachable.message).toMatch(/cannot be reached/);
    const abort = new DOMException("stale", "AbortError");
    expect(error_from_throw(abort)).toBe(abort);
    expect(is_abort(abort)).toBe(true);
    expect(is_abort(unreachable)).toBe(false);
  });
});

describe("frame bytes", () => {
  it("are signed little-endian 16-bit values", () => {
    const bytes = Uint8Array.from([0x18, 0xfc, 0x82, 0x00]).buffer;
    expect([...pixels_from_bytes(bytes, 2)]).toEqual([-1000, 130]);
  });

  it("are refused when the length is wrong", () => {
    expect(() => pixels_from_bytes(new ArrayBuffer(6), 4)).toThrow(/6 bytes where 8 were expected/);
  });
});
