//! The demonstration: one calcium patient from scanner to screen, with the real box and real peers.
//!
//! It starts a broker on a free loopback port and a box on a throw-away lab site under `target/demo`, sends a
//! synthetic patient by dcmtk's storescu (or a folder of the user's), waits for what the box makes of it, compares
//! the score with the truth, and stays up for a look at the viewer. It is no part of the product.

#![expect(clippy::print_stdout, reason = "the demo talks to a person")]

mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use serde_json::Value;
use sidelight_tests::peers::api::{Api, measurement};
use sidelight_tests::peers::appliance::{Appliance, Processor, appliance};
use sidelight_tests::peers::broker::{Broker, Subscriber};
use sidelight_tests::peers::dcmtk;
use sidelight_tests::peers::patience::{now, patience, within};
use sidelight_tests::peers::scratch::profile_folder;
use sidelight_tests::phantoms::CalciumPatient;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use report::say;

/// The patient of the demo is always the same one, so that pictures of it can be compared.
const SEED: u64 = 1;

/// Measured and true score may differ by this: both are sums of the same few hundred products.
const ROUNDING: f64 = 1e-6;

/// A folder of somebody's own may be large; nothing is waited for longer than this.
const FOLDER_LIMIT: Duration = Duration::from_secs(30 * 60);

/// Shows a calcium study going from scanner to screen.
#[derive(Parser)]
struct Arguments {
    /// Send the DICOM files below this folder instead of the synthetic patient
    #[arg(long)]
    study: Option<PathBuf>,
    /// Exit after printing, non-zero when the score is wrong
    #[arg(long)]
    once: bool,
}

