// Holds the frames of one stack that are worth holding, and fetches what the reader will want next.
//
// The frame on show comes first and may push another request out; the rest follow nearest first, with the
// scroll direction counted at half distance. Requests that are no longer worth their bytes are aborted.
// Never grows beyond its bound. Does not know about canvases or about which study this is.

/**
 * 256 MB holds 488 slices of 512 x 512 int16, so an ordinary CT stays whole after one pass, while a
 * reading station with 4 GB of memory keeps well clear of the browser's limit per tab.
 */
export const CACHE_LIMIT_MB = 256;

/** Browsers open six connections to one HTTP/1.1 host; one carries the events, one stays free for the reader. */
const REQUESTS_AT_ONCE = 4;

/** After this many failures in a row, only what the reader asks for is tried: the box has trouble enough. */
const FAILURES_BEFORE_PAUSE = 3;

export interface Plan {
  start: number[];
  abort: number[];
}

export interface Situation {
  wanted: number;
  /** Last scroll direction: 1 or -1. */
  direction: number;
  frames: number;
  /** How many frames the bound allows. */
  capacity: number;
  slots: number;
  held: (frame: number) => boolean;
  failed: (frame: number) => boolean;
  inFlight: readonly number[];
  paused: boolean;
}

/** How far off a frame is in the reader's eyes: what lies ahead counts half. */
export function distance(frame: number, wanted: number, direction: number): number {
  const ahead = (frame - wanted) * direction;
  return ahead >= 0 ? ahead : -2 * ahead;
}

/** The frames that deserve a place, nearest first; never more than the bound allows. */
export function nearestFirst(situation: Pick<Situation, "wanted" | "direction" | "frames" | "capacity">): number[] {
  const { wanted, direction, frames, capacity } = situation;
  const all = Array.from({ length: frames }, (_, frame) => frame);
  all.sort((left, right) => distance(left, wanted, direction) - distance(right, wanted, direction));
  return all.slice(0, Math.max(1, capacity));
}

export function plan(situation: Situation): Plan {
  const { wanted, direction, held, failed, inFlight, slots } = situation;
  const deserving = nearestFirst(situation);
  const places = new Set(deserving);
  const abort = inFlight.filter((frame) => !places.has(frame));
  const running = new Set(inFlight.filter((frame) => places.has(frame)));
  const missing = deserving.filter((frame) => !held(frame) && !failed(frame) && !running.has(frame));
  const start: number[] = [];
  for (const frame of missing) {
    if (frame !== wanted && situation.paused) break;
    if (running.size + start.length >= slots) {
      if (frame !== wanted) break;
      // The reader is waiting: the request that is furthest off gives way.
      const furthest = [...running].reduce((far, one) =>
        distance(one, wanted, direction) > distance(far, wanted, direction) ? one : far,
      );
      running.delete(furthest);
      abort.push(furthest);
    }
    start.push(frame);
  }
  return { start, abort };
}

export interface FrameStoreOptions {
  frames: number;
  bytesPerFrame: number;
  load: (frame: number, signal: AbortSignal) => Promise<Int16Array>;
  /** Something arrived, failed or left. */
  onChange: () => void;
  limitMb?: number;
}

export class FrameStore {
  readonly capacity: number;
  private readonly held = new Map<number, Int16Array>();
  private readonly requests = new Map<number, AbortController>();
  private readonly failures = new Map<number, Error>();
  private failuresInARow = 0;
  private wanted = 0;
  private direction = 1;
  private closed = false;

  constructor(private readonly options: FrameStoreOptions) {
    const limitBytes = (options.limitMb ?? CACHE_LIMIT_MB) * 1024 * 1024;
    // At least one, else a single huge image could never be shown.
    this.capacity = Math.max(1, Math.floor(limitBytes / options.bytesPerFrame));
  }

  /** The reader moved to `frame`; an earlier failure there is forgiven. */
  want(frame: number): void {
    if (frame !== this.wanted) this.direction = frame > this.wanted ? 1 : -1;
    this.wanted = frame;
    this.failures.delete(frame);
    this.pump();
  }

  /** Tries everything that failed again. */
  retry(): void {
    this.failures.clear();
    this.failuresInARow = 0;
    this.pump();
  }

  get(frame: number): Int16Array | undefined {
    return this.held.get(frame);
  }

  failure(frame: number): Error | undefined {
    return this.failures.get(frame);
  }

  get heldCount(): number {
    return this.held.size;
  }

  /** Runs of held frames as [first, last], ascending: what the slice bar shows as loaded. */
  heldRanges(): [number, number][] {
    const ranges: [number, number][] = [];
    for (const frame of [...this.held.keys()].sort((left, right) => left - right)) {
      const last = ranges.at(-1);
      if (last?.[1] === frame - 1) last[1] = frame;
      else ranges.push([frame, frame]);
    }
    return ranges;
  }

  /** Aborts every request and frees the pixels. The store is of no use afterwards. */
  close(): void {
    this.closed = true;
    for (const request of this.requests.values()) request.abort();
    this.requests.clear();
    this.held.clear();
  }

  private pump(): void {
    if (this.closed) return;
    const { start, abort } = plan({
      wanted: this.wanted,
      direction: this.direction,
      frames: this.options.frames,
      capacity: this.capacity,
      slots: REQUESTS_AT_ONCE,
      held: (frame) => this.held.has(frame),
      failed: (frame) => this.failures.has(frame),
      inFlight: [...this.requests.keys()],
      paused: this.failuresInARow >= FAILURES_BEFORE_PAUSE,
    });
    for (const frame of abort) {
      this.requests.get(frame)?.abort();
      this.requests.delete(frame);
    }
    for (const frame of start) void this.fetch(frame);
  }

  private async fetch(frame: number): Promise<void> {
    const request = new AbortController();
    this.requests.set(frame, request);
    try {
      const pixels = await this.options.load(frame, request.signal);
      if (this.requests.get(frame) !== request) return;
      this.failuresInARow = 0;
      this.held.set(frame, pixels);
      this.evict();
    } catch (thrown) {
      if (this.requests.get(frame) !== request) return;
      this.failuresInARow += 1;
      this.failures.set(frame, thrown instanceof Error ? thrown : new Error("The image could not be read."));
    }
    this.requests.delete(frame);
    this.pump();
    this.options.onChange();
  }

  private evict(): void {
    while (this.held.size > this.capacity) {
      let furthest = this.wanted;
      for (const frame of this.held.keys()) {
        if (distance(frame, this.wanted, this.direction) > distance(furthest, this.wanted, this.direction)) furthest = frame;
      }
      this.held.delete(furthest);
    }
  }
}
