//! Which networks are asked about which series.

use std::path::Path;

use super::{fits_ct, fits_mr};

#[test]
fn our_own_network_is_asked_about_mr_and_never_about_ct() {
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/bundles/cardiac_seg/model.toml");
    let manifest = sidelight_models::Manifest::read(&bundle).unwrap();
    assert!(fits_mr(&manifest) && !fits_ct(&manifest));
}
