//! `model.toml`: what a network is, what it may be used for, how its input is made and its answer read.
//!
//! Unknown keys are refused with key and line; a value that cannot be right is refused with its key.

mod detection;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::digest::sha256_hex;

pub use detection::{Detection, Reads, Reduction, Volumes};

/// A manifest is two pages of text; a larger file is something else.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Older operator sets lack what the exporters of today write; newer ones this runtime does not know.
const OPSETS: std::ops::RangeInclusive<u32> = 11..=26;
/// A side of a patch beyond this is a whole slide, not a medical image.
const PATCH_SIDE_MAX: usize = 4096;
/// A block of 256^3; its scores are held several times over.
const BLOCK_VOXELS_MAX: usize = 1 << 24;
/// Names stand in DICOM's long strings (PS3.5 6.2, LO).
const TEXT_MAX: usize = 64;
/// Labels are stored in a byte.
const LABELS_MAX: usize = 255;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Of the file, in hexadecimal: the same digest, the same way from image to answer.
    #[serde(skip)]
    pub sha256: String,
    /// Also the name of the bundle's folder.
    pub name: String,
    pub version: String,
    pub task: Task,
    /// Runs only where the site file allows demonstration models, and says so wherever it speaks.
    pub demonstration: bool,
    /// One sentence that stands beside every result.
    pub statement: String,
    /// SPDX expression.
    pub licence: String,
    pub intended_use: String,
    pub trained_on: String,
    pub limits: Vec<String>,
    pub network: NetworkFile,
    pub golden: Golden,
    /// How images become input; for `segmentation`.
    pub images: Option<Images>,
    /// How images become input and heat becomes marks; for `detection`.
    pub detection: Option<Detection>,
    /// What the classes are; class 0 is "nothing". For `segmentation` and `detection`.
    #[serde(default)]
    pub labels: Vec<Label>,
    /// Which pieces of the answer are kept; for `segmentation`.
    #[serde(default)]
    pub pieces: Pieces,
}

/// What the box can do with a network by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Images in, one label per pixel out: the generic path of `segment`.
    Segmentation,
    /// A plane or a volume in, marks out: `detect`.
    Detection,
    /// Tensors in, tensors out: only code that knows this network can use it.
    Tensors,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkFile {
    /// In the bundle's folder.
    pub file: PathBuf,
    /// Of the file, in hexadecimal.
    pub sha256: String,
    pub opset: u32,
    /// Verification refuses a network whose process needs more than this beyond what it held before.
    pub memory_max_bytes: u64,
    pub inputs: Vec<DeclaredPort>,
    pub outputs: Vec<DeclaredPort>,
}

/// An input or output as the bundle promises it; -1 stands for any length.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredPort {
    pub name: String,
    pub element: Element,
    pub shape: Vec<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    F32,
    I64,
}

/// A known answer: array files (`numpy.save`) of the bundle's folder by input and output name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    pub inputs: BTreeMap<String, PathBuf>,
    /// Outputs that are not named are not compared.
    pub outputs: BTreeMap<String, PathBuf>,
    /// The largest difference of any value.
    pub tolerance: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Images {
    /// As DICOM writes it (`MR`, `CT`).
    pub modality: String,
    /// `axial`, `coronal`, `sagittal` or `any`: by where the images lie. Of another plane (`short axis`) the series'
    /// description has to say every word.
    pub plane: String,
    /// `contrast` or `non-contrast`: by whether an agent was given; `any`. Of another sequence (`T2 HASTE`) the series'
    /// description has to say every word.
    pub sequence: String,
    /// Whether the network was trained on one orientation of the images, or on any rotation and reflection.
    pub orientation: Orientation,
    /// Pixel distance that the network was trained at. Images are placed at it; those much coarser are not asked about.
    pub pixel_mm: f64,
    /// Rows and columns of one input.
    pub patch: [usize; 2],
    /// For networks that read whole scans in blocks; absent for those that read planes.
    pub depth: Option<Depth>,
    /// Share of a patch that the next one covers again, where an image needs several.
    pub overlap: f64,
    pub intensity: Intensity,
}

