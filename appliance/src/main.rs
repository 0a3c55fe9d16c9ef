//! `sidelight`: the box beside the scanner.

mod commands;

use std::process::ExitCode;

use clap::Parser;
use commands::Command;

#[derive(Parser)]
#[command(
    version,
    about = "The box beside the scanner: receives studies, measures them, shows and forwards the results"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    sidelight_provisioning::tls::install_provider();
    let arguments = Arguments::parse();
    commands::log_to_stderr();
    arguments.command.run()
}
