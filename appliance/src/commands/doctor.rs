//! `sidelight doctor`: what the box sees, one sentence each, and what is wrong. Works whether the box runs or not.

use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use sidelight::clock::Clock;
use sidelight::compute::KeptKernels;
use sidelight::disk;
use sidelight::wiring::networks;
use sidelight_kernels::{AdapterReport, survey};
use sidelight_models::Catalogue;
use sidelight_provisioning::Identity;
use sidelight_provisioning::keeping::Destination;
use sidelight_provisioning::site::{ProcessorWish, Site};

/// Less than this beyond the reserve and a single CT perfusion study may not fit.
const FREE_BYTES_MIN: u64 = 10 << 30;
/// The day this version was begun: a clock before it is wrong, whatever else is true.
const CLOCK_MS_MIN: u64 = 1_795_392_000_000;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Site file
    #[arg(long)]
    site: PathBuf,
}

/// Collects sentences and remembers whether one of them was bad news.
#[derive(Default)]
struct Report {
    trouble: bool,
}

#[expect(clippy::print_stdout, reason = "a command line answers on standard output")]
impl Report {
    fn good(&self, what: &str, sentence: &str) {
        println!("  ok   {what}: {sentence}");
    }

    /// The box serves, and somebody should look at it before long.
    fn doubtful(&self, what: &str, sentence: &str) {
        println!("  look {what}: {sentence}");
    }

