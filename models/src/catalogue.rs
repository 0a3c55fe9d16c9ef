//! The networks that serve: of the versions of a name that lie side by side, the newest that was verified. The one before
//! it stands by and serves where the newest is refused: a bundle that is not accepted changes nothing but the list of
//! refusals.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bundle::{Bundle, BundleError, Model};
use crate::manifest::Manifest;
use crate::onnx::Runtime;
use crate::version;

/// A bundle that serves nobody, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub folder: PathBuf,
    pub reason: String,
}

/// What a verified version is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Serving,
    /// Serves at the next start if the newest no longer answers as it says.
    Fallback,
    /// Older than both.
    Superseded,
}

/// A version that was verified.
#[derive(Clone, Debug)]
pub struct Version {
    pub folder: PathBuf,
    pub manifest: Arc<Manifest>,
    pub standing: Standing,
}

/// Networks by name. The caller owns the thread they run on.
#[derive(Debug, Default)]
pub struct Catalogue {
    serving: BTreeMap<String, Model>,
    /// Every verified version, the serving ones included.
    verified: Vec<(PathBuf, Arc<Manifest>)>,
    refusals: Vec<Refusal>,
}

impl Catalogue {
    /// The bundles of a folder in the order of their names.
    pub fn folders(parent: &Path) -> std::io::Result<Vec<PathBuf>> {
        let mut folders: Vec<PathBuf> =
            std::fs::read_dir(parent)?.flatten().map(|entry| entry.path()).collect();
        folders.retain(|path| path.join("model.toml").exists());
        folders.sort();
        Ok(folders)
    }

    /// Offers every bundle of a folder; the newest accepted one of each name serves.
    pub fn open(parent: &Path, runtime: &Runtime) -> std::io::Result<Self> {
        let mut catalogue = Self::default();
        for folder in Self::folders(parent)? {
            // Kept in the list of refusals; the others serve.
            let _ = catalogue.offer(&folder, runtime);
        }
        Ok(catalogue)
    }

    /// Verifies a bundle and lets it serve in the place of an older one of its name; refused, the old one goes on.
    pub fn offer(&mut self, folder: &Path, runtime: &Runtime) -> Result<(), BundleError> {
        let outcome = Bundle::open(folder).and_then(|bundle| {
            self.is_alone(folder, bundle.manifest())?;
            bundle.verify(runtime)
        });
        match outcome {
            Ok(model) => {
                self.accept(folder, model);
                Ok(())
            }
            Err(error) => {
                self.refuse(folder, error.to_string());
                Err(error)
            }
        }
    }

    /// One version in two folders: nobody could say which of them answered.
    fn is_alone(&self, folder: &Path, manifest: &Manifest) -> Result<(), BundleError> {
        let same = |(other, known): &&(PathBuf, Arc<Manifest>)| {
            other != folder
                && known.name == manifest.name
                && version::compare(&known.version, &manifest.version) == Ordering::Equal
        };
        match self.verified.iter().find(same) {
            Some((other, _)) => Err(BundleError::Twice { other: other.clone() }),
            None => Ok(()),
        }
    }

    fn accept(&mut self, folder: &Path, model: Model) {
        let manifest = model.manifest().clone();
        self.refusals.retain(|refusal| refusal.folder != folder);
        self.verified.retain(|(known, _)| known != folder);
        self.verified.push((folder.to_owned(), manifest.clone()));
        let older = |serving: &Model| {
            version::compare(&serving.manifest().version, &manifest.version) != Ordering::Greater
        };
        if self.serving.get(&manifest.name).is_none_or(older) {
            self.serving.insert(manifest.name.clone(), model);
        }
    }

    /// Notes that a bundle serves nobody.
    pub fn refuse(&mut self, folder: &Path, reason: String) {
        tracing::warn!(folder = %folder.display(), reason, "a bundle was refused");
        self.refusals.retain(|refusal| refusal.folder != folder);
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

    /// Every verified version by name, the newest first.
    pub fn versions(&self) -> Vec<Version> {
        let mut verified: Vec<_> = self.verified.iter().collect();
        verified.sort_by(|(_, a), (_, b)| {
            a.name.cmp(&b.name).then_with(|| version::compare(&b.version, &a.version))
        });
        let mut before: Option<&Manifest> = None;
        let mut place = 0;
        let mut versions = Vec::with_capacity(verified.len());
        for (folder, manifest) in verified {
            place = if before.is_some_and(|before| before.name == manifest.name) { place + 1 } else { 0 };
            let standing = [Standing::Serving, Standing::Fallback][..].get(place).copied();
            let standing = standing.unwrap_or(Standing::Superseded);
            versions.push(Version { folder: folder.clone(), manifest: manifest.clone(), standing });
            before = Some(manifest);
        }
        versions
    }
}
