//! One A4 page of a PDF: text in two cuts of Helvetica, filled rectangles, one picture. Measured from the top, points.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::{Content, Filter, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};

use super::letters::{lines, width_pt, win_ansi};
use super::picture::Canvas;

pub(super) const WIDTH_PT: f32 = 595.0;
const HEIGHT_PT: f32 = 842.0;
const PLAIN: Name<'static> = Name(b"F1");
const BOLD: Name<'static> = Name(b"F2");
const PICTURE: Name<'static> = Name(b"Im1");

/// Red, green, blue from 0 to 1.
pub(super) type Color = [f32; 3];
pub(super) const INK: Color = [0.09, 0.11, 0.13];
pub(super) const QUIET: Color = [0.42, 0.46, 0.5];
pub(super) const PAPER: Color = [1.0, 1.0, 1.0];
pub(super) const BAND: Color = [0.07, 0.1, 0.13];
pub(super) const TINT: Color = [0.945, 0.953, 0.961];
pub(super) const AMBER: Color = [0.996, 0.91, 0.72];
pub(super) const RULE: Color = [0.83, 0.85, 0.87];

/// How a text is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Type {
    pub size_pt: f32,
    pub bold: bool,
    pub color: Color,
}

impl Type {
    pub(super) fn new(size_pt: f32, bold: bool, color: Color) -> Self {
        Self { size_pt, bold, color }
    }
}

pub(super) struct Page {
    content: Content,
    picture: Option<Canvas>,
}

impl Page {
    pub(super) fn new() -> Self {
        Self { content: Content::new(), picture: None }
    }

    /// One line, its baseline at `y`.
    pub(super) fn text(&mut self, words: &str, x: f32, y: f32, kind: Type) {
        let [r, g, b] = kind.color;
        self.content.set_fill_rgb(r, g, b).begin_text();
        self.content.set_font(if kind.bold { BOLD } else { PLAIN }, kind.size_pt);
        self.content.next_line(x, HEIGHT_PT - y).show(Str(&win_ansi(words))).end_text();
    }

    /// One line that ends at `x`.
    pub(super) fn text_to(&mut self, words: &str, x: f32, y: f32, kind: Type) {
        self.text(words, x - width_pt(words, kind.size_pt, kind.bold), y, kind);
    }

    /// A paragraph. Returns the baseline of the line that would follow.
    pub(super) fn paragraph(&mut self, words: &str, [x, y]: [f32; 2], width: f32, kind: Type) -> f32 {
        let mut at = y;
        for line in lines(words, kind.size_pt, width) {
            self.text(&line, x, at, kind);
            at += kind.size_pt * 1.32;
        }
        at
    }

    /// A filled rectangle, its upper left corner at (x, y).
    pub(super) fn fill(&mut self, [x, y]: [f32; 2], [width, height]: [f32; 2], [r, g, b]: Color) {
        self.content.set_fill_rgb(r, g, b).rect(x, HEIGHT_PT - y - height, width, height).fill_nonzero();
    }

    /// The page's picture, its upper left corner at (x, y).
    pub(super) fn picture(&mut self, canvas: Canvas, [x, y]: [f32; 2], [width, height]: [f32; 2]) {
        self.content.save_state().transform([width, 0.0, 0.0, height, x, HEIGHT_PT - y - height]);
        self.content.x_object(PICTURE).restore_state();
        self.picture = Some(canvas);
    }

    /// The document's bytes.
    pub(super) fn finish(self, title: &str) -> Vec<u8> {
        let [catalog, tree, leaf, plain, bold, contents, image, info] =
            [1, 2, 3, 4, 5, 6, 7, 8].map(Ref::new);
        let mut pdf = Pdf::new();
        pdf.catalog(catalog).pages(tree);
        pdf.pages(tree).kids([leaf]).count(1);
        let mut page = pdf.page(leaf);
        page.media_box(Rect::new(0.0, 0.0, WIDTH_PT, HEIGHT_PT)).parent(tree).contents(contents);
        let mut resources = page.resources();
        resources.fonts().pair(PLAIN, plain).pair(BOLD, bold);
        if self.picture.is_some() {
            resources.x_objects().pair(PICTURE, image);
        }
        resources.finish();
        page.finish();
        for (font, name) in [(plain, "Helvetica"), (bold, "Helvetica-Bold")] {
            pdf.type1_font(font)
                .base_font(Name(name.as_bytes()))
                .encoding_predefined(Name(b"WinAnsiEncoding"));
        }
        let drawn = deflated(&self.content.finish());
        pdf.stream(contents, &drawn).filter(Filter::FlateDecode);
        if let Some(canvas) = self.picture {
            let side = |pixels: usize| i32::try_from(pixels).unwrap_or(i32::MAX);
            let pixels = deflated(&canvas.rgb);
            let mut object = pdf.image_xobject(image, &pixels);
            object.filter(Filter::FlateDecode);
            object.width(side(canvas.width)).height(side(canvas.height));
            object.color_space().device_rgb();
            object.bits_per_component(8);
        }
        pdf.document_info(info).title(TextStr(title)).producer(TextStr("Sidelight"));
        pdf.finish()
    }
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.try_finish()).expect("writing to memory cannot fail");
    encoder.finish().expect("writing to memory cannot fail")
}
