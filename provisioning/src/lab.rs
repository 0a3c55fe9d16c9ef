//! A throw-away site on loopback: what the demo, the tests and a curious person start from.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::identity::{Identity, IdentityError};
use crate::tls::{self, TlsError};

/// What may be asked of a lab site.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// `mqtt://127.0.0.1:PORT`, or no broker.
    pub mqtt: Option<String>,
    /// `auto`, `gpu` or `twin`.
    pub processor: String,
    /// Networks run, demonstrations too; none without this.
    pub networks: Option<NetworkFolders>,
}

/// Where networks and what runs them lie.
#[derive(Clone, Debug)]
pub struct NetworkFolders {
    pub runtime: PathBuf,
    pub bundles: PathBuf,
}

/// Why no lab site could be made.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{} exists already: remove it or choose another folder", path.display())]
    Exists { path: PathBuf },
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Writes `folder/site.toml`, the box's keys and a loopback certificate authority's certificates; never overwrites a site.
pub fn write(folder: &Path, wishes: &Wishes) -> Result<PathBuf, LabError> {
    let path = folder.join("site.toml");
    if path.exists() {
        return Err(LabError::Exists { path });
    }
    std::fs::create_dir_all(folder).map_err(|source| LabError::Write { path: folder.into(), source })?;
    let keys = folder.join("keys");
    Identity::create(&keys)?;
    tls::make_lab(&keys.join("tls"))?;
    std::fs::write(&path, site_toml(wishes))
        .map_err(|source| LabError::Write { path: path.clone(), source })?;
    Ok(path)
}

pub(crate) fn site_toml(wishes: &Wishes) -> String {
    let mut text = format!(
        r#"# A lab site: loopback only, for trying the box and for its tests.
kind = "lab"
site = "lab"
device = "lab-box"
data_dir = "data"
keys_dir = "keys"
processor = "{processor}"

[dicom]
listen = "127.0.0.1:0"
tls_listen = "127.0.0.1:0"
ae_title = "SIDELIGHT"
called_ae_policy = "any"
calling_ae_titles = []
associations_max = 25
pdu_length_max_bytes = 131072
idle_timeout_s = 60

[analysis]
study_quiet_s = 4
structures = true

[viewer]
listen = "127.0.0.1:0"

[archive]
this_box_is_the_archive = true
"#,
        processor = wishes.processor
    );
    if let Some(url) = &wishes.mqtt {
        write!(text, "\n[broker]\nurl = \"{url}\"\n").expect("writing to a string cannot fail");
    }
    if let Some(NetworkFolders { runtime, bundles }) = &wishes.networks {
        let section = format!(
            "\n[models]\nruntime_dir = {runtime:?}\nbundles_dir = {bundles:?}\nallow_demonstration_models = true\n"
        );
        text.push_str(&section);
    }
    text
}
