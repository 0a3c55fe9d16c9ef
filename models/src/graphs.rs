//! Optimised graphs on disk, so that a start need not optimise them again.
//!
//! ONNX Runtime writes what it made of a network; loaded again it is taken as it is. It holds for one network, one
//! version of the runtime and one kind of processor, all part of its name. Only the CPU provider's graphs are kept:
//! what others compile is theirs. A file is its own SHA-256 and the graph; one that does not agree with itself does not
//! exist. Nothing rests on a graph being there.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

use crate::digest::sha256_hex;

/// More than a box has networks, old versions included; the oldest go first.
const GRAPHS_MAX: usize = 32;
const HASH_BYTES: usize = 32;

/// What the processor can do: graphs are laid out for it.
static PROCESSOR: LazyLock<String> = LazyLock::new(|| {
    let words = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let features = words.lines().find(|line| line.starts_with("flags") || line.starts_with("Features"));
    format!("{} {}", std::env::consts::ARCH, features.unwrap_or_default())
});

/// Where optimised graphs lie.
#[derive(Clone, Debug)]
pub(crate) struct Graphs {
    folder: PathBuf,
}

impl Graphs {
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Name of a network's graph. `runtime`: version; `how`: level of optimisation and whatever else shapes it.
    pub(crate) fn key(network: &[u8], runtime: &str, how: &str) -> String {
        sha256_hex(format!("{} {runtime} {how} {}", sha256_hex(network), *PROCESSOR).as_bytes())
    }

    /// The graph, where it is there and whole.
    pub(crate) fn read(&self, key: &str) -> Option<Vec<u8>> {
        let mut file = std::fs::read(self.path(key)).ok()?;
        let (hash, graph) = file.split_at_checked(HASH_BYTES)?;
        if Sha256::digest(graph).as_slice() != hash {
            tracing::warn!(key, "an optimised graph is damaged; it is made again");
            return None;
        }
        file.drain(..HASH_BYTES);
        Some(file)
    }

    /// Where ONNX Runtime may write a graph before it is kept; `None` where there is no place for it.
    pub(crate) fn draft(&self, key: &str) -> Option<PathBuf> {
        std::fs::create_dir_all(&self.folder).ok()?;
        // Two processes may verify one bundle at once.
        Some(self.folder.join(format!("{key}.{}.draft", std::process::id())))
    }

    /// Keeps what was written to a draft. Without it the next start takes longer, no more.
    pub(crate) fn keep(&self, key: &str, draft: &Path) {
        let kept = std::fs::read(draft).and_then(|graph| {
            let whole = [Sha256::digest(&graph).as_slice(), &graph].concat();
            std::fs::write(draft, whole)?;
            std::fs::File::open(draft)?.sync_all()?;
            std::fs::rename(draft, self.path(key))
        });
        if let Err(error) = kept {
            tracing::warn!(%error, "an optimised graph was not kept");
            let _gone_already = std::fs::remove_file(draft);
        }
        self.thin();
    }

    fn thin(&self) {
        let listing = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let dated = |entry: std::fs::DirEntry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()));
        let mut kept: Vec<_> = listing.filter_map(dated).collect();
        kept.sort();
        for (_, path) in kept.iter().take(kept.len().saturating_sub(GRAPHS_MAX)) {
            let _gone_already = std::fs::remove_file(path);
        }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.graph"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_reads_back_and_a_damaged_one_does_not_exist() {
        let folder = tempfile::tempdir().unwrap();
        let graphs = Graphs::at(&folder.path().join("made when needed"));
        let key = Graphs::key(b"network", "1.32", "all");
        assert_eq!(graphs.read(&key), None);
        let draft = graphs.draft(&key).unwrap();
        std::fs::write(&draft, b"graph").unwrap();
        graphs.keep(&key, &draft);
        assert_eq!(graphs.read(&key).as_deref(), Some(&b"graph"[..]));
        assert!(!draft.exists());
        for other in [Graphs::key(b"other", "1.32", "all"), Graphs::key(b"network", "1.33", "all")] {
            assert_eq!(graphs.read(&other), None);
        }
        let whole = std::fs::read(graphs.path(&key)).unwrap();
        for spoilt in [&whole[..whole.len() - 1], &whole[..3], &[], &[whole.clone(), vec![0]].concat()] {
            std::fs::write(graphs.path(&key), spoilt).unwrap();
            assert_eq!(graphs.read(&key), None);
        }
    }

    #[test]
    fn only_so_many_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let graphs = Graphs::at(folder.path());
        for number in 0..GRAPHS_MAX + 5 {
            let key = number.to_string();
            let draft = graphs.draft(&key).unwrap();
            std::fs::write(&draft, b"graph").unwrap();
            graphs.keep(&key, &draft);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), GRAPHS_MAX);
    }
}
