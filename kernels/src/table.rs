//! The kernel table: one row for each file in `wgsl/`, and nothing else. Tests hold the rows and the files together.

/// How a kernel uses what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Uniform,
    Read,
    ReadWrite,
    /// `texture_3d<f32>`, read through a sampler.
    Sampled3d,
    Sampler,
}

/// One compute kernel. What it is given is group 0, bound by the names in the WGSL, in the order of the row.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) name: &'static str,
    /// What it shares with its sisters (`wgsl/shared/`), then its own file.
    pub(crate) wgsl: &'static str,
    pub(crate) workgroup: [u32; 3],
    pub(crate) bindings: &'static [(&'static str, Access)],
}

/// Where every kernel begins.
pub(crate) const ENTRY_POINT: &str = "main";

/// The workgroup of kernels that walk along one line. 64 fills the widest subgroup there is.
pub(crate) const LINE: [u32; 3] = [64, 1, 1];

/// The workgroup of kernels that add up within it, so that fewer add to one place in memory.
const LONG_LINE: [u32; 3] = [256, 1, 1];

use Access::{Read, ReadWrite, Sampled3d, Sampler, Uniform};

/// The kernel's own file behind one that it shares.
macro_rules! wgsl {
    ($shared:literal, $own:literal) => {
        concat!(include_str!(concat!("../wgsl/shared/", $shared)), include_str!(concat!("../wgsl/", $own)))
    };
}

pub(crate) const CALCIUM_MASK: Kernel = Kernel {
    name: "calcium_mask",
    wgsl: wgsl!("calcium.wgsl", "calcium_mask.wgsl"),
    workgroup: LONG_LINE,
    bindings: &[
        ("turn", Uniform),
        ("hounsfield", Read),
        ("region", Read),
        ("mask", ReadWrite),
        ("first_nodes", ReadWrite),
        ("parents", ReadWrite),
        ("places", ReadWrite),
        ("counts", ReadWrite),
    ],
};

pub(crate) const CALCIUM_MERGE: Kernel = Kernel {
    name: "calcium_merge",
    wgsl: wgsl!("calcium.wgsl", "calcium_merge.wgsl"),
    workgroup: LINE,
    bindings: &[
        ("turn", Uniform),
        ("mask", Read),
        ("first_nodes", Read),
        ("parents", ReadWrite),
        ("places", Read),
        ("counts", Read),
    ],
};

pub(crate) const CALCIUM_FLATTEN: Kernel = Kernel {
    name: "calcium_flatten",
    wgsl: wgsl!("calcium.wgsl", "calcium_flatten.wgsl"),
    workgroup: LONG_LINE,
    bindings: &[("turn", Uniform), ("parents", ReadWrite), ("records", ReadWrite), ("counts", ReadWrite)],
};

pub(crate) const CALCIUM_MEASURE: Kernel = Kernel {
    name: "calcium_measure",
    wgsl: wgsl!("calcium.wgsl", "calcium_measure.wgsl"),
    workgroup: LINE,
    bindings: &[
        ("turn", Uniform),
        ("hounsfield", Read),
        ("mask", Read),
        ("parents", Read),
        ("places", Read),
        ("records", ReadWrite),
        ("counts", Read),
    ],
};

pub(crate) const CALCIUM_SELECT: Kernel = Kernel {
    name: "calcium_select",
    wgsl: wgsl!("calcium.wgsl", "calcium_select.wgsl"),
    workgroup: LINE,
    bindings: &[("turn", Uniform), ("records", Read), ("lesions", ReadWrite), ("counts", ReadWrite)],
};

pub(crate) const PERFUSION_SURVEY: Kernel = Kernel {
    name: "perfusion_survey",
    wgsl: wgsl!("perfusion.wgsl", "perfusion_survey.wgsl"),
    workgroup: LINE,
    bindings: &[
        ("slab", Uniform),
        ("hounsfield", Read),
        ("frames", Read),
        ("places", Read),
        ("taps", Read),
        ("survey", ReadWrite),
    ],
};

pub(crate) const PERFUSION_FRAMES: Kernel = Kernel {
    name: "perfusion_frames",
    wgsl: wgsl!("perfusion.wgsl", "perfusion_frames.wgsl"),
    workgroup: LINE,
    bindings: &[
        ("slab", Uniform),
        ("hounsfield", Read),
        ("frames", Read),
        ("places", Read),
        ("brain", Read),
        ("planes", ReadWrite),
    ],
};

pub(crate) const PERFUSION_SMOOTH: Kernel = Kernel {
    name: "perfusion_smooth",
    wgsl: include_str!("../wgsl/perfusion_smooth.wgsl"),
    workgroup: LINE,
    bindings: &[("line", Uniform), ("weights", Read), ("sharp", Read), ("smoothed", ReadWrite)],
};

pub(crate) const PERFUSION_DECONVOLVE: Kernel = Kernel {
    name: "perfusion_deconvolve",
    wgsl: wgsl!("perfusion_residue.wgsl", "perfusion_deconvolve.wgsl"),
    workgroup: LINE,
    bindings: &[
        ("work", Uniform),
        ("planes", Read),
        ("voxels", Read),
        ("taps", Read),
        ("maps", ReadWrite),
        ("circle", Read),
        ("components", Read),
        ("room", ReadWrite),
    ],
};

