//! The sections that need nothing prepared: receivers side by side, four associations, memory.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::ensure;
use sidelight_tests::peers::appliance::appliance;
use sidelight_tests::peers::dcmtk::{Witness, dcmsend, storescu};
use sidelight_tests::peers::orthanc::Orthanc;
use sidelight_tests::peers::patience::now;
use sidelight_tests::peers::scratch::Scratch;

use super::sink::Sink;
use super::table::{Table, median, ratio, seconds, spread};
use super::{Sizes, objects};

/// How long one sender takes for these files, from its start to its end. The disk has written back what went before.
pub(crate) fn sent(port: u16, files: &[PathBuf]) -> anyhow::Result<Duration> {
    rustix::fs::sync();
    let begun = now();
    let run = dcmsend(port, files, &[])?;
    let took = begun.elapsed();
    ensure!(run.status.success(), "{}", run.evidence());
    Ok(took)
}

/// Box, sink, Orthanc and storescp in turn, a fresh one each time: what is there already takes another way.
pub(crate) fn receivers(sizes: Sizes, scratch: &Scratch, table: &mut Table) -> anyhow::Result<()> {
    let folder = scratch.path().join("study");
    let files = objects::series(&folder, sizes.slices, sizes.side)?;
    let [mut here, mut off, mut orthanc, mut storescp] = [const { Vec::new() }; 4];
    for _run in 0..sizes.runs {
        let receiver = appliance().start()?;
        here.push(sent(receiver.dicom_port(), &files)?);
        drop(receiver);
        let receiver = Sink::start()?;
        off.push(sent(receiver.port(), &files)?);
        drop(receiver);
        let receiver = Orthanc::start()?;
        orthanc.push(sent(receiver.dicom_port(), &files)?);
        drop(receiver);
        let receiver = Witness::start("+xe")?;
        storescp.push(sent(receiver.port(), &files)?);
    }
    let what = format!("{} CT slices {}x{}, dcmsend, one association", sizes.slices, sizes.side, sizes.side);
    let box_took = median(here.clone());
    let mut beside = |who: &str, times: &[Duration], ratio: String, bar: &str| {
        table.row(&what, &spread(&here), &format!("{who} {}", spread(times)), &ratio, bar);
    };
    let slower = format!("{:.2}x its time", ratio(box_took, median(off.clone())));
    beside("our acceptor, storage off", &off, slower, "at most 2.5x");
    let faster = |times: &[Duration]| format!("{:.1}x faster", ratio(median(times.to_vec()), box_took));
    beside("Orthanc", &orthanc, faster(&orthanc), "at least 10x");
    beside("dcmtk storescp, nothing synced", &storescp, faster(&storescp), "reported");
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

/// The same slices over one association and over four at once.
pub(crate) fn four_associations(sizes: Sizes, scratch: &Scratch, table: &mut Table) -> anyhow::Result<()> {
    let folder = scratch.path().join("four");
    let files = objects::series(&folder, sizes.slices, sizes.side)?;
    let quarter = files.len().div_ceil(4);
    let (mut one, mut four) = (Vec::new(), Vec::new());
    for _run in 0..sizes.runs {
        let receiver = appliance().start()?;
        one.push(sent(receiver.dicom_port(), &files)?);
        drop(receiver);
        let receiver = appliance().start()?;
        let port = receiver.dicom_port();
        let begun = now();
        std::thread::scope(|scope| {
            let senders: Vec<_> =
                files.chunks(quarter).map(|files| scope.spawn(move || sent(port, files))).collect();
            senders.into_iter().try_for_each(|sender| {
                sender.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).map(drop)
            })
        })?;
        four.push(begun.elapsed());
    }
    table.row(
        &format!("{} CT slices over four associations at once", sizes.slices),
        &spread(&four),
        &format!("one association {}", spread(&one)),
        &format!("{:.2}x the rate", ratio(median(one.clone()), median(four.clone()))),
        "at least 1x",
    );
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

/// Resident memory of the box while one multi-frame object arrives.
pub(crate) fn memory(sizes: Sizes, scratch: &Scratch, table: &mut Table) -> anyhow::Result<()> {
    let file = scratch.path().join("multi-frame.dcm");
    let bytes = objects::multi_frame(&file, sizes.frames)?;
    let receiver = appliance().start()?;
    let before = resident_kib(receiver.process_id())?;
    let (peak, done) = (AtomicU64::new(before), AtomicBool::new(false));
    let (run, took) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                peak.fetch_max(resident_kib(receiver.process_id()).unwrap_or(0), Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let begun = now();
        let run = storescu(receiver.dicom_port(), std::slice::from_ref(&file), &["+C", "-pdu", "131072"]);
        let took = begun.elapsed();
        done.store(true, Ordering::SeqCst);
        (run, took)
    });
    let run = run?;
    ensure!(run.status.success(), "{}", run.evidence());
    let grown_mib = (peak.into_inner() - before) as f64 / 1024.0;
    table.row(
        &format!(
            "resident memory while {:.2} GiB in {} frames arrive",
            bytes as f64 / f64::from(1 << 30),
            sizes.frames
        ),
        &format!("grows by {grown_mib:.1} MiB in {}", seconds(took)),
        &format!("{} MiB before", before / 1024),
        "-",
        "under 64 MiB",
    );
    std::fs::remove_file(file)?;
    Ok(())
}

/// VmRSS of a process.
fn resident_kib(process: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
