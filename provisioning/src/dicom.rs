//! The DICOM part of the site file: the door, who may call, what is taken, who is called.

use std::net::SocketAddr;

use serde::Deserialize;

use crate::network::Network;
use crate::tls::ClientCertificates;

/// Below this a single enhanced CT may fill the disk between two looks at it.
const DISK_RESERVE_BYTES: u64 = 1 << 30;

/// The DICOM door.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dicom {
    pub listen: SocketAddr,
    /// A second door, TLS only; its certificate and key are `keys_dir/tls/server.pem` and `server.key`.
    pub tls_listen: Option<SocketAddr>,
    /// Whether callers at the TLS door show a certificate signed by `keys_dir/tls/ca.pem`.
    #[serde(default)]
    pub tls_client_certificates: ClientCertificates,
    pub ae_title: String,
    /// Whether a caller must use our own AE title.
    pub called_ae_policy: CalledAePolicy,
    /// AE titles that may call from any address. With no `peers` either: anyone may.
    pub calling_ae_titles: Vec<String>,
    /// AEs that may call, from where, and where they take reports on what they asked.
    #[serde(default)]
    pub peers: Vec<DicomPeer>,
    /// Associations served at once; the next one is refused as transient, "local limit exceeded".
    pub associations_max: usize,
    /// Longest PDU we announce and accept.
    pub pdu_length_max_bytes: u32,
    /// An association on which nothing arrives for this long is aborted.
    pub idle_timeout_s: u64,
    /// Transfer syntaxes that are kept, best first. Empty: all of the standard, in the box's own order.
    #[serde(default)]
    pub accepted_transfer_syntaxes: Vec<String>,
    /// Storage SOP classes on top of all of the standard: private ones.
    #[serde(default)]
    pub extra_sop_classes: Vec<String>,
    /// Objects are refused, as out of resources, before free space falls under this.
    #[serde(default = "disk_reserve_bytes")]
    pub disk_reserve_bytes: u64,
}

fn disk_reserve_bytes() -> u64 {
    DISK_RESERVE_BYTES
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CalledAePolicy {
    Own,
    Any,
}

/// `[[dicom.peers]]`: an AE that may call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DicomPeer {
    pub ae_title: String,
    /// Addresses or networks it calls from. Empty: any.
    #[serde(default)]
    pub networks: Vec<Network>,
    /// `host:port` where it takes commitment reports. Without it they go on the association that asked, or nowhere.
    pub report_to: Option<String>,
    /// Whether that address speaks TLS, trusted by `keys_dir/tls/ca.pem`.
    #[serde(default)]
    pub tls: bool,
}

/// `[ris]`: where performed procedure steps are relayed to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ris {
    /// `host:port`
    pub address: String,
    pub ae_title: String,
    #[serde(default)]
    pub tls: bool,
}

impl Dicom {
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        check_ae_title(&self.ae_title).map_err(|what| ("dicom.ae_title", what))?;
        for title in &self.calling_ae_titles {
            check_ae_title(title).map_err(|what| ("dicom.calling_ae_titles", what))?;
        }
        for peer in &self.peers {
            check_ae_title(&peer.ae_title).map_err(|what| ("dicom.peers", what))?;
            if let Some(address) = &peer.report_to {
                check_address(address).map_err(|what| ("dicom.peers.report_to", what))?;
            }
        }
        if !(1..=1000).contains(&self.associations_max) {
            return Err(("dicom.associations_max", "must be 1 to 1000".into()));
        }
        // PS3.8 D.1 sets no lower bound; below 4 KiB a C-STORE command may not fit one PDU with room to spare.
        if !(4096..=1_048_576).contains(&self.pdu_length_max_bytes) {
            return Err(("dicom.pdu_length_max_bytes", "must be 4096 to 1048576".into()));
        }
        if !(1..=3600).contains(&self.idle_timeout_s) {
            return Err(("dicom.idle_timeout_s", "must be 1 to 3600".into()));
        }
        for uid in &self.accepted_transfer_syntaxes {
            check_uid(uid).map_err(|what| ("dicom.accepted_transfer_syntaxes", what))?;
        }
        for uid in &self.extra_sop_classes {
            check_uid(uid).map_err(|what| ("dicom.extra_sop_classes", what))?;
        }
        Ok(())
    }
}

impl Ris {
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        check_address(&self.address).map_err(|what| ("ris.address", what))?;
        check_ae_title(&self.ae_title).map_err(|what| ("ris.ae_title", what))
    }
}

/// An AE title is 1 to 16 printable ASCII characters without backslash (PS3.5 6.2, VR AE).
pub(crate) fn check_ae_title(title: &str) -> Result<(), String> {
    let legal = |c: char| (' '..='~').contains(&c) && c != '\\';
    match title.trim().len() {
        1..=16 if title.len() <= 16 && title.chars().all(legal) => Ok(()),
        _ => Err(format!("{title:?} is not an AE title (1 to 16 printable characters, no backslash)")),
    }
}

/// `host:port`; an IPv6 host stands in brackets.
pub(crate) fn check_address(address: &str) -> Result<(), String> {
    let (host, port) = address.rsplit_once(':').unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if !bare.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) {
        return Ok(());
    }
    Err(format!("{address:?} must read host:port"))
}

fn check_uid(uid: &str) -> Result<(), String> {
    let parts = || uid.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    if (1..=64).contains(&uid.len()) && parts() { Ok(()) } else { Err(format!("{uid:?} is not a UID")) }
}
