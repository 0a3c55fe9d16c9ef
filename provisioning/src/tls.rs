//! The one door to rustls: its provider, its configurations, and the lab's certificates.
//!
//! Everything that speaks TLS (DICOM, HTTPS, MQTT) gets a ready configuration from here. Protocols are TLS 1.2 and 1.3
//! with the provider's own choice of suites (BCP 195, PS3.15 B.12). It checks files and says what is wrong with them;
//! it opens no socket. Private keys that others can read are refused.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde::Deserialize;

mod lab;
pub use lab::make_lab;

/// Whether a caller has to show a certificate of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    /// Not asked for.
    None,
    /// Checked where one is shown.
    Optional,
    #[default]
    Required,
}

/// Certificate chain and key of one side, PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What a caller needs to reach a TLS server.
#[derive(Clone, Debug)]
pub struct Client {
    pub config: Arc<ClientConfig>,
    /// The name that must stand in the server's certificate.
    pub server_name: ServerName<'static>,
}

/// Why there is no TLS. Every message names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{}: {source}", path.display())]
    Pem { path: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("{}: no certificate in it", path.display())]
    Empty { path: PathBuf },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{} can be read by others: run chmod 600 on it", path.display())]
    Exposed { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Refused { path: PathBuf, source: rustls::Error },
    #[error("{}: no client can be checked against it: {source}", path.display())]
    Verifier { path: PathBuf, source: rustls::server::VerifierBuilderError },
    #[error("{name:?} is neither a host name nor an address")]
    Name { name: String },
    #[error("making the lab's certificates: {0}")]
    Lab(rcgen::Error),
}

/// Makes aws-lc-rs the one provider of this process. First thing in every main; a second call changes nothing.
pub fn install_provider() {
    // An error means that one is installed already, and there is only this one in the house.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// The configuration of a door. `authority` signs the callers' certificates.
pub fn server(
    own: &Pair,
    authority: &Path,
    clients: ClientCertificates,
) -> Result<Arc<ServerConfig>, TlsError> {
    install_provider();
    let builder = match clients {
        ClientCertificates::None => ServerConfig::builder().with_no_client_auth(),
        ClientCertificates::Optional | ClientCertificates::Required => {
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots(authority)?));
            let verifier = if clients == ClientCertificates::Optional {
                verifier.allow_unauthenticated()
            } else {
                verifier
            };
            let verifier =
                verifier.build().map_err(|source| TlsError::Verifier { path: authority.into(), source })?;
            ServerConfig::builder().with_client_cert_verifier(verifier)
        }
    };
    let config = builder.with_single_cert(chain(&own.certificate)?, key(&own.key)?);
    config.map(Arc::new).map_err(|source| TlsError::Refused { path: own.certificate.clone(), source })
}

/// The configuration of a call to `server_name`. `own`: the certificate shown to a server that asks for one.
pub fn client(authority: &Path, own: Option<&Pair>, server_name: &str) -> Result<Client, TlsError> {
    install_provider();
    let builder = ClientConfig::builder().with_root_certificates(roots(authority)?);
    let config = match own {
        Some(own) => builder
            .with_client_auth_cert(chain(&own.certificate)?, key(&own.key)?)
            .map_err(|source| TlsError::Refused { path: own.certificate.clone(), source })?,
        None => builder.with_no_client_auth(),
    };
    let server_name = ServerName::try_from(server_name.to_owned())
        .map_err(|_| TlsError::Name { name: server_name.to_owned() })?;
    Ok(Client { config: Arc::new(config), server_name })
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(path)? {
        roots.add(certificate).map_err(|source| TlsError::Refused { path: path.into(), source })?;
    }
    Ok(roots)
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = |source| TlsError::Pem { path: path.into(), source };
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(pem)?.collect();
    match found.map_err(pem)? {
        found if found.is_empty() => Err(TlsError::Empty { path: path.into() }),
        found => Ok(found),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let meta = std::fs::metadata(path).map_err(|source| TlsError::File { path: path.into(), source })?;
    if meta.permissions().mode() & 0o077 != 0 {
        return Err(TlsError::Exposed { path: path.into() });
    }
    PrivateKeyDer::from_pem_file(path).map_err(|source| TlsError::Pem { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(folder: &Path, name: &str) -> Pair {
        Pair { certificate: folder.join(format!("{name}.pem")), key: folder.join(format!("{name}.key")) }
    }

    #[test]
    fn the_labs_certificates_make_both_sides() {
        let folder = tempfile::tempdir().unwrap();
        make_lab(folder.path()).unwrap();
        let authority = folder.path().join("ca.pem");
        for clients in [ClientCertificates::None, ClientCertificates::Optional, ClientCertificates::Required]
        {
            server(&pair(folder.path(), "server"), &authority, clients).unwrap();
        }
        client(&authority, Some(&pair(folder.path(), "client")), "localhost").unwrap();
        client(&authority, None, "127.0.0.1").unwrap();
        assert!(matches!(client(&authority, None, "no name"), Err(TlsError::Name { .. })));
    }

    #[test]
    fn a_key_that_others_can_read_and_a_file_without_certificate_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        make_lab(folder.path()).unwrap();
        let (own, authority) = (pair(folder.path(), "server"), folder.path().join("ca.pem"));
        std::fs::set_permissions(&own.key, PermissionsExt::from_mode(0o640)).unwrap();
        let error = server(&own, &authority, ClientCertificates::None).unwrap_err();
        assert!(matches!(error, TlsError::Exposed { .. }) && error.to_string().contains("server.key"));
        std::fs::write(&authority, "no certificate").unwrap();
        assert!(matches!(client(&authority, None, "localhost"), Err(TlsError::Empty { .. })));
    }

    #[test]
    fn the_labs_keys_are_its_owners_alone_and_made_once() {
        let folder = tempfile::tempdir().unwrap();
        make_lab(folder.path()).unwrap();
        let before = std::fs::read(folder.path().join("server.pem")).unwrap();
        make_lab(folder.path()).unwrap();
        assert_eq!(std::fs::read(folder.path().join("server.pem")).unwrap(), before);
        let mode = std::fs::metadata(folder.path().join("client.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
