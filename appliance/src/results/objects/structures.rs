//! Structures as objects need them: the labels of a slice, and slices in colour side by side.

use std::collections::BTreeMap;

use dicom_dictionary_std::{tags, uids};
use embedded_graphics::pixelcolor::Rgb888;

use super::ObjectError;
use super::dataset::{Code, DataSet};
use super::picture::{AMBER, BOLD, Canvas, GREY, PANEL, PLAIN, Window, enlarged, values};
use super::segments::{Segment, StructureSegment, cie_lab, structure_segments};
use super::subject::{Moment, Subject};
use crate::imaging::Meaning;
use crate::store::Store;
use crate::store::finding::FindingState;
use crate::store::own_objects::{ResultKind, derived_uid};
use crate::store::structures::StructuresPart;

/// Slices shown, from the feet to the head.
const TILES: usize = 12;
const TILES_IN_A_ROW: usize = 4;
/// Larger images are shown by every second, third, ... pixel.
const TILE_PX_MAX: usize = 256;
const GAP_PX: usize = 8;
const TITLE_PX: usize = 18;
const FOOTER_PX: usize = 78;
/// Of the plain type.
const CHARACTER_PX: usize = 7;
const SOFT_TISSUE: Window = Window { center: 20.0, width: 700.0 };

/// What a store has of a finding's labels.
pub(super) struct Labels<'a> {
    pub part: &'a StructuresPart,
    store: &'a Store,
    subject: &'a Subject<'a>,
}

impl<'a> Labels<'a> {
    pub(super) fn new(store: &'a Store, subject: &'a Subject<'a>, part: &'a StructuresPart) -> Self {
        Self { part, store, subject }
    }

    fn slice(&self, slice: u32) -> Result<Vec<u8>, ObjectError> {
        let finding = self.subject.finding;
        Ok(self.store.slice_labels(&finding.study_uid, &finding.id, self.part, slice)?)
    }

