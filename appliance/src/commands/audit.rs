//! `sidelight audit verify`: reads the audit journal and says whether it is what was written.

use std::path::PathBuf;
use std::process::ExitCode;

use sidelight::audit::verify;
use sidelight_provisioning::Site;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(clap::Subcommand)]
enum Task {
    /// Find every line that was changed, removed or put elsewhere; the box may be running
    Verify {
        /// Site file
        #[arg(long)]
        site: PathBuf,
    },
}

#[expect(clippy::print_stdout, reason = "a command line answers on standard output")]
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Task::Verify { site } = &arguments.task;
    let folder = Site::read(site)?.data_dir.join("audit");
    let verdict = verify(&folder)?;
    for flaw in &verdict.flaws {
        println!("  BAD  {flaw}");
    }
    if verdict.flaws.is_empty() {
        println!("audit journal whole: {} lines in {} segments", verdict.lines, verdict.segments);
        return Ok(ExitCode::SUCCESS);
    }
    println!("audit journal NOT whole: {} lines read, first flaws above", verdict.lines);
    Ok(ExitCode::FAILURE)
}
