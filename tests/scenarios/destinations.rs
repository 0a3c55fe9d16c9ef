//! What scenarios about forwarding share: sections of the site file, and what the API says about them.

use serde_json::Value;
use sidelight_tests::peers::appliance::{Appliance, Builder, appliance};
use sidelight_tests::peers::patience::eventually;

/// The lab site's own lines about who keeps the objects.
const LAB_ARCHIVE: &str = "[archive]\nthis_box_is_the_archive = true\n";

/// A `[[destinations]]` section that speaks DIMSE.
pub(crate) fn dicom(name: &str, port: u16, archive: bool) -> String {
    format!(
        "\n[[destinations]]\nname = \"{name}\"\nkind = \"dicom\"\naddress = \"127.0.0.1:{port}\"\n\
         ae_title = \"PACS\"\narchive = {archive}\n"
    )
}

/// A `[[destinations]]` section that speaks STOW-RS.
pub(crate) fn stow(name: &str, url: &str, archive: bool) -> String {
    format!("\n[[destinations]]\nname = \"{name}\"\nkind = \"stow\"\nurl = \"{url}\"\narchive = {archive}\n")
}

/// A box that is no archive itself, with these sections in its site file.
pub(crate) fn box_with(sections: &str) -> Builder {
    appliance().site_line(LAB_ARCHIVE, sections)
}

/// How a destination is doing.
pub(crate) fn destination(sidelight: &Appliance, name: &str) -> Value {
    let listed = sidelight.api().json("/api/destinations").expect("the destinations");
    let found = listed["destinations"].as_array().into_iter().flatten().find(|one| one["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {listed:#}")).clone()
}

pub(crate) fn ledger(sidelight: &Appliance, study: &str) -> Value {
    sidelight.api().json(&format!("/api/studies/{study}/ledger")).expect("the ledger")
}

/// What the ledger says of one destination.
pub(crate) fn total(ledger: &Value, destination: &str) -> Value {
    let found =
        ledger["destinations"].as_array().into_iter().flatten().find(|one| one["name"] == destination);
    found.unwrap_or_else(|| panic!("no {destination} in {ledger:#}")).clone()
}

/// Waits until the ledger of a study counts so many objects under `field` at a destination.
pub(crate) fn counted(sidelight: &Appliance, study: &str, name: &str, field: &str, count: u64) -> Value {
    eventually(&format!("{count} {field} at {name}"), || {
        let ledger = sidelight.api().json(&format!("/api/studies/{study}/ledger")).ok()?;
        (total(&ledger, name)[field] == count).then_some(ledger)
    })
}