    /// A segment without a voxel has no frame.
    pub(super) fn segments(&self) -> Result<Vec<Segment<'a>>, ObjectError> {
        let segments = structure_segments(self.part);
        let mut runs: Vec<BTreeMap<u32, Vec<[u32; 3]>>> = vec![BTreeMap::new(); segments.len()];
        for slice in 0..self.part.slices {
            let labels = self.slice(slice)?;
            for (segment, runs) in segments.iter().zip(&mut runs) {
                let found = runs_of(&labels, self.part.columns as usize, segment.label);
                if !found.is_empty() {
                    runs.insert(slice, found);
                }
            }
        }
        Ok(segments.iter().zip(runs).map(|(segment, runs)| self.segment(segment, runs)).collect())
    }

    fn segment(&self, one: &StructureSegment<'a>, runs: BTreeMap<u32, Vec<[u32; 3]>>) -> Segment<'a> {
        let finding = self.subject.finding;
        let volume = self.part.of(one.label).map_or(0.0, |found| found.volume_ml);
        Segment {
            label: one.name.into(),
            description: format!("{}; {volume:.1} mL; not for diagnosis", finding.label),
            family: match &self.part.model {
                Some(_) => Code("123110", "DCM", "Artificial Intelligence"),
                None => Code("123104", "DCM", "Morphological Operations"),
            },
            category: Code("123037004", "SCT", "Body structure"),
            property: one.property,
            laterality: one.laterality,
            anatomy: one.property,
            cie_lab: cie_lab(one.colour),
            tracking_uid: derived_uid(&["structure", &finding.id, one.name]),
            moment: Moment::First,
            runs,
        }
    }

    /// A few slices in grey with the labels' colours over them.
    fn tiles(&self, count: usize) -> Result<Vec<(u32, Canvas)>, ObjectError> {
        let slices = self.part.slices as usize;
        let shown = (0..count.min(slices)).map(|tile| (2 * tile + 1) * slices / (2 * count.min(slices)));
        let tile = |slice: usize| {
            let slice = u32::try_from(slice).unwrap_or(0);
            Ok((slice, self.tile(slice)?))
        };
        shown.map(tile).collect()
    }

    fn tile(&self, slice: u32) -> Result<Canvas, ObjectError> {
        let (columns, rows) = (self.part.columns as usize, self.part.rows as usize);
        let step = columns.max(rows).div_ceil(TILE_PX_MAX);
        let frame = values(self.subject, self.subject.frame(slice))?;
        let labels = self.slice(slice)?;
        let size = [columns / step, rows / step];
        let at = |x: usize, y: usize| y * step * columns + x * step;
        let places = || (0..size[1]).flat_map(|y| (0..size[0]).map(move |x| (x, y)));
        let grey: Vec<i16> = places().map(|(x, y)| frame[at(x, y)]).collect();
        let mut canvas = enlarged(&grey, size, 1, self.window(&grey));
        let mut colours = [None; 256];
        for found in &self.part.found {
            colours[usize::from(found.label)] = found.colour.map(rgb);
        }
        for (x, y) in places() {
            if let Some(colour) = colours[usize::from(labels[at(x, y)])] {
                canvas.blend(x, y, colour);
            }
        }
        Ok(canvas)
    }

    /// MR has no units: the images' own window, or all of their values.
    fn window(&self, grey: &[i16]) -> Window {
        if self.subject.stack.meaning == Meaning::Hounsfield {
            return SOFT_TISSUE;
        }
        if let Some([center, width]) = self.subject.stack.window.filter(|[_, width]| *width >= 1.0) {
            return Window { center, width };
        }
        let (low, high) = grey.iter().fold((0, 1), |(low, high), value| (low.min(*value), high.max(*value)));
        Window { center: f64::midpoint(low.into(), high.into()), width: f64::from(high) - f64::from(low) }
    }

    /// Slices side by side with what they are.
    pub(super) fn picture(&self, count: usize) -> Result<Canvas, ObjectError> {
        let tiles = self.tiles(count)?;
        let (wide, high) = tiles.first().map_or((1, 1), |(_, tile)| (tile.width, tile.height));
        let (step_x, step_y) = (wide + GAP_PX, high + TITLE_PX + GAP_PX);
        let rows = tiles.len().div_ceil(TILES_IN_A_ROW);
        let (width, below) = (GAP_PX + TILES_IN_A_ROW * step_x, GAP_PX + rows * step_y);
        let mut canvas = Canvas::new(width, below + FOOTER_PX, PANEL);
        for (place, (slice, tile)) in tiles.iter().enumerate() {
            let (x, y) = (GAP_PX + place % TILES_IN_A_ROW * step_x, GAP_PX + place / TILES_IN_A_ROW * step_y);
            canvas.text(&format!("slice {} of {}", slice + 1, self.part.slices), x, y, PLAIN, GREY);
            canvas.place(tile, x, y + TITLE_PX);
        }
        self.legend(&mut canvas, below);
        let reviewed = self.subject.finding.state == FindingState::Confirmed;
        let who = if reviewed { "automatic, confirmed by a reader" } else { "automatic, unreviewed" };
        let how = if self.part.model.is_some() { "by a network" } else { "by density and shape" };
        canvas.text(&format!("{how}, {who}; not for diagnosis"), GAP_PX, below + 20, BOLD, AMBER);
        if let Some(model) = &self.part.model {
            canvas.text(&model.statement, GAP_PX, below + 36, BOLD, AMBER);
        }
        canvas.text(&format!("Sidelight {}", self.subject.maker.version), GAP_PX, below + 54, PLAIN, GREY);
        Ok(canvas)
    }

    /// Names in their colours on one line, as many as have room; the report and the page have all of them.
    fn legend(&self, canvas: &mut Canvas, y: usize) {
        let mut x = GAP_PX;
        for found in &self.part.found {
            let Some(colour) = found.colour.filter(|_| found.voxels > 0) else { continue };
            let words = format!("{} {:.0} mL", found.name, found.volume_ml);
            let wide = CHARACTER_PX * (words.chars().count() + 2);
            if x + wide > canvas.width {
                canvas.text("...", x, y, PLAIN, GREY);
                return;
            }
            canvas.text(&words, x, y, PLAIN, rgb(colour));
            x += wide;
        }
    }

    pub(super) fn secondary_capture(&self, number: u32) -> Result<DataSet, ObjectError> {
        let canvas = self.picture(TILES)?;
        let class = uids::SECONDARY_CAPTURE_IMAGE_STORAGE;
        let mut set = self.subject.begin(class, ResultKind::SecondaryCapture, CAPTURE, number);
        let place = self.subject.source_text(tags::BODY_PART_EXAMINED);
        let place = if place.is_empty() { "TRUNK".to_owned() } else { place };
        set.set(tags::BODY_PART_EXAMINED, place).empty(tags::PATIENT_ORIENTATION);
        set.set(tags::DERIVATION_DESCRIPTION, "Slices with structures in colour and their volumes");
        set.set(tags::IMAGE_COMMENTS, format!("{}; not for diagnosis", self.subject.finding.label));
        let middle = self.subject.frame(self.part.slices / 2).ok_or(ObjectError::NoImages)?;
        let mut image = self.subject.image_item(middle);
        let purpose = Code("121322", "DCM", "Source image for image processing operation");
        image.code(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, purpose);
        set.sequence(tags::SOURCE_IMAGE_SEQUENCE, vec![image]);
        super::secondary_capture::pixels(&mut set, canvas)?;
        Ok(set)
    }
}

/// The one picture of a finding.
pub(super) const CAPTURE: &str = "slices";

fn rgb([red, green, blue]: [u8; 3]) -> Rgb888 {
    Rgb888::new(red, green, blue)
}

/// Row, first column, length of every run of a label.
fn runs_of(labels: &[u8], columns: usize, label: u8) -> Vec<[u32; 3]> {
    let mut found: Vec<[u32; 3]> = Vec::new();
    for (row, line) in (0_u32..).zip(labels.chunks(columns)) {
        let mut before = false;
        for (column, value) in (0_u32..).zip(line) {
            let here = *value == label;
            match (here, before, found.last_mut()) {
                (true, true, Some(run)) => run[2] += 1,
                (true, ..) => found.push([row, column, 1]),
                _ => {}
            }
            before = here;
        }
    }
    found
}
