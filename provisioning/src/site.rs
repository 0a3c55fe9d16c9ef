//! The site file: one TOML document, parsed once, unknown keys refused with key and line.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::archive::Archive;
use crate::calcium::Calcium;
pub use crate::dicom::{CalledAePolicy, Dicom, DicomPeer, Ris};
use crate::keeping::{self, Destination, Retention};
use crate::models::Models;

/// A site file is a page of text; a larger one is a mistake (a log, an image) and is not read into memory.
const SITE_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Where this box stands and what it may do there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    pub kind: SiteKind,
    /// Name of the site in fleet topics.
    pub site: String,
    /// Name of this box in fleet topics.
    pub device: String,
    /// Where studies, findings and the index live. Relative paths start at the site file's folder.
    pub data_dir: PathBuf,
    /// Where the box's secrets live; every file in it is readable by the owner only.
    pub keys_dir: PathBuf,
    pub processor: ProcessorWish,
    pub dicom: Dicom,
    pub analysis: Analysis,
    pub viewer: Viewer,
    pub broker: Option<Broker>,
    /// Which networks may run; without it none do.
    pub models: Option<Models>,
    /// Where performed procedure steps go; without it they end here.
    pub ris: Option<Ris>,
    #[serde(default)]
    pub calcium: Calcium,
    #[serde(default)]
    pub archive: Archive,
    #[serde(default)]
    pub retention: Retention,
    #[serde(default)]
    pub destinations: Vec<Destination>,
}

/// A lab site is on loopback for ever. Every other kind speaks TLS only; this version has no TLS
/// yet, so it knows no other kind and says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SiteKind {
    Lab,
}

/// Which processor the kernels may run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProcessorWish {
    /// A GPU that passes the boot probe, else the CPU twin.
    Auto,
    /// A GPU or nothing; software Vulkan counts (tests use it).
    Gpu,
    /// The CPU twin, whatever the box has.
    Twin,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Analysis {
    /// A study without a new instance for this long is complete.
    pub study_quiet_s: u64,
    /// Whether lungs, airway, bone, fat and lean tissue are told apart on every CT.
    #[serde(default = "yes")]
    pub structures: bool,
}

