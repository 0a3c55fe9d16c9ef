//! `sidelight serve`

use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Site file, made by `sidelight-provision`
    #[arg(long)]
    site: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("box").build()?;
    let served = runtime.block_on(sidelight::run::serve(&arguments.site));
    // Whatever still runs after the drain was named in the log; it may not hold the process.
    runtime.shutdown_background();
    served
}