/// The third side of a block.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Depth {
    /// Distance of slices that the network was trained at.
    pub slice_mm: f64,
    /// Slices of one input.
    pub slices: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Orientation {
    Any,
    /// As stored: the first column at the patient's right or front.
    AsStored,
    /// Columns to the patient's left, rows to the back, slices to the head; for whole scans, which are turned so.
    Lps,
    /// Columns to the right, rows to the front, slices to the head.
    Ras,
}

/// Which values become 0 and 1; what lies beyond is cut.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Intensity {
    /// Of the image itself.
    Percentiles([f64; 2]),
    /// Fixed: Hounsfield units.
    Window([f64; 2]),
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The class's number, from 1.
    pub class: u8,
    pub name: String,
    /// SNOMED CT identifier of the structure.
    pub snomed: String,
    pub meaning: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pieces {
    #[default]
    All,
    /// The largest connected piece of all that is labelled.
    Largest,
}

/// Why a manifest is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is larger than {FILE_BYTES_MAX} bytes", path.display())]
    TooLarge { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Parse { path: PathBuf, source: Box<toml::de::Error> },
    #[error("{}: {key}: {what}", path.display())]
    Value { path: PathBuf, key: &'static str, what: String },
}

impl Manifest {
    /// Reads and checks `model.toml`.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let read = |source| ManifestError::Read { path: path.into(), source };
        if std::fs::metadata(path).map_err(read)?.len() > FILE_BYTES_MAX {
            return Err(ManifestError::TooLarge { path: path.into() });
        }
        let text = std::fs::read_to_string(path).map_err(read)?;
        let mut manifest: Self = toml::from_str(&text)
            .map_err(|source| ManifestError::Parse { path: path.into(), source: Box::new(source) })?;
        manifest.check().map_err(|(key, what)| ManifestError::Value { path: path.into(), key, what })?;
        manifest.sha256 = sha256_hex(text.as_bytes());
        Ok(manifest)
    }

    /// The label of a class.
    pub fn label(&self, class: u8) -> Option<&Label> {
        self.labels.iter().find(|label| label.class == class)
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        let legal = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
        for (key, word) in [("name", &self.name), ("version", &self.version)] {
            if word.is_empty() || word.len() > 64 || !word.chars().all(legal) || word.starts_with('.') {
                return Err((key, format!("{word:?} must be 1 to 64 letters, digits, '.', '-', '_' or '+'")));
            }
        }
        for (key, text) in [
            ("statement", &self.statement),
            ("licence", &self.licence),
            ("intended_use", &self.intended_use),
            ("trained_on", &self.trained_on),
        ] {
            if text.trim().is_empty() {
                return Err((key, "must not be empty: a network without it serves nobody".into()));
            }
        }
        if self.limits.is_empty() {
            return Err(("limits", "every network has some: name them".into()));
        }
        self.network.check()?;
        self.golden.check(&self.network)?;
        match (self.task, &self.images, &self.detection) {
            (Task::Tensors, ..) => Ok(()),
            (Task::Segmentation, None, _) => {
                Err(("images", "a segmentation needs to know its images".into()))
            }
            (Task::Segmentation, Some(images), _) => {
                images.check()?;
                self.check_labels()
            }
            (Task::Detection, _, None) => {
                Err(("detection", "a detection needs to know what it reads".into()))
            }
            (Task::Detection, _, Some(detection)) => {
                detection.check()?;
                self.check_labels()
            }
        }
    }

    fn check_labels(&self) -> Result<(), (&'static str, String)> {
        if self.labels.is_empty() || self.labels.len() > LABELS_MAX {
            return Err(("labels", format!("a segmentation or detection has 1 to {LABELS_MAX}")));
        }
        for (position, label) in self.labels.iter().enumerate() {
            if usize::from(label.class) != position + 1 {
                return Err(("labels", "classes count from 1, in order".into()));
            }
            if label.snomed.is_empty() || !label.snomed.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(("labels", format!("{:?} is no SNOMED CT identifier", label.snomed)));
            }
            for text in [&label.name, &label.meaning] {
                if text.trim().is_empty() || text.chars().count() > TEXT_MAX || text.contains('\\') {
                    let what = format!("{text:?} must be 1 to {TEXT_MAX} characters without a backslash");
                    return Err(("labels", what));
                }
            }
        }
        Ok(())
    }
}

