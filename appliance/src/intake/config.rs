//! What intake may do, made from the site file.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sidelight_provisioning::keeping::Destination;
use sidelight_provisioning::site::{CalledAePolicy, Site};
use sidelight_provisioning::tls::{self, Pair, TlsError};

use crate::dimse::dial::Peer;
use crate::dimse::requestor::Timeouts;
use crate::dimse::socket::SecureDoor;
use crate::dimse::{Caller, Policy, Services};

#[derive(Clone, Debug)]
pub struct Config {
    pub(super) policy: Arc<Policy>,
    pub(super) associations_max: usize,
    pub(super) idle_timeout: Duration,
    /// For the TLS door, where there is one.
    pub(super) tls: Option<SecureDoor>,
    /// Where commitment reports go, by the AE title that asked.
    pub(super) report_to: Vec<Peer>,
    /// Whether what this box holds is kept for good: by itself, or by an archive behind it.
    pub(super) may_commit: bool,
    /// Where performed procedure steps go.
    pub(super) ris: Option<Peer>,
}

impl Config {
    /// Reads certificates where the site speaks TLS.
    pub fn of(site: &Site) -> Result<Self, TlsError> {
        let dicom = &site.dicom;
        let keys = site.keys_dir.join("tls");
        let tls = match dicom.tls_listen {
            Some(_) => {
                let own = pair(&keys, "server");
                Some(SecureDoor::open(&own, &keys.join("ca.pem"), dicom.tls_client_certificates)?)
            }
            None => None,
        };
        let reported = dicom.peers.iter().filter_map(|peer| Some((peer, peer.report_to.as_ref()?)));
        let report_to = reported
            .map(|(peer, address)| called(site, address, &peer.ae_title, peer.tls))
            .collect::<Result<_, _>>()?;
        let ris =
            site.ris.as_ref().map(|ris| called(site, &ris.address, &ris.ae_title, ris.tls)).transpose()?;
        Ok(Self {
            policy: Arc::new(policy(site)),
            associations_max: dicom.associations_max,
            idle_timeout: Duration::from_secs(dicom.idle_timeout_s),
            tls,
            report_to,
            may_commit: may_commit(site),
            ris,
        })
    }
}

/// A promise to keep something for good needs somebody who does.
fn may_commit(site: &Site) -> bool {
    site.archive.this_box_is_the_archive || site.destinations.iter().any(|destination| destination.archive)
}

fn policy(site: &Site) -> Policy {
    let dicom = &site.dicom;
    let anywhere = |title: &String| Caller { ae_title: title.clone(), networks: Vec::new() };
    let known = dicom
        .peers
        .iter()
        .map(|peer| Caller { ae_title: peer.ae_title.clone(), networks: peer.networks.clone() });
    let mut callers: Vec<Caller> = dicom.calling_ae_titles.iter().map(anywhere).chain(known).collect();
    // Nobody named: anyone may call.
    if !callers.is_empty() {
        callers
            .extend(site.destinations.iter().filter(|destination| destination.archive).filter_map(archive));
    }
    Policy {
        ae_title: dicom.ae_title.clone(),
        called_must_be_ours: dicom.called_ae_policy == CalledAePolicy::Own,
        callers,
        pdu_length_max_bytes: dicom.pdu_length_max_bytes,
        services: Services::new(&dicom.accepted_transfer_syntaxes, &dicom.extra_sop_classes),
    }
}

/// An archive that is asked for commitment may call back, from where it is called at: elsewhere from it is a peer like any
/// other and stands in `[[dicom.peers]]`.
fn archive(destination: &Destination) -> Option<Caller> {
    let ae_title = destination.ae_title.clone()?;
    let (host, _) = destination.address.as_deref()?.rsplit_once(':')?;
    let network = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    Some(Caller { ae_title, networks: network.into_iter().collect() })
}

fn called(site: &Site, address: &str, ae_title: &str, secured: bool) -> Result<Peer, TlsError> {
    let keys = site.keys_dir.join("tls");
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let tls = match secured {
        true => Some(tls::client(&keys.join("ca.pem"), Some(&pair(&keys, "client")), host)?),
        false => None,
    };
    Ok(Peer {
        address: address.to_owned(),
        called_ae: ae_title.to_owned(),
        calling_ae: site.dicom.ae_title.clone(),
        tls,
        timeouts: Timeouts::default(),
    })
}

fn pair(folder: &Path, name: &str) -> Pair {
    Pair { certificate: folder.join(format!("{name}.pem")), key: folder.join(format!("{name}.key")) }
}
