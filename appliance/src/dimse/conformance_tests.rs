//! CONFORMANCE.md says what the code does: its tables are written from the code and compared here.
//! `UPDATE_CONFORMANCE=1 cargo test -p sidelight conformance` rewrites them.

use std::fmt::Write as _;

use dicom_core::dictionary::UidDictionary as _;
use dicom_dictionary_std::StandardSopClassDictionary;
use dicom_encoding::TransferSyntaxIndex as _;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::services::{
    MESSAGE_SYNTAXES, PROCEDURE_STEP, STORAGE_COMMITMENT, Services, TRANSFER_SYNTAXES, VERIFICATION,
};
use super::storage_classes::{CURRENT, RETIRED};

fn name(uid: &str) -> String {
    let entry = StandardSopClassDictionary.by_uid(uid);
    entry.map_or_else(|| panic!("{uid} is not in the dictionary"), |entry| entry.name.to_owned())
}

fn syntax_name(uid: &str) -> String {
    let known = TransferSyntaxRegistry.get(uid);
    known.map_or_else(|| "kept as it comes".to_owned(), |syntax| syntax.name().to_owned())
}

fn services() -> String {
    let mut table = "| SOP class | UID | as SCU | as SCP |\n|---|---|---|---|\n".to_owned();
    for (uid, user) in
        [(VERIFICATION, "no"), (STORAGE_COMMITMENT, "yes, of archives"), (PROCEDURE_STEP, "yes, relay")]
    {
        writeln!(table, "| {} | {uid} | {user} | yes |", name(uid)).unwrap();
    }
    table
}

fn storage() -> String {
    let mut table = "| SOP class | UID | as SCP |\n|---|---|---|\n".to_owned();
    for uid in CURRENT.iter().chain(&RETIRED) {
        writeln!(table, "| {} | {uid} | yes |", name(uid)).unwrap();
    }
    table
}

fn syntaxes() -> String {
    let mut table = "| preference | transfer syntax | UID |\n|---|---|---|\n".to_owned();
    for (number, uid) in TRANSFER_SYNTAXES.iter().enumerate() {
        writeln!(table, "| {} | {} | {uid} |", number + 1, syntax_name(uid)).unwrap();
    }
    table
}

fn message_syntaxes() -> String {
    let mut table = "| preference | transfer syntax | UID |\n|---|---|---|\n".to_owned();
    for (number, uid) in MESSAGE_SYNTAXES.iter().enumerate() {
        writeln!(table, "| {} | {} | {uid} |", number + 1, syntax_name(uid)).unwrap();
    }
    table
}

/// Puts `table` between its markers.
fn fill(text: &str, section: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- begin {section} -->\n"), format!("<!-- end {section} -->"));
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("no marker {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("no marker {end}"));
    format!("{before}{begin}{table}{end}{after}")
}

#[test]
fn the_conformance_statement_says_what_the_code_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/CONFORMANCE.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut written = text.clone();
    for (section, table) in [
        ("services", services()),
        ("storage", storage()),
        ("transfer syntaxes", syntaxes()),
        ("message syntaxes", message_syntaxes()),
    ] {
        written = fill(&written, section, &table);
    }
    if std::env::var_os("UPDATE_CONFORMANCE").is_some() {
        std::fs::write(path, &written).unwrap();
        return;
    }
    assert!(text == written, "CONFORMANCE.md differs from the code: run this test with UPDATE_CONFORMANCE=1");
}

#[test]
fn the_list_of_storage_classes_holds_what_scanners_send_and_nothing_twice() {
    let all = Services::standard();
    assert_eq!(all.storage().count(), CURRENT.len() + RETIRED.len(), "a class stands there twice");
    for class in all.storage() {
        assert!(name(class).contains("Storage"), "{class} stores nothing");
    }
    // Digital mammography, enhanced CT and MR, tomosynthesis, segmentation, comprehensive 3-D SR, parametric map, PDF.
    for uid in [
        "1.2.840.10008.5.1.4.1.1.1.2",
        "1.2.840.10008.5.1.4.1.1.2.1",
        "1.2.840.10008.5.1.4.1.1.4.1",
        "1.2.840.10008.5.1.4.1.1.13.1.3",
        "1.2.840.10008.5.1.4.1.1.66.4",
        "1.2.840.10008.5.1.4.1.1.88.34",
        "1.2.840.10008.5.1.4.1.1.30",
        "1.2.840.10008.5.1.4.1.1.104.1",
    ] {
        assert!(all.storage().any(|class| class == uid), "{uid}");
    }
}

#[test]
fn the_site_file_adds_classes_and_orders_syntaxes() {
    let (private, implicit) = ("1.3.12.2.1107.5.9.1".to_owned(), "1.2.840.10008.1.2".to_owned());
    let services = Services::new(std::slice::from_ref(&implicit), std::slice::from_ref(&private));
    assert_eq!(services.transfer_syntaxes(&private), (true, &[implicit][..]));
    assert!(!services.transfer_syntaxes("1.3.12.2.1107.5.9.2").0);
    let mut seen = std::collections::BTreeSet::new();
    assert!(TRANSFER_SYNTAXES.iter().all(|uid| seen.insert(uid)), "a transfer syntax stands there twice");
}
