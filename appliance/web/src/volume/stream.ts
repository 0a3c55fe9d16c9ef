// The stream of pictures from the box: asks for the newest, shows what comes. The box draws; see its
// viewer/pictures/stream.rs for the messages. Deliberately does not reconnect by itself: the pane says what happened.
import type { Vector } from "./eye";

export interface Scene {
  center_mm: Vector;
  radius_mm: number;
  window: [number, number];
  unit: "HU" | "stored";
  presets: string[];
  /** What a finding found, over the volume. */
  legend: { label: number; name: string; colour: [number, number, number] }[];
}

export interface PictureRequest {
  width: number;
  height: number;
  method: "volume" | "maximum" | "minimum" | "average";
  viewpoint: { position: Vector; look_at: Vector; up: Vector; height_mm: number };
  slab_mm?: number;
  /** What lies on that side of a plane is kept, the rest cut away. */
  keep?: { point: Vector; normal: Vector };
  /** A centreline that the slab is straightened along. */
  path?: readonly Vector[];
  around_deg?: number;
  preset?: string;
  window?: [number, number];
  moving: boolean;
}

/** A picture as it came, and whether it is the still that follows the previews. */
export interface Picture {
  seq: number;
  still: boolean;
  file: Blob;
}

export interface StreamHandlers {
  scene: (scene: Scene) => void;
  picture: (picture: Picture) => void;
  problem: (sentence: string, seq: number | null) => void;
}

const HEADER_BYTES = 8;

/** A picture's number, kind and file, or null where a message is none. */
export function pictureFrom(message: ArrayBuffer): Picture | null {
  if (message.byteLength <= HEADER_BYTES) return null;
  const header = new DataView(message);
  const still = header.getUint8(4) === 1;
  const file = new Blob([new Uint8Array(message, HEADER_BYTES)], { type: still ? "image/png" : "image/jpeg" });
  return { seq: header.getUint32(0, true), still, file };
}

const LOST = "The connection to the box was lost. It may be restarting, or eight 3-D views are open already.";

export class PictureStream {
  private readonly socket: WebSocket;
  private seq = 0;
  private told = false;
  private closed = false;

  constructor(address: string, private readonly handlers: StreamHandlers) {
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = (event: MessageEvent<unknown>) => { this.take(event.data); };
    this.socket.onclose = () => {
      if (!this.closed && !this.told) handlers.problem(LOST, null);
    };
  }

  /** The number that the picture will come back with. */
  ask(request: PictureRequest): number {
    this.seq += 1;
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ seq: this.seq, ...request }));
    return this.seq;
  }

  close(): void {
    this.closed = true;
    this.socket.close();
  }

  private take(data: unknown): void {
    if (this.closed) return;
    if (data instanceof ArrayBuffer) {
      const picture = pictureFrom(data);
      if (picture !== null) this.handlers.picture(picture);
      return;
    }
    if (typeof data !== "string") return;
    const said = JSON.parse(data) as ({ kind: "scene" } & Scene) | { kind: "problem"; seq: number | null; error: string };
    if (said.kind === "scene") {
      this.handlers.scene(said);
    } else {
      this.told ||= said.seq === null;
      this.handlers.problem(said.error, said.seq);
    }
  }
}
