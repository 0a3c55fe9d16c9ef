//! The networks that serve: per name the newest version that was verified. A bundle that is not accepted changes nothing but
//! the list of refusals.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::bundle::{Bundle, BundleError, Model};
use crate::onnx::Runtime;

/// A bundle that serves nobody, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub folder: PathBuf,
    pub reason: String,
}

/// Networks by name. The caller owns the thread they run on.
#[derive(Debug, Default)]
pub struct Catalogue {
    serving: BTreeMap<String, Model>,
    refusals: Vec<Refusal>,
}

impl Catalogue {
    /// The bundles of a folder in the order of their names, so that of `<name>-<version>` the last one is offered last.
    pub fn folders(parent: &Path) -> std::io::Result<Vec<PathBuf>> {
        let mut folders: Vec<PathBuf> =
            std::fs::read_dir(parent)?.flatten().map(|entry| entry.path()).collect();
        folders.retain(|path| path.join("model.toml").exists());
        folders.sort();
        Ok(folders)
    }

    /// Offers every bundle of a folder; the last one accepted of each name serves.
    pub fn open(parent: &Path, runtime: &Runtime) -> std::io::Result<Self> {
        let mut catalogue = Self::default();
        for folder in Self::folders(parent)? {
            // Kept in the list of refusals; the others serve.
            let _ = catalogue.offer(&folder, runtime);
        }
        Ok(catalogue)
    }

    /// Verifies a bundle and lets it serve in place of the one of its name; refused, the old one goes on serving.
    pub fn offer(&mut self, folder: &Path, runtime: &Runtime) -> Result<(), BundleError> {
        match Bundle::open(folder).and_then(|bundle| bundle.verify(runtime)) {
            Ok(model) => {
                let name = model.manifest().name.clone();
                self.refusals.retain(|refusal| refusal.folder != folder);
                self.serving.insert(name, model);
                Ok(())
            }
            Err(error) => {
                self.refuse(folder, error.to_string());
                Err(error)
            }
        }
    }

    /// Notes that a bundle serves nobody.
    pub fn refuse(&mut self, folder: &Path, reason: String) {
        tracing::warn!(folder = %folder.display(), reason, "a bundle was refused");
        self.refusals.push(Refusal { folder: folder.into(), reason });
    }

    pub fn model(&mut self, name: &str) -> Option<&mut Model> {
        self.serving.get_mut(name)
    }

    /// All that serve, by name.
    pub fn serving(&self) -> impl Iterator<Item = &Model> {
        self.serving.values()
    }

    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }
}
