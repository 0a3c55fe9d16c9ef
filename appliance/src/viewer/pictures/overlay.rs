//! What a finding found, as labels over the volume of its series.
//!
//! Colours are those of the slices: of structures their own, of lesions and marks those of web/src/viewport/overlay.ts.
//! Opacity is that of one sample: large structures are seen through, small ones stand out.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sidelight_kernels::rendering::Labels;
use sidelight_kernels::{Dimensions, Volume};

use crate::store::Store;
use crate::store::calcium::Vessel;
use crate::store::finding::Finding;
use crate::uid::{SeriesUid, StudyUid};
use crate::viewer::error::ApiError;

/// Red, green, blue and the opacity of a sample.
type Colour = [u8; 4];

const CLEAR: Colour = [0; 4];

/// By label of what density and shape tell apart: nothing for the body, then lungs, airway, bone, fat, lean tissue.
const OPACITIES: [u8; 8] = [0, 0, 10, 10, 70, 90, 8, 8];
/// Of what a network labels: whatever it is, it is seen, and what lies behind it too.
const OF_NETWORKS: u8 = 40;
const AMBER: Colour = [255, 176, 32, 200];
/// What is in no artery.
const OUTSIDE: Colour = [154, 166, 177, 120];

/// What the client wants over the volume.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::viewer) struct Wanted {
    /// A finding of the series; nothing lies over it without.
    pub finding: Option<String>,
    /// Labels that are not shown, separated by commas.
    #[serde(default)]
    pub hidden: String,
}

/// One label, as the page names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::viewer) struct Shade {
    pub label: u8,
    pub name: String,
    pub colour: [u8; 3],
}

/// Labels and what they are called.
#[derive(Debug)]
pub(in crate::viewer) struct Overlay {
    pub labels: Labels,
    pub legend: Vec<Shade>,
}

/// The finding's labels over its volume. Blocks.
pub(super) fn of(
    store: &Store,
    (study, series): (&StudyUid, &SeriesUid),
    volume: &Volume,
    wanted: &Wanted,
) -> Result<Option<Overlay>, ApiError> {
    let Some(id) = &wanted.finding else { return Ok(None) };
    let finding = store.finding(study, id)?;
    if finding.series_uid != *series {
        return Err(ApiError::not_found("finding of this series"));
    }
    let mut painter = Painter::new(volume, &wanted.hidden)?;
    painter.structures(store, study, &finding)?;
    painter.lesions(&finding)?;
    painter.marks(&finding)?;
    painter.finish().map(Some)
}

/// Lays labels into a volume of them.
struct Painter {
    dimensions: Dimensions,
    increment_mm: f64,
    hidden: Vec<u8>,
    values: Vec<u8>,
    /// Of label 1, 2 and so on.
    colours: Vec<Colour>,
    legend: Vec<Shade>,
}

impl Painter {
    fn new(volume: &Volume, hidden: &str) -> Result<Self, ApiError> {
        let hidden = hidden.split(',').filter(|label| !label.is_empty()).map(|label| {
            label.parse().map_err(|_| {
                ApiError::new(StatusCode::BAD_REQUEST, "hidden: numbers of labels, separated by commas")
            })
        });
        let dimensions = volume.dimensions();
        Ok(Self {
            dimensions,
            increment_mm: volume.geometry().slice_increment_mm,
            hidden: hidden.collect::<Result<_, _>>()?,
            values: vec![0; dimensions.len()],
            colours: Vec::new(),
            legend: Vec::new(),
        })
    }

