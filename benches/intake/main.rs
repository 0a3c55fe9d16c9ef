//! What receiving costs: the box, durable before each answer, beside its own session machine with storage switched off,
//! Orthanc and dcmtk's storescp. The same files, the same sender (dcmtk's dcmsend), loopback, alternating runs of one
//! program; the median counts, and the ratio rather than the time. Ends with one Markdown table.
//!
//! `cargo bench --workspace --bench intake` (some ten minutes; needs `cargo build --release --workspace --bins` first,
//! `make bench` does both); `-- NAME` runs the sections whose name contains NAME. Without `--bench`, as under
//! `cargo test`, everything runs once on tiny sizes.

mod audit;
mod growth;
mod objects;
mod prefill;
mod sections;
mod sink;
mod table;

use sidelight_tests::peers::scratch::Scratch;
use table::Table;

/// How much of everything.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// Slices of the large study, and their side in pixels.
    slices: usize,
    side: u16,
    runs: usize,
    /// Slices of one run against a full index.
    growth_slices: usize,
    growth_runs: usize,
    /// Instances and studies in a full index.
    prefilled: usize,
    prefilled_studies: usize,
    /// Frames of the multi-frame object: 512 KiB each.
    frames: u32,
    audit_events: usize,
}

const FULL: Sizes = Sizes {
    slices: 1000,
    side: 512,
    runs: 3,
    growth_slices: 200,
    growth_runs: 5,
    prefilled: 200_000,
    prefilled_studies: 10_000,
    // 2 GiB of pixel data.
    frames: 4096,
    audit_events: 200,
};

const TINY: Sizes = Sizes {
    slices: 8,
    side: 64,
    runs: 1,
    growth_slices: 4,
    growth_runs: 1,
    prefilled: 200,
    prefilled_studies: 20,
    frames: 8,
    audit_events: 5,
};

type Section = (&'static str, fn(Sizes, &Scratch, &mut Table) -> anyhow::Result<()>);

const SECTIONS: [Section; 5] = [
    ("receivers", sections::receivers),
    ("four", sections::four_associations),
    ("memory", sections::memory),
    ("growth", growth::growth),
    ("audit", audit::cost),
];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let sizes = if arguments.iter().any(|argument| argument == "--bench") { FULL } else { TINY };
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let scratch = Scratch::new("bench-intake")?;
    let mut table = Table::begin();
    for (name, section) in SECTIONS {
        if filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str())) {
            section(sizes, &scratch, &mut table)?;
        }
    }
    table.print();
    Ok(())
}