/// A path that stays in the bundle's folder.
fn plain(path: &Path) -> bool {
    path.components().count() == 1 && path.file_name().is_some()
}

impl NetworkFile {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if !plain(&self.file) {
            return Err(("network.file", "must be a file name in the bundle's folder".into()));
        }
        if self.sha256.len() != 64
            || !self.sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        {
            return Err(("network.sha256", "must be 64 hexadecimal digits, lower case".into()));
        }
        if !OPSETS.contains(&self.opset) {
            let what = format!(
                "{} is not supported: this box runs {} to {}",
                self.opset,
                OPSETS.start(),
                OPSETS.end()
            );
            return Err(("network.opset", what));
        }
        if self.inputs.is_empty() || self.outputs.is_empty() {
            return Err(("network", "needs inputs and outputs".into()));
        }
        Ok(())
    }
}

impl Golden {
    fn check(&self, network: &NetworkFile) -> Result<(), (&'static str, String)> {
        if !(self.tolerance > 0.0 && self.tolerance <= 1.0) {
            return Err(("golden.tolerance", "must lie above 0 and not above 1".into()));
        }
        if !self.inputs.values().chain(self.outputs.values()).all(|path| plain(path)) {
            return Err(("golden", "files lie in the bundle's folder".into()));
        }
        let missing = network.inputs.iter().find(|port| !self.inputs.contains_key(&port.name));
        if let Some(port) = missing {
            return Err(("golden.inputs", format!("{} is missing", port.name)));
        }
        if self.outputs.is_empty() {
            return Err(("golden.outputs", "at least one output must be known".into()));
        }
        Ok(())
    }
}

impl Images {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if !(self.pixel_mm > 0.01 && self.pixel_mm < 100.0) {
            return Err(("images.pixel_mm", "must lie between 0.01 and 100".into()));
        }
        if !self.patch.iter().all(|side| (8..=PATCH_SIDE_MAX).contains(side)) {
            return Err(("images.patch", format!("sides are 8 to {PATCH_SIDE_MAX} pixels")));
        }
        if let Some(depth) = self.depth {
            if !(depth.slice_mm > 0.01 && depth.slice_mm < 100.0) {
                return Err(("images.depth.slice_mm", "must lie between 0.01 and 100".into()));
            }
            let voxels = self.patch[0] * self.patch[1] * depth.slices;
            if depth.slices == 0 || voxels > BLOCK_VOXELS_MAX {
                let what = format!("a block has at least a slice and at most {BLOCK_VOXELS_MAX} voxels");
                return Err(("images.depth.slices", what));
            }
        } else if matches!(self.orientation, Orientation::Lps | Orientation::Ras) {
            return Err(("images.orientation", "only whole scans are turned: say any or as-stored".into()));
        }
        if !(0.0..=0.9).contains(&self.overlap) {
            return Err(("images.overlap", "must be 0 to 0.9".into()));
        }
        let (Intensity::Percentiles([low, high]) | Intensity::Window([low, high])) = self.intensity;
        let within = !matches!(self.intensity, Intensity::Percentiles(_)) || (low >= 0.0 && high <= 100.0);
        if !(low < high && within) {
            return Err(("images.intensity", "needs two rising values".into()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
