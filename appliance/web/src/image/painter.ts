// Paints one slice onto a canvas: values through the VOI table once per slice or window, then one
// transformed blit per repaint. Canvas2D only: every station has it, and it needs no GPU.
import type { Placement, Size } from "./placement";
import { applyLookup, lookupTable, type Window } from "./voi";

export interface Picture {
  columns: number;
  rows: number;
  pixels: Int16Array;
  window: Window;
  /** MONOCHROME1 exclusive-or the reader's inversion. */
  inverted: boolean;
}

/** Sizes the canvas to its box in device pixels and leaves the context in CSS pixels. Clears it. */
export function prepared(canvas: HTMLCanvasElement, size: Size): CanvasRenderingContext2D | null {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(size.width * ratio));
  const height = Math.max(1, Math.round(size.height * ratio));
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  context?.setTransform(1, 0, 0, 1, 0, 0);
  context?.clearRect(0, 0, width, height);
  context?.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

export class SlicePainter {
  private readonly sheet = document.createElement("canvas");
  private sheetContext: CanvasRenderingContext2D | null = null;
  private image: ImageData | null = null;
  private words: Uint32Array = new Uint32Array(0);
  private table: Uint32Array = new Uint32Array(0);
  private tableKey = "";
  private painted: Int16Array | null = null;

  paint(canvas: HTMLCanvasElement, size: Size, placement: Placement, picture: Picture): void {
    this.develop(picture);
    const context = prepared(canvas, size);
    if (context === null) return;
    const { a, b, c, d, e, f } = placement;
    context.transform(a, b, c, d, e, f);
    // Bilinear between pixel centres; shrinking beyond half needs the filtered kind. The bicubic "high" costs
    // half a frame more without a GPU (measured) and invents overshoot at calcium's edges.
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = placement.scale < 0.5 ? "medium" : "low";
    // Pixel centres are at integers, so the sheet begins half a pixel before zero.
    context.drawImage(this.sheet, -0.5, -0.5);
  }

  private develop(picture: Picture): void {
    const { columns, rows, pixels, window, inverted } = picture;
    const tableKey = `${window.center} ${window.width} ${inverted ? "inverted" : ""}`;
    const resized = this.image?.width !== columns || this.image.height !== rows;
    if (resized) {
      this.sheet.width = columns;
      this.sheet.height = rows;
      this.image = new ImageData(columns, rows);
      this.words = new Uint32Array(this.image.data.buffer);
      this.sheetContext = this.sheet.getContext("2d");
    }
    if (tableKey !== this.tableKey) {
      this.table = lookupTable(window, inverted);
      this.tableKey = tableKey;
    } else if (!resized && pixels === this.painted) {
      return;
    }
    applyLookup(pixels, this.table, this.words);
    this.painted = pixels;
    if (this.image !== null) this.sheetContext?.putImageData(this.image, 0, 0);
  }
}
