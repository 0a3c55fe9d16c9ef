//! `sidelight-provision`: makes the site a box lives in.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use sidelight_provisioning::{Site, lab};

#[derive(Parser)]
#[command(version, about = "Makes and checks the site a Sidelight box lives in")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write a loopback site for trying and testing: DIR/site.toml, keys and data under DIR
    Lab {
        dir: PathBuf,
        /// Broker on loopback, mqtt://127.0.0.1:PORT; none without this
        #[arg(long)]
        mqtt: Option<String>,
        /// Where kernels run
        #[arg(long, default_value = "auto", value_parser = ["auto", "gpu", "twin"])]
        processor: String,
        /// Folder of libonnxruntime.so (tests/setup/onnxruntime.sh prints one); no networks without this
        #[arg(long, requires = "bundles")]
        onnxruntime: Option<PathBuf>,
        /// Folder of model bundles
        #[arg(long, requires = "onnxruntime")]
        bundles: Option<PathBuf>,
    },
    /// Check a site file and say what is wrong with it
    Check { site: PathBuf },
}

#[expect(clippy::print_stdout, reason = "a command line answers on standard output")]
fn main() -> anyhow::Result<()> {
    sidelight_provisioning::tls::install_provider();
    match Arguments::parse().command {
        Command::Lab { dir, mqtt, processor, onnxruntime, bundles } => {
            let networks = network_folders(onnxruntime, bundles)?;
            let path = lab::write(&dir, &lab::Wishes { mqtt, processor, networks })?;
            Site::read(&path)?;
            println!("{}", path.display());
        }
        Command::Check { site } => {
            Site::read(&site)?;
            println!("{}: good", site.display());
        }
    }
    Ok(())
}

/// The site file lies elsewhere: its paths are absolute.
fn network_folders(
    runtime: Option<PathBuf>,
    bundles: Option<PathBuf>,
) -> std::io::Result<Option<lab::NetworkFolders>> {
    let (Some(runtime), Some(bundles)) = (runtime, bundles) else { return Ok(None) };
    let (runtime, bundles) = (std::path::absolute(runtime)?, std::path::absolute(bundles)?);
    Ok(Some(lab::NetworkFolders { runtime, bundles }))
}