    fn bad(&mut self, what: &str, sentence: &str) {
        self.trouble = true;
        println!("  BAD  {what}: {sentence}");
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let site = Site::read(&arguments.site)?;
    let mut report = Report::default();
    report.good("site", &format!("{} / {}, {:?}", site.site, site.device, site.kind).to_lowercase());
    keys(&site, &mut report);
    let compiled = KeptKernels::of(&site.data_dir).read();
    let adapters = survey(&compiled);
    processor(&site, &adapters, &mut report);
    kept_kernels(compiled.len(), &adapters, &mut report);
    models(&site, &mut report)?;
    disk_room(&site.data_dir, site.dicom.disk_reserve_bytes, &mut report);
    quarantine(&site.data_dir, &mut report);
    port("DICOM port", site.dicom.listen, &mut report);
    port("viewer port", site.viewer.listen, &mut report);
    clock(&mut report);
    broker(&site, &mut report);
    archive(&site, &mut report);
    for destination in &site.destinations {
        reach(destination, &mut report);
    }
    Ok(if report.trouble { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn keys(site: &Site, report: &mut Report) {
    match Identity::read(&site.keys_dir) {
        Ok(_) => report.good("keys", "present, readable by the owner only"),
        Err(error) => report.bad("keys", &error.to_string()),
    }
}

fn processor(site: &Site, adapters: &[AdapterReport], report: &mut Report) {
    for adapter in adapters {
        let memory = adapter.memory_budget_bytes.map_or("memory unknown".into(), |bytes| {
            #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
            let gib = bytes as f64 / f64::from(1 << 30);
            format!("{gib:.1} GiB usable")
        });
        let sentence = format!("{}, driver {}, {memory}", adapter.name, adapter.driver);
        match &adapter.probe {
            Ok(()) => report.good(adapter.kind, &format!("{sentence}; boot probe passed")),
            Err(why) => report.bad(adapter.kind, &format!("{sentence}; boot probe failed: {why}")),
        }
    }
    match (adapters.is_empty(), site.processor) {
        (false, _) => {}
        (true, ProcessorWish::Gpu) => report.bad("GPU", "none found, but the site file asks for one"),
        (true, _) => report.good("GPU", "none found; kernels run on the CPU twin"),
    }
}

/// Whether the next start finds its kernels compiled.
fn kept_kernels(bytes: usize, adapters: &[AdapterReport], report: &mut Report) {
    let taker = adapters.iter().find(|adapter| adapter.takes_saved);
    let sentence = match (adapters.is_empty(), bytes, taker) {
        (true, ..) => return,
        (_, 0, _) => "none kept; the driver compiles them when they are first used".into(),
        (_, _, Some(adapter)) => format!("{} KiB kept for {}", bytes.div_ceil(1024), adapter.name),
        (.., None) => "those kept are of another adapter, driver or version; they are compiled again".into(),
    };
    report.good("compiled kernels", &sentence);
}

/// What may run networks, in the order of trying, and the bundles that serve.
fn models(site: &Site, report: &mut Report) -> anyhow::Result<()> {
    let Some(config) = networks::config(site)? else {
        report.good("networks", "no [models] in the site file; analyses that need a network say so");
        return Ok(());
    };
    let runtime = match config.runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            report.bad("networks", &error.to_string());
            return Ok(());
        }
    };
    report.good("networks", &format!("ONNX Runtime {}", runtime.version()));
    for state in runtime.providers() {
        let usable = if state.usable { "can be used" } else { "cannot be used here" };
        report.good(state.provider.name(), &format!("{usable}: {}", state.reason));
    }
    let catalogue = match Catalogue::open(&config.bundles_dir, &runtime) {
        Ok(catalogue) => catalogue,
        Err(error) => {
            report.bad("networks", &format!("{}: {error}", config.bundles_dir.display()));
            return Ok(());
        }
    };
    for model in catalogue.serving() {
        report.good("network", &super::models::words(model));
    }
    for refusal in catalogue.refusals() {
        report.bad("network", &format!("{}: {}", refusal.folder.display(), refusal.reason));
    }
    Ok(())
}

/// Trouble is what already refuses objects; a disk that will soon is worth a look.
fn disk_room(folder: &Path, reserve_bytes: u64, report: &mut Report) {
    let existing = folder.ancestors().find(|folder| folder.exists()).unwrap_or(folder);
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let space = match disk::space(existing) {
        Ok(space) => space,
        Err(error) => {
            return report.bad("disk", &format!("{} cannot be measured: {error}", existing.display()));
        }
    };
    let free = format!("{:.1} of {:.1} GiB free", gib(space.free_bytes), gib(space.total_bytes));
    match space.free_bytes.checked_sub(reserve_bytes) {
        None => {
            let reserve = gib(reserve_bytes);
            report.bad(
                "disk",
                &format!("{free}, {reserve:.1} GiB are kept in reserve: objects are refused; make room"),
            );
        }
        Some(left) if left < FREE_BYTES_MIN => {
            report.doubtful("disk", &format!("{free}; make room before the next large study"));
        }
        Some(_) => report.good("disk", &free),
    }
}

fn quarantine(folder: &Path, report: &mut Report) {
    let quarantine = std::fs::read_dir(folder.join("quarantine")).map_or(0, |entries| {
        entries.flatten().filter(|entry| entry.path().extension().is_some_and(|ext| ext == "dcm")).count()
    });
    if quarantine > 0 {
        report.bad(
            "quarantine",
            &format!("{quarantine} objects arrived whole but do not parse; look at the sender"),
        );
    }
}

/// A port in use is the running box, mostly: connecting tells.
fn port(what: &str, address: std::net::SocketAddr, report: &mut Report) {
    if address.port() == 0 {
        return report.good(what, "any free one, said in the ready line");
    }
    match TcpListener::bind(address) {
        Ok(_) => report.good(what, &format!("{address} is free")),
        Err(error) => match TcpStream::connect_timeout(&address, Duration::from_secs(1)) {
            Ok(_) => {
                report.good(what, &format!("{address} answers: the box, or another program, is running"));
            }
            Err(_) => report.bad(what, &format!("{address} cannot be used: {error}")),
        },
    }
}

fn clock(report: &mut Report) {
    let now = Clock.wall();
    if now.0 < CLOCK_MS_MIN {
        return report.bad("clock", &format!("{} is in the past; set the time", now.rfc3339()));
    }
    // systemd-timesyncd, chrony and ntpd all leave this mark or none at all.
    let synchronised = Path::new("/run/systemd/timesync/synchronized").exists();
    let how = if synchronised { "synchronised" } else { "whether it is synchronised is not known" };
    report.good("clock", &format!("{}, {how}", now.rfc3339()));
}

fn broker(site: &Site, report: &mut Report) {
    let Some(broker) = &site.broker else {
        return report.good("broker", "none in the site file; results stay here");
    };
    let address = broker.host_port().and_then(|pair| pair.to_socket_addrs().ok()?.next());
    let Some(address) = address else {
        return report.bad("broker", &format!("{} does not resolve", broker.url));
    };
    match TcpStream::connect_timeout(&address, Duration::from_secs(3)) {
        Ok(_) => report.good("broker", &format!("{} answers", broker.url)),
        Err(error) => report.bad("broker", &format!("{} does not answer: {error}", broker.url)),
    }
}

/// Who keeps the objects in the end, and so whether anything is ever deleted here.
fn archive(site: &Site, report: &mut Report) {
    let archives: Vec<&str> = site
        .destinations
        .iter()
        .filter(|destination| destination.archive)
        .map(|destination| destination.name.as_str())
        .collect();
    match (site.archive.this_box_is_the_archive, archives.is_empty(), site.retention.quota_bytes) {
        (true, ..) => report.good("archive", "this box; nothing is ever deleted"),
        (false, true, _) => report.bad(
            "archive",
            "none: nothing is ever deleted and the disk will fill; name a destination with archive = true, or say \
             this_box_is_the_archive",
        ),
        (false, false, None) => {
            report.good("archive", &format!("{}; no quota, so nothing is deleted", archives.join(", ")));
        }
        (false, false, Some(quota)) => report.good(
            "archive",
            &format!("{}; what it has confirmed is deleted above {quota} bytes", archives.join(", ")),
        ),
    }
}

fn reach(destination: &Destination, report: &mut Report) {
    let what = format!("destination {}", destination.name);
    let authority = destination
        .address
        .as_deref()
        .or_else(|| destination.url.as_deref()?.strip_prefix("http://")?.split('/').next());
    let address = authority.and_then(|authority| authority.to_socket_addrs().ok()?.next());
    let Some(address) = address else { return report.bad(&what, "its address does not resolve") };
    match TcpStream::connect_timeout(&address, Duration::from_secs(3)) {
        Ok(_) => report.good(&what, &format!("{address} answers")),
        Err(error) => {
            report.bad(&what, &format!("{address} does not answer: {error}; its objects wait here"));
        }
    }
}