    fn structures(&mut self, store: &Store, study: &StudyUid, finding: &Finding) -> Result<(), ApiError> {
        let Some(part) = &finding.structures else { return Ok(()) };
        let Dimensions { columns, rows, slices } = self.dimensions;
        if [part.columns, part.rows, part.slices] != [columns, rows, slices] {
            return Err(another_state());
        }
        let mut shown = [false; 256];
        for found in part.found.iter().filter(|found| found.voxels > 0 && found.label > 0) {
            let Some([red, green, blue]) = found.colour else { continue };
            let label = usize::from(found.label);
            let opacity = match &part.model {
                Some(_) => OF_NETWORKS,
                None => OPACITIES.get(label).copied().unwrap_or_default(),
            };
            self.colours.resize(self.colours.len().max(label), CLEAR);
            self.colours[label - 1] = [red, green, blue, opacity];
            self.name(found.label, &found.name, self.colours[label - 1]);
            shown[label] = !self.hidden.contains(&found.label);
        }
        let slice_len = self.dimensions.slice_len();
        for slice in 0..part.slices {
            let labels = store.slice_labels(study, &finding.id, part, slice)?;
            let to = &mut self.values[slice as usize * slice_len..][..slice_len];
            for (to, label) in to.iter_mut().zip(labels) {
                *to = if shown[usize::from(label)] { label } else { 0 };
            }
        }
        Ok(())
    }

    fn lesions(&mut self, finding: &Finding) -> Result<(), ApiError> {
        let mut in_artery = None;
        let mut outside = None;
        for lesion in &finding.lesions {
            let counts = lesion.vessel.is_none_or(Vessel::is_coronary);
            let label = if counts {
                *in_artery.get_or_insert_with(|| self.add("Lesions", AMBER))
            } else {
                *outside.get_or_insert_with(|| self.add("In no coronary artery", OUTSIDE))
            };
            for part in &lesion.slices {
                self.runs(label, part.slice, &part.runs)?;
            }
        }
        Ok(())
    }

    fn marks(&mut self, finding: &Finding) -> Result<(), ApiError> {
        let Some(part) = finding.marks.as_ref().filter(|part| part.views.is_empty()) else { return Ok(()) };
        let Dimensions { columns, rows, slices } = self.dimensions;
        let size = [columns, rows, slices].map(u64::from);
        if part.marks.is_empty() {
            return Ok(());
        }
        let label = self.add("Marks: balls, not outlines", AMBER);
        for mark in &part.marks {
            for (slice, runs) in mark.ball(self.increment_mm, size) {
                self.runs(label, slice, &runs)?;
            }
        }
        Ok(())
    }

    /// A label of its own.
    fn add(&mut self, name: &str, colour: Colour) -> u8 {
        self.colours.push(colour);
        let label = u8::try_from(self.colours.len()).expect("a finding has a handful of labels");
        self.name(label, name, colour);
        label
    }

    fn name(&mut self, label: u8, name: &str, [red, green, blue, _]: Colour) {
        self.legend.push(Shade { label, name: name.to_owned(), colour: [red, green, blue] });
    }

    /// Row, first column and length of each run.
    fn runs(&mut self, label: u8, slice: u32, runs: &[[u32; 3]]) -> Result<(), ApiError> {
        if self.hidden.contains(&label) {
            return Ok(());
        }
        let Dimensions { columns, rows, slices } = self.dimensions;
        for &[row, first, length] in runs {
            let fits = slice < slices && row < rows && first.saturating_add(length) <= columns;
            if !fits {
                return Err(another_state());
            }
            let start = slice as usize * self.dimensions.slice_len() + (row * columns + first) as usize;
            self.values[start..start + length as usize].fill(label);
        }
        Ok(())
    }

    fn finish(self) -> Result<Overlay, ApiError> {
        if self.legend.is_empty() {
            let sentence =
                "this finding has nothing that lies over the volume: structures, lesions or marks do";
            return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, sentence));
        }
        let labels = Labels::new(self.dimensions, self.values, &self.colours)
            .map_err(|error| ApiError::internal(&error))?;
        Ok(Overlay { labels, legend: self.legend })
    }
}

/// More images have come since, or fewer are left.
fn another_state() -> ApiError {
    ApiError::new(StatusCode::CONFLICT, "the finding is of another state of the series; take the newest one")
}
