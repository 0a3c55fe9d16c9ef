//! Every version of every bundle as it lies on the disk, for whoever deploys networks: which serves, which stands by,
//! which was refused and why, with the digests of its files.

use std::path::Path;
use std::sync::Arc;

use sidelight_models::archive::{Archive, BundleFile, files};
use sidelight_models::catalogue::{Refusal, Standing, Version};
use sidelight_models::{Catalogue, Manifest};

/// One folder of bundles.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// Name of the folder.
    pub folder: String,
    /// What its manifest says, where that can be read.
    pub manifest: Option<Arc<Manifest>>,
    pub standing: Result<Standing, Refused>,
    pub files: Vec<BundleFile>,
    /// All files as one, and its digest.
    pub archive: Option<(Archive, String)>,
}

/// Why it serves nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

impl Deployed {
    /// The name of the network; of a folder whose manifest cannot be read the folder's own.
    pub fn name(&self) -> &str {
        self.manifest.as_ref().map_or(&self.folder, |manifest| &manifest.name)
    }

    pub fn version(&self) -> Option<&str> {
        self.manifest.as_ref().map(|manifest| manifest.version.as_str())
    }

    fn of(folder: &Path, manifest: Option<Arc<Manifest>>, standing: Result<Standing, Refused>) -> Self {
        let files = files(folder).unwrap_or_else(|error| {
            tracing::warn!(folder = %folder.display(), %error, "a bundle's files cannot be listed");
            Vec::new()
        });
        let plain = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // The same in every place, whatever the folder is called there.
        let within = manifest.as_ref().map(|manifest| format!("{}-{}", manifest.name, manifest.version));
        let archive = within.map(|within| Archive::of(&within, &files));
        let archive = archive.and_then(|archive| archive.sha256().ok().map(|sha256| (archive, sha256)));
        Self { folder: plain, manifest, standing, files, archive }
    }
}

/// By name, the newest first; then those refused.
pub(super) fn deployed(catalogue: &Catalogue) -> Vec<Deployed> {
    let verified = catalogue.versions().into_iter().map(|version| {
        let Version { folder, manifest, standing } = version;
        Deployed::of(&folder, Some(manifest), Ok(standing))
    });
    let refused = catalogue.refusals().iter().map(|Refusal { folder, reason }| {
        let manifest = Manifest::read(&folder.join("model.toml")).ok().map(Arc::new);
        Deployed::of(folder, manifest, Err(Refused(reason.clone())))
    });
    verified.chain(refused).collect()
}
