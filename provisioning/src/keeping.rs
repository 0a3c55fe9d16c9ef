//! Where objects go and when they may leave: `[retention]` and `[[destinations]]` of the site file.

use std::net::IpAddr;

use serde::Deserialize;

use crate::archive::Archive;
use crate::dicom::check_ae_title;
use crate::site::{SiteKind, check_topic_level};

/// More destinations than a hospital has; each one has a worker and a queue of its own.
const DESTINATIONS_MAX: usize = 32;

/// When studies that an archive has confirmed make room.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Deletion begins above this; without it nothing is deleted.
    pub quota_bytes: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DestinationKind {
    /// C-STORE.
    Dicom,
    /// STOW-RS.
    Stow,
}

/// Which results a destination gets; what it got is always followed by later words about the same finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResultsWish {
    #[default]
    Preliminary,
    Confirmed,
    Never,
}

/// One place that studies are forwarded to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// Names the queue for ever: a renamed destination is a new one.
    pub name: String,
    pub kind: DestinationKind,
    /// `host:port`, for `dicom`.
    pub address: Option<String>,
    /// Its AE title, for `dicom`.
    pub ae_title: Option<String>,
    /// Address of its DICOMweb service, for `stow`: `http://host:port/dicom-web`.
    pub url: Option<String>,
    /// Which of the box's own results go there.
    #[serde(default)]
    pub results: ResultsWish,
    /// It keeps objects for good: its confirmation is asked for, and allows deletion here.
    #[serde(default)]
    pub archive: bool,
}

impl Destination {
    pub(crate) fn in_short(&self) -> String {
        let address = self.address.as_deref().or(self.url.as_deref()).unwrap_or_default();
        let archive = if self.archive { ", archive" } else { "" };
        format!("{} {address}{archive}", self.name)
    }

    fn check(&self, kind: SiteKind) -> Result<(), String> {
        check_topic_level(&self.name)?;
        let (host, problem) = match self.kind {
            DestinationKind::Dicom => {
                let title = self.ae_title.as_deref().ok_or("a dicom destination needs ae_title")?;
                check_ae_title(title)?;
                if self.url.is_some() {
                    return Err("url belongs to a stow destination".into());
                }
                (self.address.as_deref().and_then(host_of), "address must read host:port")
            }
            DestinationKind::Stow => {
                if self.address.is_some() || self.ae_title.is_some() {
                    return Err("address and ae_title belong to a dicom destination".into());
                }
                let authority = self.url.as_deref().and_then(|url| url.strip_prefix("http://"));
                let authority = authority.map(|rest| rest.split('/').next().unwrap_or_default());
                (authority.and_then(host_of), "url must read http://host:port/path")
            }
        };
        let host = host.ok_or(problem)?;
        let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if kind == SiteKind::Lab && !loopback {
            return Err("a lab site forwards to loopback only".into());
        }
        Ok(())
    }
}

fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = authority.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)).then_some(host)
}

/// Checks what no single section can: names once each, and not two answers to who keeps the objects.
pub(crate) fn check(
    kind: SiteKind,
    archive: &Archive,
    retention: Retention,
    destinations: &[Destination],
) -> Result<(), (&'static str, String)> {
    if destinations.len() > DESTINATIONS_MAX {
        return Err(("destinations", format!("at most {DESTINATIONS_MAX}")));
    }
    for (position, destination) in destinations.iter().enumerate() {
        let name = &destination.name;
        destination.check(kind).map_err(|what| ("destinations", format!("{name}: {what}")))?;
        if destinations[..position].iter().any(|other| other.name == *name) {
            return Err(("destinations", format!("{name} stands there twice")));
        }
    }
    let deletes = retention.quota_bytes.is_some();
    if archive.this_box_is_the_archive && deletes {
        let what = "a box that is the archive deletes nothing: remove quota_bytes or the archive line";
        return Err(("retention.quota_bytes", what.into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::site::Site;

    fn read(more: &str) -> Result<Site, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.toml");
        let lab = crate::lab::site_toml(&crate::lab::Wishes {
            mqtt: None,
            processor: "auto".into(),
            networks: None,
        });
        let lab = lab.replace("[archive]\nthis_box_is_the_archive = true\n", "");
        std::fs::write(&path, lab + more).unwrap();
        Site::read(&path).map_err(|error| error.to_string())
    }

    const PACS: &str = "[[destinations]]\nname = \"pacs\"\nkind = \"dicom\"\naddress = \"127.0.0.1:104\"\nae_title = \"PACS\"\narchive = true\n";

    #[test]
    fn destinations_are_optional_and_read() {
        assert!(read("").unwrap().destinations.is_empty());
        let site = read(PACS).unwrap();
        assert!(site.destinations[0].archive && !site.archive.this_box_is_the_archive);
    }

    #[test]
    fn what_cannot_work_is_refused_in_words() {
        for (text, word) in [
            (PACS.replace("127.0.0.1:104", "10.0.0.1:104"), "loopback"),
            (PACS.replace("ae_title = \"PACS\"\n", ""), "ae_title"),
            (PACS.replace("127.0.0.1:104", "127.0.0.1"), "host:port"),
            (PACS.replace("\"dicom\"", "\"stow\""), "belong to a dicom"),
            (PACS.repeat(2), "twice"),
            (PACS.replace("archive", "arkive"), "arkive"),
            (
                "[archive]\nthis_box_is_the_archive = true\n[retention]\nquota_bytes = 1\n".into(),
                "deletes nothing",
            ),
        ] {
            let message = read(&text).unwrap_err();
            assert!(message.contains(word), "{text}: {message}");
        }
    }
}
