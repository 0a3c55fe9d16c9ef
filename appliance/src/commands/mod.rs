//! One file per subcommand.

mod audit;
mod doctor;
mod models;
mod rebuild_index;
mod serve;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use sidelight_provisioning::site::SiteError;
use tracing_subscriber::EnvFilter;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Serve the site: receive, measure, show, forward
    Serve(serve::Arguments),
    /// Say what the box sees and what is wrong with it
    Doctor(doctor::Arguments),
    /// The audit journal: who did what, when
    Audit(audit::Arguments),
    /// The networks of the box: list, verify, run
    Models(models::Arguments),
    /// Make the index again from files and journal; the old one is set aside
    RebuildIndex(rebuild_index::Arguments),
}

/// The site file is wrong: starting again will not help (sysexits.h, EX_USAGE).
const EXIT_BAD_SITE: u8 = 64;

impl Command {
    pub(crate) fn run(self) -> ExitCode {
        let outcome = match self {
            Self::Serve(arguments) => serve::run(&arguments).map(|()| ExitCode::SUCCESS),
            Self::Doctor(arguments) => doctor::run(&arguments),
            Self::Audit(arguments) => audit::run(&arguments),
            Self::Models(arguments) => models::run(&arguments),
            Self::RebuildIndex(arguments) => rebuild_index::run(&arguments).map(|()| ExitCode::SUCCESS),
        };
        outcome.unwrap_or_else(|error| {
            tracing::error!("{error:#}");
            let config = error.chain().any(<dyn std::error::Error>::is::<SiteError>);
            if config { ExitCode::from(EXIT_BAD_SITE) } else { ExitCode::FAILURE }
        })
    }
}

/// Logs go to standard error; `SIDELIGHT_LOG` filters them (default: info).
pub(crate) fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("SIDELIGHT_LOG").unwrap_or_else(|_| {
        EnvFilter::new("info,wgpu_core=warn,wgpu_hal=error,sled=warn,naga=warn,dicom_ul=off")
    });
    let colour = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour).with_writer(std::io::stderr).init();
}
