//! Networks on the box: verified in a process of their own, shown with what runs them, refused in words.

mod deployment;

use std::path::Path;

use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::patience::eventually;

use crate::sources::root;

/// A bundle of the box's own, copied so that it can be spoilt.
fn copy_bundle(into: &Path) {
    let (from, to) = (root().join("models/bundles/cardiac_seg"), into.join("cardiac_seg"));
    std::fs::create_dir_all(&to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn ready(sidelight: &Appliance) -> serde_json::Value {
    let models = || sidelight.api().json("/api/models").ok();
    eventually("the bundles are verified", || models().filter(|models| models["state"] != "starting"))
}

#[test]
fn the_box_says_which_networks_serve_and_on_what() {
    let mut sidelight = appliance().networks(&root().join("models/bundles")).start().unwrap();
    let models = ready(&sidelight);
    assert_eq!(models["state"], "ready", "{models}");
    assert_eq!(models["serving"][0]["name"], "cardiac_seg", "{models}");
    assert_eq!(models["serving"][0]["demonstration"], true);
    let providers = models["providers"].as_array().unwrap();
    assert_eq!(providers.len(), 4);
    let usable = providers.iter().find(|provider| provider["usable"] == true).unwrap();
    assert_eq!(models["serving"][0]["provider"], usable["name"]);
    assert!(sidelight.terminate().unwrap().success());
    let doctor = sidelight.command("doctor").unwrap().succeeded();
    for word in ["cardiac_seg 0.1.0", "cuda", "three patients"] {
        assert!(doctor.text().contains(word), "nothing about {word}:\n{}", doctor.evidence());
    }
}

#[test]
fn a_spoilt_bundle_serves_nobody_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    copy_bundle(folder.path());
    let network = folder.path().join("cardiac_seg/cardiac_seg.onnx");
    let whole = std::fs::read(&network).unwrap();
    std::fs::write(&network, &whole[..whole.len() / 2]).unwrap();
    let mut sidelight = appliance().networks(folder.path()).start().unwrap();
    let models = ready(&sidelight);
    assert_eq!(models["serving"].as_array().unwrap().len(), 0, "{models}");
    let reason = models["refused"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("sha256"), "{reason}");
    assert!(sidelight.terminate().unwrap().success());
    let doctor = sidelight.command("doctor").unwrap();
    assert!(!doctor.status.success() && doctor.text().contains("sha256"), "{}", doctor.evidence());
}

#[test]
fn without_a_models_section_no_network_runs_and_the_box_says_so() {
    let sidelight = appliance().start().unwrap();
    let models = ready(&sidelight);
    assert_eq!(models["state"], "none");
    assert!(models["reason"].as_str().unwrap().contains("[models]"), "{models}");
}
