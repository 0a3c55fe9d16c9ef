//! What many instances in the index cost: receiving, starting, searching.

use std::time::Duration;

use anyhow::ensure;
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::patience::now;
use sidelight_tests::peers::scratch::Scratch;

use super::sections::sent;
use super::table::{Table, median, ratio, seconds, spread};
use super::{Sizes, objects, prefill};

pub(crate) fn growth(sizes: Sizes, scratch: &Scratch, table: &mut Table) -> anyhow::Result<()> {
    let mut full = appliance().start()?;
    ensure!(full.terminate().is_some_and(|status| status.success()), "{}", full.evidence());
    let begun = now();
    prefill::fill(&full.data_folder(), sizes.prefilled, sizes.prefilled_studies)?;
    let what = format!("{} instances in {} studies", sizes.prefilled, sizes.prefilled_studies);
    table.row(
        &format!("filing {what} through the store's door"),
        &seconds(begun.elapsed()),
        "-",
        "-",
        "under a minute",
    );
    start(&mut full, &what, table)?;
    search(&mut full, sizes.prefilled_studies, table)?;

    let (mut filled, mut fresh) = (Vec::new(), Vec::new());
    for run in 0..sizes.growth_runs {
        let folder = scratch.path().join(format!("growth-{run}"));
        let files = objects::series(&folder, sizes.growth_slices, sizes.side)?;
        let empty = appliance().start()?;
        // Who comes first changes: what a disk cache remembers helps neither.
        let ports = if run % 2 == 0 {
            [full.dicom_port(), empty.dicom_port()]
        } else {
            [empty.dicom_port(), full.dicom_port()]
        };
        for port in ports {
            let times = if port == full.dicom_port() { &mut filled } else { &mut fresh };
            times.push(sent(port, &files)?);
        }
        std::fs::remove_dir_all(folder)?;
    }
    table.row(
        &format!("{} CT slices into a box with {what}", sizes.growth_slices),
        &spread(&filled),
        &format!("into an empty box {}", spread(&fresh)),
        &format!("{:.2}x the rate", ratio(median(fresh.clone()), median(filled.clone()))),
        "at least 0.9x",
    );
    Ok(())
}

/// From the command to the ready line, after a stop and after a kill.
fn start(full: &mut Appliance, what: &str, table: &mut Table) -> anyhow::Result<()> {
    let begun = now();
    full.restart()?;
    let first = begun.elapsed();
    full.kill9();
    let begun = now();
    full.restart()?;
    table.row(
        &format!("start with {what}"),
        &seconds(begun.elapsed()),
        &format!("the first one after they came {}", seconds(first)),
        "-",
        "reported",
    );
    Ok(())
}

/// The first search after a start, and the ones after it.
fn search(full: &mut Appliance, studies: usize, table: &mut Table) -> anyhow::Result<()> {
    let api = full.api();
    let mut times = Vec::new();
    for name in ["BENCH*", "*Nobody*", "bench^nobody", "Ben?h*", "*NO*"] {
        let begun = now();
        let path = format!("/dicom-web/studies?PatientName={}&limit=20", name.replace('^', "%5E"));
        let found = api.json(&path)?;
        times.push(begun.elapsed());
        ensure!(found.as_array().is_some_and(|found| !found.is_empty()), "nothing found: {found}");
    }
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    table.row(
        &format!("QIDO-RS over {studies} studies, the first after a start"),
        &ms(times[0]),
        &format!("later ones {}", ms(median(times[1..].to_vec()))),
        "-",
        "under 50 ms",
    );
    Ok(())
}
