import { describe, expect, it } from "vitest";
import { pictureFrom } from "./stream";

function message(seq: number, kind: number, file: readonly number[]): ArrayBuffer {
  const bytes = new Uint8Array(8 + file.length);
  new DataView(bytes.buffer).setUint32(0, seq, true);
  bytes[4] = kind;
  bytes.set(file, 8);
  return bytes.buffer;
}

describe("a message of the stream", () => {
  it("is a number, a kind and a file", async () => {
    const preview = pictureFrom(message(70_000, 0, [0xff, 0xd8]));
    expect([preview?.seq, preview?.still, preview?.file.type]).toEqual([70_000, false, "image/jpeg"]);
    const still = pictureFrom(message(1, 1, [1, 2, 3]));
    expect([still?.still, still?.file.type]).toEqual([true, "image/png"]);
    expect(new Uint8Array(await (still?.file.arrayBuffer() ?? new ArrayBuffer(0)))).toEqual(new Uint8Array([1, 2, 3]));
  });

  it("without a file is none", () => {
    expect(pictureFrom(new ArrayBuffer(0))).toBeNull();
    expect(pictureFrom(message(1, 1, []))).toBeNull();
  });
});