pub(crate) const PERFUSION_RICHARDSON_LUCY: Kernel = Kernel {
    name: "perfusion_richardson_lucy",
    wgsl: wgsl!("perfusion_residue.wgsl", "perfusion_richardson_lucy.wgsl"),
    workgroup: LINE,
    bindings: &[
        ("work", Uniform),
        ("planes", Read),
        ("voxels", Read),
        ("taps", Read),
        ("maps", ReadWrite),
        ("method", Read),
    ],
};

pub(crate) const PERFUSION_SOFTEN: Kernel = Kernel {
    name: "perfusion_soften",
    wgsl: include_str!("../wgsl/perfusion_soften.wgsl"),
    workgroup: LINE,
    bindings: &[("axis", Uniform), ("hard", Read), ("soft", ReadWrite)],
};

pub(crate) const PERFUSION_HALVE: Kernel = Kernel {
    name: "perfusion_halve",
    wgsl: include_str!("../wgsl/perfusion_halve.wgsl"),
    workgroup: LINE,
    bindings: &[("level", Uniform), ("finer", Read), ("coarser", ReadWrite)],
};

pub(crate) const PERFUSION_ALIGN: Kernel = Kernel {
    name: "perfusion_align",
    wgsl: include_str!("../wgsl/perfusion_align.wgsl"),
    workgroup: LINE,
    bindings: &[
        ("level", Uniform),
        ("points", Read),
        ("places", Read),
        ("values", Read),
        ("sums", ReadWrite),
        ("differences", ReadWrite),
    ],
};

/// The workgroup of kernels of which every invocation makes one pixel.
const TILE: [u32; 3] = [8, 8, 1];

pub(crate) const RENDERING: Kernel = Kernel {
    name: "rendering",
    wgsl: include_str!("../wgsl/rendering.wgsl"),
    workgroup: TILE,
    bindings: &[
        ("frame", Uniform),
        ("volume", Sampled3d),
        ("linear", Sampler),
        ("table", Read),
        ("distances", Read),
        ("extremes", Read),
        ("labels", Read),
        ("picture", ReadWrite),
    ],
};

pub(crate) const REFORMAT: Kernel = Kernel {
    name: "reformat",
    wgsl: include_str!("../wgsl/reformat.wgsl"),
    workgroup: TILE,
    bindings: &[
        ("slab", Uniform),
        ("volume", Sampled3d),
        ("linear", Sampler),
        ("rows", Read),
        ("values", ReadWrite),
    ],
};

pub(crate) const BLENDING: Kernel = Kernel {
    name: "blending",
    wgsl: include_str!("../wgsl/blending.wgsl"),
    workgroup: LINE,
    bindings: &[
        ("stripe", Uniform),
        ("frame_values", Read),
        ("levels", Read),
        ("palettes", Read),
        ("lower", Read),
        ("upper", Read),
        ("picture", ReadWrite),
    ],
};

pub(crate) const STRUCTURES_REDUCE: Kernel = Kernel {
    name: "structures_reduce",
    wgsl: wgsl!("structures.wgsl", "structures_reduce.wgsl"),
    workgroup: LINE,
    bindings: &[("turn", Uniform), ("hounsfield", Read), ("sums", ReadWrite), ("peaks", ReadWrite)],
};

pub(crate) const STRUCTURES_CLASSIFY: Kernel = Kernel {
    name: "structures_classify",
    wgsl: wgsl!("structures.wgsl", "structures_classify.wgsl"),
    workgroup: LINE,
    bindings: &[
        ("turn", Uniform),
        ("hounsfield", Read),
        ("states", Read),
        ("labels", ReadWrite),
        ("counts", ReadWrite),
    ],
};

pub(crate) const COPYING: Kernel = Kernel {
    name: "copying",
    wgsl: include_str!("../wgsl/copying.wgsl"),
    workgroup: LONG_LINE,
    bindings: &[("original", Read), ("copied", ReadWrite)],
};

/// Every kernel there is.
#[cfg(test)]
pub(crate) const KERNELS: [&Kernel; 19] = [
    &CALCIUM_MASK,
    &CALCIUM_MERGE,
    &CALCIUM_FLATTEN,
    &CALCIUM_MEASURE,
    &CALCIUM_SELECT,
    &PERFUSION_SURVEY,
    &PERFUSION_FRAMES,
    &PERFUSION_SMOOTH,
    &PERFUSION_DECONVOLVE,
    &PERFUSION_RICHARDSON_LUCY,
    &PERFUSION_SOFTEN,
    &PERFUSION_HALVE,
    &PERFUSION_ALIGN,
    &RENDERING,
    &REFORMAT,
    &BLENDING,
    &STRUCTURES_REDUCE,
    &STRUCTURES_CLASSIFY,
    &COPYING,
];

#[cfg(test)]
mod tests;
