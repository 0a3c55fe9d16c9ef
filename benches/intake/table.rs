//! Figures as they come, and the table of them at the end.

use std::time::Duration;

/// One line of the table: what was measured, here and beside, and the bar it must reach.
#[derive(Debug)]
struct Row {
    what: String,
    here: String,
    beside: String,
    ratio: String,
    bar: String,
}

/// Everything measured so far.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Row>,
    load_before: String,
}

impl Table {
    pub(crate) fn begin() -> Self {
        Self { rows: Vec::new(), load_before: load() }
    }

    /// Notes a line; shown at once as well, because the whole takes minutes.
    #[expect(clippy::print_stderr, reason = "progress of a program that runs for minutes")]
    pub(crate) fn row(&mut self, what: &str, here: &str, beside: &str, ratio: &str, bar: &str) {
        eprintln!("  {what}: {here}; beside: {beside}; {ratio}; bar: {bar}");
        let own = str::to_owned;
        self.rows.push(Row {
            what: own(what),
            here: own(here),
            beside: own(beside),
            ratio: own(ratio),
            bar: own(bar),
        });
    }

    #[expect(clippy::print_stdout, reason = "the table is what the program is for")]
    pub(crate) fn print(&self) {
        let processors = std::thread::available_parallelism().map_or(0, usize::from);
        println!(
            "\nIntake, {processors} processors, load {} before and {} after:\n",
            self.load_before,
            load()
        );
        println!("| what | here | beside | ratio | bar |\n|---|---|---|---|---|");
        for Row { what, here, beside, ratio, bar } in &self.rows {
            println!("| {what} | {here} | {beside} | {ratio} | {bar} |");
        }
    }
}

/// The middle one of several runs; of an even number the later one.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// All runs, for a reader who wants to know how much they differ.
pub(crate) fn spread(times: &[Duration]) -> String {
    let runs: Vec<String> = times.iter().map(|time| format!("{:.2}", time.as_secs_f64())).collect();
    format!("{} ({})", seconds(median(times.to_vec())), runs.join(", "))
}

pub(crate) fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64().max(1e-9)
}

/// What else the machine had to do in the last minute.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}