/// Everything that runs; goes down with the demo, in this order.
struct Stage {
    sidelight: Appliance,
    subscriber: Subscriber,
    _broker: Broker,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let folder = profile_folder().parent().context("programs lie in target/debug")?.join("demo");
    println!("Sidelight: from scanner to screen");
    let mut stage = set_up(&folder)?;
    let right = match &arguments.study {
        Some(study) => show_folder(&stage, study)?,
        None => show_patient(&stage, &folder)?,
    };
    say("viewer", &stage.sidelight.viewer_url());
    if !arguments.once {
        wait_for_ctrl_c()?;
    }
    let stopped = stage.sidelight.terminate();
    if !stopped.is_some_and(|status| status.success()) {
        bail!("the box did not stop in order\n{}", stage.sidelight.evidence());
    }
    Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn set_up(folder: &Path) -> anyhow::Result<Stage> {
    let broker = Broker::start()?;
    let subscriber = broker.subscribe()?;
    say("broker", &format!("mosquitto at {}", broker.url()));
    let begun = now();
    let box_folder = folder.join("box");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository's root");
    let box_wanted = appliance().processor(Processor::Auto).broker(&broker.url()).folder(&box_folder);
    let sidelight = box_wanted.networks(&root.join("models/bundles")).start()?;
    let ready = sidelight.ready();
    let took_s = begun.elapsed().as_secs_f64();
    say("box", &format!("{} at {}, ready after {took_s:.1} s", ready.ae_title, ready.dicom));
    let api = sidelight.api();
    let described = within(patience(), || {
        let described = api.json("/api/box").ok()?;
        (described["processor"]["kind"] != "probing").then_some(described)
    });
    let described = described
        .with_context(|| format!("the box never said where its kernels run\n{}", sidelight.evidence()))?;
    report::processor(&described["processor"]);
    Ok(Stage { sidelight, subscriber, _broker: broker })
}

/// The synthetic patient; whether its score is right.
fn show_patient(stage: &Stage, folder: &Path) -> anyhow::Result<bool> {
    let patient = CalciumPatient::new(SEED);
    let study = folder.join("study");
    if study.exists() {
        std::fs::remove_dir_all(&study).with_context(|| format!("cannot empty {}", study.display()))?;
    }
    std::fs::create_dir_all(&study).with_context(|| format!("cannot make {}", study.display()))?;
    let files = patient.write_dicom(&study)?;
    report::patient(&patient, &study);

    let begun = now();
    let run = dcmtk::storescu(stage.sidelight.dicom_port(), &files, &[])?;
    if !run.status.success() {
        bail!("storescu could not send the study\n{}", run.evidence());
    }
    let sent = now();
    say("sent", &format!("{} slices by storescu in {:.2} s", files.len(), (sent - begun).as_secs_f64()));

    let api = stage.sidelight.api();
    let provisional =
        wait_for_finding(stage, &api, &["provisional", "preliminary", "failed", "not_applicable"])?;
    let took_s = sent.elapsed().as_secs_f64();
    say("finding", &format!("{} after {took_s:.2} s", report::headline(&provisional)));
    let finding = wait_for_finding(stage, &api, &["preliminary", "failed", "not_applicable"])?;
    report::finding(&finding);
    wait_for_messages(stage, 1)?;

    let truth = patient.truth.agatston;
    let measured = measurement(&finding, "agatston");
    let right = measured.is_some_and(|measured| (measured - truth).abs() <= ROUNDING * truth.max(1.0));
    report::verdict(measured, truth, right);
    Ok(right)
}

fn wait_for_finding(stage: &Stage, api: &Api, states: &[&str]) -> anyhow::Result<Value> {
    let found = within(patience(), || {
        let study = api.studies().ok()?.first()?["uid"].as_str()?.to_owned();
        let newest = api.findings_of(&study, "calcium").ok()?.into_iter().next()?;
        states.contains(&newest["state"].as_str()?).then_some(newest)
    });
    found.with_context(|| format!("no finding came out of the box\n{}", stage.sidelight.evidence()))
}

/// Waits until as many results as this have come out of the broker.
fn wait_for_messages(stage: &Stage, count: usize) -> anyhow::Result<()> {
    let arrived = within(patience(), || {
        let messages = stage.subscriber.messages();
        (messages.len() >= count).then_some(messages)
    });
    let messages = arrived.with_context(|| {
        format!("{count} results did not all come out of the broker\n{}", stage.sidelight.evidence())
    })?;
    for message in &messages {
        say("message", &format!("{} bytes on {}", message.payload.len(), message.topic));
    }
    Ok(())
}

/// Somebody's own files; everything the box makes of them is printed. There is no truth to compare with.
fn show_folder(stage: &Stage, study: &Path) -> anyhow::Result<bool> {
    if !study.is_dir() {
        bail!("{} is not a folder", study.display());
    }
    say("sending", &format!("every DICOM file below {} by dcmsend", study.display()));
    let below = [study.to_path_buf()];
    let run = dcmtk::dcmsend(stage.sidelight.dicom_port(), &below, &["+sd", "+r", "--no-halt"])?;
    report::sent(&run);
    let api = stage.sidelight.api();
    let settled = within(FOLDER_LIMIT, || {
        let studies = api.studies().ok()?;
        let idle = |study: &Value| matches!(study["activity"]["state"].as_str(), Some("idle" | "failed"));
        let open = |study: &Value| study["headline"]["state"] == "provisional";
        (!studies.is_empty() && studies.iter().all(|study| idle(study) && !open(study))).then_some(studies)
    });
    let studies = settled.with_context(|| {
        format!("the box did not come to rest\n{}\n{}", run.evidence(), stage.sidelight.evidence())
    })?;
    let mut reported = 0;
    for study in &studies {
        report::study(study);
        for finding in api.findings_of(study["uid"].as_str().unwrap_or_default(), "calcium")? {
            if finding["state"] != "superseded" {
                report::finding(&finding);
            }
            reported += usize::from(finding["state"] == "preliminary");
        }
    }
    wait_for_messages(stage, reported)?;
    Ok(true)
}

fn wait_for_ctrl_c() -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot listen for Ctrl-C")?;
    println!("\nOpen the viewer's address in a browser. Ctrl-C stops everything.");
    signals.forever().next();
    println!();
    Ok(())
}
