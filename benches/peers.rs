//! The same work by other people's tools: the scripts in `peers/`, given the same input as a raw file.
//!
//! A peer that is not installed is said to be so and compared with nothing; one that gets another result fails the
//! bench.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sidelight_kernels::Volume;

/// Which tool does the work.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
    /// CuPy and cupyx.scipy.ndimage, on the GPU.
    Cupy,
    /// numpy and connected-components-3d, on two threads of the processor.
    Cc3d,
}

/// What a peer said, or why it said nothing.
#[derive(Debug)]
pub(crate) struct Answer(Result<Vec<(String, String)>, String>);

impl Answer {
    /// A line of its answer, with the peer's name and version.
    pub(crate) fn figure(&self, name: &str) -> String {
        match self.value(name) {
            Ok(value) => format!("{value} ms ({})", self.value("peer").unwrap_or_default()),
            Err(why) => why,
        }
    }

    fn value(&self, name: &str) -> Result<&str, String> {
        let lines = self.0.as_ref().map_err(Clone::clone)?;
        let line = lines.iter().find(|(known, _)| known == name);
        line.map(|(_, value)| value.as_str()).ok_or_else(|| format!("it said no {name}"))
    }
}

/// Where the scripts stand: beside the binary's sources, or where `SIDELIGHT_PEERS` says.
fn scripts() -> PathBuf {
    let here = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/peers");
    std::env::var_os("SIDELIGHT_PEERS").map_or_else(here, PathBuf::from)
}

/// Scores everything in the volume; measured only where asked for.
pub(crate) fn calcium(peer: Peer, volume: &Volume, measured: bool, agatston: f64) -> Answer {
    if !measured {
        return Answer(Err("not measured".to_owned()));
    }
    let script = scripts().join(match peer {
        Peer::Cupy => "calcium_cupy.py",
        Peer::Cc3d => "calcium_cc3d.py",
    });
    let file = std::env::temp_dir().join(format!("sidelight-peer-{}.raw", std::process::id()));
    let bytes: Vec<u8> = volume.hounsfield().iter().flat_map(|hu| hu.to_le_bytes()).collect();
    std::fs::write(&file, bytes).expect("the folder for temporary files has room for the volume");
    let size = volume.dimensions();
    let geometry = volume.geometry();
    let output = Command::new("python3")
        .arg(script)
        .arg(&file)
        .args([size.slices, size.rows, size.columns].map(|count| count.to_string()))
        .args([geometry.pixel_area_mm2(), geometry.slice_increment_mm].map(|mm| mm.to_string()))
        .output();
    std::fs::remove_file(&file).expect("it was just written");
    let answer = Answer(output.map_err(|error| error.to_string()).and_then(|output| lines(&output)));
    if let Ok(found) = answer.value("agatston") {
        let found: f64 = found.parse().expect("a score is a number");
        assert!((found - agatston).abs() <= 1e-9 * agatston, "{peer:?} scores {found}, we {agatston}");
    }
    answer
}

/// `name value` lines.
fn lines(output: &Output) -> Result<Vec<(String, String)>, String> {
    let [out, err] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    if !output.status.success() {
        return Err(format!("not run: {}", err.lines().last().unwrap_or("no reason given")));
    }
    let pairs = out.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}
