//! A loopback certificate authority for a lab site: `ca.pem`, and `server`/`client` with `.pem` and `.key`.
//!
//! The authority's own key is forgotten as soon as it has signed: nobody can sign with it later.

use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

use super::TlsError;

/// What a lab's certificates are for: this machine, and nothing else.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Makes the lab's certificates in `folder`, unless they are there already.
pub fn make_lab(folder: &Path) -> Result<(), TlsError> {
    let file = |source| TlsError::File { path: folder.into(), source };
    if folder.join("ca.pem").exists() {
        return Ok(());
    }
    std::fs::create_dir_all(folder).map_err(file)?;
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).map_err(file)?;
    let authority = authority().map_err(TlsError::Lab)?;
    for (name, purpose) in
        [("server", ExtendedKeyUsagePurpose::ServerAuth), ("client", ExtendedKeyUsagePurpose::ClientAuth)]
    {
        let (certificate, key) = leaf(&authority, name, purpose).map_err(TlsError::Lab)?;
        write(&folder.join(format!("{name}.pem")), &certificate, 0o644)?;
        write(&folder.join(format!("{name}.key")), &key, 0o600)?;
    }
    // Last: it says that the others are there.
    write(&folder.join("ca.pem"), &authority.pem(), 0o644)
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name.push(DnType::CommonName, "Sidelight lab authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn leaf(
    authority: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
    purpose: ExtendedKeyUsagePurpose,
) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(NAMES.map(str::to_owned))?;
    params.distinguished_name.push(DnType::CommonName, format!("Sidelight lab {name}"));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    let file = |source| TlsError::File { path: path.into(), source };
    let mut options = std::fs::OpenOptions::new();
    let mut created = options.write(true).create(true).truncate(true).mode(mode).open(path).map_err(file)?;
    created.write_all(text.as_bytes()).and_then(|()| created.sync_all()).map_err(file)
}
