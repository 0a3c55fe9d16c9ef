import { describe, expect, it, vi } from "vitest";
import { CACHE_LIMIT_MB, FrameStore, nearestFirst, plan, type Situation } from "./frame-store";

const MB = 1024 * 1024;

function situation(changes: Partial<Situation>): Situation {
  return {
    wanted: 10,
    direction: 1,
    frames: 20,
    capacity: 20,
    slots: 4,
    held: () => false,
    failed: () => false,
    inFlight: [],
    paused: false,
    ...changes,
  };
}

describe("what to fetch next", () => {
  it("is the wanted frame, then its neighbours, ahead before behind", () => {
    expect(nearestFirst(situation({ capacity: 6 }))).toEqual([10, 11, 9, 12, 13, 8]);
    expect(nearestFirst(situation({ direction: -1, capacity: 4 }))).toEqual([10, 9, 8, 11]);
    expect(plan(situation({}))).toEqual({ start: [10, 11, 9, 12], abort: [] });
  });

  it("skips what is held, failed or under way", () => {
    const next = plan(situation({ held: (frame) => frame === 10, failed: (frame) => frame === 9, inFlight: [11] }));
    expect(next).toEqual({ start: [12, 13, 8], abort: [] });
  });

  it("lets the furthest request give way when the reader waits and every slot is busy", () => {
    expect(plan(situation({ inFlight: [11, 12, 19, 0] }))).toEqual({ start: [10], abort: [0] });
  });

  it("aborts requests for frames that no longer deserve a place", () => {
    expect(plan(situation({ capacity: 3, inFlight: [0, 1, 2, 3] })).abort).toEqual([0, 1, 2, 3]);
  });

  it("asks for nothing but the wanted frame while paused", () => {
    expect(plan(situation({ paused: true })).start).toEqual([10]);
  });

  it("ends: nothing is started once everything that fits is held", () => {
    expect(plan(situation({ held: () => true }))).toEqual({ start: [], abort: [] });
  });
});

/** A box that answers when told to. */
function box() {
  const asked = new Map<number, { resolve: (pixels: Int16Array) => void; reject: (error: Error) => void }>();
  const aborted: number[] = [];
  const load = (frame: number, signal: AbortSignal): Promise<Int16Array> =>
    new Promise((resolve, reject) => {
      asked.set(frame, { resolve, reject });
      signal.addEventListener("abort", () => {
        aborted.push(frame);
        reject(new DOMException("stale", "AbortError"));
      });
    });
  const answer = async (frame: number): Promise<void> => {
    const request = asked.get(frame);
    if (request === undefined) throw new Error(`frame ${frame} was never asked for`);
    asked.delete(frame);
    request.resolve(Int16Array.from([frame]));
    await settled();
  };
  const refuse = async (frame: number): Promise<void> => {
    asked.get(frame)?.reject(new Error("unreadable"));
    asked.delete(frame);
    await settled();
  };
  return { asked, aborted, load, answer, refuse };
}

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
};

describe("frame store", () => {
  it("names a bound that holds an ordinary CT whole", () => {
    const store = new FrameStore({ frames: 1, bytesPerFrame: 512 * 512 * 2, load: box().load, onChange: () => undefined });
    expect(CACHE_LIMIT_MB).toBe(256);
    expect(store.capacity).toBe(512);
  });

  it("never holds more than its bound and drops what is furthest from the reader", async () => {
    const { load, answer, asked } = box();
    const store = new FrameStore({ frames: 10, bytesPerFrame: MB, limitMb: 3, load, onChange: () => undefined });
    store.want(0);
    for (const frame of [0, 1, 2]) await answer(frame);
    expect(store.heldRanges()).toEqual([[0, 2]]);
    expect(asked.size).toBe(0);
    store.want(9);
    for (const frame of [9, 8, 7]) await answer(frame);
    expect(store.heldCount).toBe(3);
    expect(store.heldRanges()).toEqual([[7, 9]]);
    expect(store.get(9)?.[0]).toBe(9);
    expect(store.get(0)).toBeUndefined();
  });

  it("aborts stale requests when the reader jumps, and ignores their late answers", async () => {
    const { load, aborted, answer } = box();
    const store = new FrameStore({ frames: 100, bytesPerFrame: MB, limitMb: 5, load, onChange: () => undefined });
    store.want(0);
    store.want(50);
    expect(aborted.sort((left, right) => left - right)).toEqual([0, 1, 2, 3]);
    await answer(50);
    expect(store.heldRanges()).toEqual([[50, 50]]);
  });

  it("reports a failed frame, keeps the others, and forgives it on retry", async () => {
    const { load, answer, refuse, asked } = box();
    const changed = vi.fn();
    const store = new FrameStore({ frames: 2, bytesPerFrame: MB, load, onChange: changed });
    store.want(0);
    await refuse(0);
    await answer(1);
    expect(store.failure(0)?.message).toBe("unreadable");
    expect(changed).toHaveBeenCalledTimes(2);
    expect(asked.size).toBe(0);
    store.retry();
    await answer(0);
    expect(store.failure(0)).toBeUndefined();
    expect(store.get(0)?.[0]).toBe(0);
  });

  it("stops prefetching after three failures in a row, but still serves the reader", async () => {
    const { load, refuse, asked } = box();
    const store = new FrameStore({ frames: 50, bytesPerFrame: MB, load, onChange: () => undefined });
    store.want(0);
    for (const frame of [0, 1, 2, 3]) await refuse(frame);
    for (const frame of asked.keys()) await refuse(frame);
    expect(asked.size).toBe(0);
    store.want(30);
    expect([...asked.keys()]).toEqual([30]);
  });

  it("frees everything when closed", async () => {
    const { load, answer, aborted } = box();
    const store = new FrameStore({ frames: 9, bytesPerFrame: MB, load, onChange: () => undefined });
    store.want(0);
    await answer(0);
    store.close();
    expect(store.heldCount).toBe(0);
    expect(aborted.length).toBe(4);
  });
});
