//! `sidelight rebuild-index`

use std::path::PathBuf;

use sidelight::store::Store;
use sidelight_provisioning::Site;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Site file; the box must not be running
    #[arg(long)]
    site: PathBuf,
}

#[expect(clippy::print_stdout, reason = "a command line answers on standard output")]
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let site = Site::read(&arguments.site)?;
    let report = Store::rebuild_index(&site.data_dir)?;
    println!("index rebuilt: {} objects", report.instances_indexed);
    Ok(())
}
