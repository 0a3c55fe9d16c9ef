//! Writes what the detection networks learn from and are judged on: synthetic images, prepared as the box prepares them,
//! as plain arrays of bytes beside an index of what is true.
//!
//! `sidelight-arrays breast|lungs training|validation|cases --count N --first SEED --out DIR` writes `DIR/images.u8` (cases, channels or
//! slices, rows, columns) and `DIR/index.json`.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use rayon::prelude::*;
use serde_json::{Value, json};
use sidelight_tests::phantoms::Family;

mod breast;
mod lungs;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    Breast,
    Lungs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Purpose {
    /// Settings of the training family; slabs of chests.
    Training,
    /// Settings of the training family, as many lesions as the cases: where the working point is chosen.
    Validation,
    /// Held-out settings; whole chests. Every second case has no lesion.
    Cases,
}

impl Purpose {
    fn family(self) -> Family {
        if self == Self::Cases { Family::HeldOut } else { Family::Training }
    }
}

#[derive(Debug, Parser)]
struct Arguments {
    what: What,
    purpose: Purpose,
    #[arg(long)]
    count: usize,
    /// Of the first case; the others follow.
    #[arg(long)]
    first: u64,
    #[arg(long)]
    out: PathBuf,
    /// Begins no case after so many seconds: the index says how many there are.
    #[arg(long)]
    seconds: Option<u64>,
}

/// One prepared case.
struct Case {
    bytes: Vec<u8>,
    truth: Value,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let shape = match arguments.what {
        What::Breast => breast::SHAPE.to_vec(),
        What::Lungs => lungs::shape(arguments.purpose).to_vec(),
    };
    std::fs::create_dir_all(&arguments.out)?;
    let file = File::create(arguments.out.join("images.u8"))?;
    #[expect(
        clippy::disallowed_methods,
        reason = "a program for people and scripts: it says how long it took"
    )]
    let begun = Instant::now();
    let size = shape.iter().product::<usize>();
    let one = |number: usize| -> anyhow::Result<Option<Value>> {
        if arguments.seconds.is_some_and(|limit| begun.elapsed().as_secs() >= limit) {
            return Ok(None);
        }
        let seed = arguments.first + number as u64;
        let case = match arguments.what {
            What::Breast => breast::case(seed, number, arguments.purpose),
            What::Lungs => lungs::case(seed, number, arguments.purpose),
        };
        anyhow::ensure!(case.bytes.len() == size, "case {number} has {} bytes, not {size}", case.bytes.len());
        file.write_all_at(&case.bytes, (number * size) as u64).context("cannot write images.u8")?;
        Ok(Some(json!({ "number": number, "seed": seed, "truth": case.truth })))
    };
    let written: Result<Vec<Option<Value>>, _> =
        (0..arguments.count).into_par_iter().with_max_len(1).map(one).collect();
    let cases: Vec<Value> = written?.into_iter().flatten().collect();
    let seconds = begun.elapsed().as_secs_f64();
    let count = cases.len();
    let index = json!({ "shape": shape, "count": count, "cases": cases });
    std::fs::write(arguments.out.join("index.json"), serde_json::to_vec(&index)?)?;
    #[expect(clippy::print_stdout, reason = "a program for people and scripts: it says how long it took")]
    {
        println!("{:?} {:?}: {count} cases in {seconds:.1} s", arguments.what, arguments.purpose);
    }
    Ok(())
}

/// 0 to 1 as a byte.
fn byte(value: f32) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped just here")]
    {
        (value.clamp(0.0, 1.0) * 255.0).round() as u8
    }
}
