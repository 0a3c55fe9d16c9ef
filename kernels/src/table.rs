//! The kernel table: one row for each file in `wgsl/`, and nothing else. Tests hold the rows and the files together.

/// How a kernel uses a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Uniform,
    Read,
    ReadWrite,
}

/// One compute kernel. Its buffers are group 0, bound by their names in the WGSL, in the order of the row.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) name: &'static str,
    pub(crate) wgsl: &'static str,
    pub(crate) bindings: &'static [(&'static str, Access)],
}

/// Where every kernel begins.
pub(crate) const ENTRY_POINT: &str = "main";

/// Invocations of a workgroup, along x. 64 fills the widest subgroup there is.
pub(crate) const WORKGROUP_SIZE: u32 = 64;

use Access::{Read, ReadWrite, Uniform};

pub(crate) const CALCIUM_MASK: Kernel = Kernel {
    name: "calcium_mask",
    wgsl: include_str!("../wgsl/calcium_mask.wgsl"),
    bindings: &[
        ("slab", Uniform),
        ("hounsfield", Read),
        ("region", Read),
        ("mask", ReadWrite),
        ("parents", ReadWrite),
    ],
};

pub(crate) const CALCIUM_MERGE: Kernel = Kernel {
    name: "calcium_merge",
    wgsl: include_str!("../wgsl/calcium_merge.wgsl"),
    bindings: &[("slab", Uniform), ("mask", Read), ("parents", ReadWrite)],
};

pub(crate) const CALCIUM_FLATTEN: Kernel = Kernel {
    name: "calcium_flatten",
    wgsl: include_str!("../wgsl/calcium_flatten.wgsl"),
    bindings: &[
        ("slab", Uniform),
        ("mask", Read),
        ("parents", ReadWrite),
        ("record_count", ReadWrite),
        ("records", ReadWrite),
    ],
};

pub(crate) const CALCIUM_MEASURE: Kernel = Kernel {
    name: "calcium_measure",
    wgsl: include_str!("../wgsl/calcium_measure.wgsl"),
    bindings: &[
        ("slab", Uniform),
        ("hounsfield", Read),
        ("mask", Read),
        ("parents", Read),
        ("records", ReadWrite),
    ],
};

/// Every kernel there is.
pub(crate) const KERNELS: [&Kernel; 4] = [&CALCIUM_MASK, &CALCIUM_MERGE, &CALCIUM_FLATTEN, &CALCIUM_MEASURE];

#[cfg(test)]
mod tests;
