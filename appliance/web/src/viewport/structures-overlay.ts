// Labels as a translucent picture over the image, pixel on pixel.
import type { Placement } from "../image/placement";
import { coloured, type SliceLabels } from "../state/structures";

/** Keeps the coloured sheet between paints: only another slice or another choice colours it anew. */
export class StructuresPainter {
  private readonly sheet = document.createElement("canvas");
  private labels: Uint8Array | null = null;
  private hidden: ReadonlySet<number> | null = null;

  paint(context: CanvasRenderingContext2D, of: SliceLabels, columns: number, hidden: ReadonlySet<number>, placement: Placement): void {
    const rows = of.labels.length / columns;
    if (of.labels !== this.labels || hidden !== this.hidden) {
      this.sheet.width = columns;
      this.sheet.height = rows;
      this.sheet.getContext("2d")?.putImageData(new ImageData(coloured(of.labels, hidden), columns, rows), 0, 0);
      this.labels = of.labels;
      this.hidden = hidden;
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