fn yes() -> bool {
    true
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Viewer {
    pub listen: SocketAddr,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// `mqtt://host:port`
    pub url: String,
}

/// Why a site file is not taken. Every message names the file and what to change.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    #[error("cannot read site file {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("site file {} is larger than {SITE_FILE_BYTES_MAX} bytes", path.display())]
    TooLarge { path: PathBuf },
    #[error("site file {}: {source}", path.display())]
    Parse { path: PathBuf, source: Box<toml::de::Error> },
    #[error("site file {}: {key}: {what}", path.display())]
    Value { path: PathBuf, key: &'static str, what: String },
}

impl Site {
    /// Reads and checks a site file; relative folders become absolute.
    pub fn read(path: &Path) -> Result<Self, SiteError> {
        let read = |source| SiteError::Read { path: path.into(), source };
        if std::fs::metadata(path).map_err(read)?.len() > SITE_FILE_BYTES_MAX {
            return Err(SiteError::TooLarge { path: path.into() });
        }
        let text = std::fs::read_to_string(path).map_err(read)?;
        let mut site: Self = toml::from_str(&text)
            .map_err(|source| SiteError::Parse { path: path.into(), source: Box::new(source) })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let folder = std::path::absolute(folder).map_err(read)?;
        site.data_dir = folder.join(&site.data_dir);
        site.keys_dir = folder.join(&site.keys_dir);
        if let Some(models) = &mut site.models {
            models.runtime_dir = folder.join(&models.runtime_dir);
            models.bundles_dir = folder.join(&models.bundles_dir);
        }
        site.check().map_err(|(key, what)| SiteError::Value { path: path.into(), key, what })?;
        Ok(site)
    }

    /// What this site tells the box to do, in one line for the audit journal.
    pub fn in_short(&self) -> String {
        let destinations: Vec<String> = self.destinations.iter().map(Destination::in_short).collect();
        format!(
            "site {}/{} ({:?}), AE {}, DICOM {}, viewer {}, broker {}, archive here {}, quota {:?}, kVp table {:?}, destinations [{}]",
            self.site,
            self.device,
            self.kind,
            self.dicom.ae_title,
            self.dicom.listen,
            self.viewer.listen,
            self.broker.as_ref().map_or("none", |broker| broker.url.as_str()),
            self.archive.this_box_is_the_archive,
            self.retention.quota_bytes,
            self.calcium.kvp_table,
            destinations.join(", ")
        )
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        keeping::check(self.kind, &self.archive, self.retention, &self.destinations)?;
        for (key, name) in [("site", &self.site), ("device", &self.device)] {
            check_topic_level(name).map_err(|what| (key, what))?;
        }
        self.dicom.check()?;
        self.ris.as_ref().map_or(Ok(()), Ris::check)?;
        self.calcium.check()?;
        if !(1..=3600).contains(&self.analysis.study_quiet_s) {
            return Err(("analysis.study_quiet_s", "must be 1 to 3600".into()));
        }
        let tls = self.dicom.tls_listen.map(|address| ("dicom.tls_listen", address));
        let plain = [("dicom.listen", self.dicom.listen), ("viewer.listen", self.viewer.listen)];
        for (key, address) in plain.into_iter().chain(tls) {
            if self.kind == SiteKind::Lab && !address.ip().is_loopback() {
                return Err((key, "a lab site listens on loopback only".into()));
            }
        }
        if let Some(models) = &self.models {
            models.check(&self.destinations, self.broker.as_ref())?;
        }
        self.broker.as_ref().map_or(Ok(()), |broker| broker.check(self.kind))
    }
}

impl Broker {
    /// Host and port of the broker.
    pub fn host_port(&self) -> Option<(String, u16)> {
        let (host, port) = self.url.strip_prefix("mqtt://")?.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some((host.to_owned(), port.parse().ok()?))
    }

    pub(crate) fn is_loopback(&self) -> bool {
        self.host_port().is_some_and(|(host, _)| {
            let address = host.parse::<std::net::IpAddr>();
            host == "localhost" || address.is_ok_and(|address| address.is_loopback())
        })
    }

    fn check(&self, kind: SiteKind) -> Result<(), (&'static str, String)> {
        if self.host_port().is_none() {
            return Err(("broker.url", "must read mqtt://host:port".into()));
        }
        if kind == SiteKind::Lab && !self.is_loopback() {
            return Err(("broker.url", "a lab site speaks to a broker on loopback only".into()));
        }
        Ok(())
    }
}

/// One level of an MQTT topic, kept to characters that need no quoting anywhere.
pub(crate) fn check_topic_level(name: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=64).contains(&name.len()) && name.chars().all(legal) {
        return Ok(());
    }
    Err(format!("{name:?} must be 1 to 64 letters, digits, '-' or '_'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Site, SiteError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.toml");
        std::fs::write(&path, text).unwrap();
        Site::read(&path)
    }

    fn lab() -> String {
        crate::lab::site_toml(&crate::lab::Wishes { mqtt: None, processor: "auto".into(), networks: None })
    }

    #[test]
    fn the_lab_site_is_accepted() {
        let site = read(&lab()).unwrap();
        assert_eq!(site.kind, SiteKind::Lab);
        assert!(site.data_dir.is_absolute());
        assert!(site.broker.is_none());
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let text = lab().replace("study_quiet_s", "study_quite_s");
        let message = read(&text).unwrap_err().to_string();
        assert!(message.contains("study_quite_s") && message.contains("line"), "{message}");
    }

    #[test]
    fn an_unknown_key_of_calcium_is_named_with_its_line_and_a_bad_value_with_its_key() {
        let message = read(&format!("{}[calcium]\nkvp_tabel = \"site\"\n", lab())).unwrap_err().to_string();
        assert!(message.contains("kvp_tabel") && message.contains("line"), "{message}");
        let message = read(&format!("{}[calcium]\nkvp_table = \"site\"\n", lab())).unwrap_err().to_string();
        assert!(message.contains("calcium.kvp_rows"), "{message}");
    }

    #[test]
    fn a_site_that_is_not_a_lab_is_refused_in_words() {
        let message = read(&lab().replace("\"lab\"", "\"hospital\"")).unwrap_err().to_string();
        assert!(message.contains("hospital") && message.contains("lab"), "{message}");
    }

    #[test]
    fn a_lab_site_never_leaves_loopback() {
        let open = lab().replacen("listen = \"127.0.0.1:0\"", "listen = \"0.0.0.0:104\"", 1);
        let message = read(&open).unwrap_err().to_string();
        assert!(message.contains("dicom.listen") && message.contains("loopback"), "{message}");
        let text = crate::lab::site_toml(&crate::lab::Wishes {
            mqtt: Some("mqtt://broker.example:1883".into()),
            processor: "auto".into(),
            networks: None,
        });
        assert!(read(&text).unwrap_err().to_string().contains("broker.url"));
    }

    #[test]
    fn values_out_of_bounds_name_their_key() {
        for (from, to, key) in [
            ("associations_max = 25", "associations_max = 0", "dicom.associations_max"),
            ("ae_title = \"SIDELIGHT\"", "ae_title = \"A\\\\B\"", "dicom.ae_title"),
            ("device = \"lab-box\"", "device = \"a/b\"", "device"),
        ] {
            let text = lab().replace(from, to);
            assert_ne!(text, lab(), "the lab site has no line {from}");
            assert!(read(&text).unwrap_err().to_string().contains(key));
        }
    }
}
