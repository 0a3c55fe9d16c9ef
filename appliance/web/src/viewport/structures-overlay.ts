// Labels as a translucent picture over the image, pixel on pixel.
import type { Placement } from "../image/placement";
import { coloured, type SliceLabels } from "../state/structures";

/** Keeps the coloured sheet between paints: only another slice or another choice colours it anew. */
export class StructuresPainter {
  private readonly sheet = document.createElement("canvas");
  private labels: Uint8Array | null = null;
  private palette: Uint8Array | null = null;

  paint(context: CanvasRenderingContext2D, of: SliceLabels, columns: number, palette: Uint8Array, placement: Placement): void {
    const rows = of.labels.length / columns;
    if (of.labels !== this.labels || palette !== this.palette) {
      this.sheet.width = columns;
      this.sheet.height = rows;
      this.sheet.getContext("2d")?.putImageData(new ImageData(coloured(of.labels, palette), columns, rows), 0, 0);
      this.labels = of.labels;
      this.palette = palette;
    }
    const { a, b, c, d, e, f } = placement;
    context.save();
    context.transform(a, b, c, d, e, f);
    context.imageSmoothingEnabled = false;
    // Pixel centres are at integers, so the sheet begins half a pixel before zero.
    context.drawImage(this.sheet, -0.5, -0.5);
    context.restore();
  }
}
