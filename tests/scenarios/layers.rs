//! Who may depend on whom. The tables below are the house plan; a change here is a change of the plan.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::sources::{self, cargo};

/// Our packages and the ones of ours that each may name in `[dependencies]` or `[build-dependencies]`.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("sidelight-kernels", &[]),
    ("sidelight-models", &[]),
    ("sidelight-provisioning", &[]),
    ("sidelight", &["sidelight-kernels", "sidelight-models", "sidelight-provisioning"]),
    // The arrays that networks learn from are prepared as the box prepares them.
    ("sidelight-tests", &["sidelight-kernels", "sidelight-models"]),
    ("sidelight-benches", &["sidelight", "sidelight-kernels", "sidelight-tests"]),
];

/// Each foreign package with a wide or dangerous surface has one door.
const DOORS: &[(&str, &[&str])] = &[
    ("wgpu", &["kernels/src/engine.rs", "kernels/src/engine/", "kernels/src/vulkan.rs"]),
    ("ash", &["kernels/src/vulkan.rs"]),
    ("ort", &["models/src/onnx.rs"]),
    ("dicom_ul", &["appliance/src/dimse/"]),
    ("sled", &["appliance/src/store/"]),
    ("rumqttc", &["appliance/src/outbox/"]),
    ("ureq", &["appliance/src/outbox/stow.rs", "tests/peers/api.rs"]),
    ("axum", &["appliance/src/viewer/"]),
    ("rustls", &["provisioning/src/tls.rs", "provisioning/src/tls/"]),
    ("rcgen", &["provisioning/src/tls.rs", "provisioning/src/tls/"]),
    ("tokio_rustls", &["appliance/src/dimse/", "appliance/src/viewer/"]),
    ("systemd", &["appliance/src/service.rs"]),
    ("pdf_writer", &["appliance/src/results/objects/"]),
    ("embedded_graphics", &["appliance/src/results/objects/"]),
];

/// The rooms of the appliance. They meet in the store; only wiring.rs sees them all.
const ROOMS: &[&str] = &[
    "intake",
    "store",
    "analysis",
    "results",
    "dictation",
    "records",
    "outbox",
    "viewer",
    "panel",
    "updates",
];

fn metadata(arguments: &[&str]) -> Value {
    let text = cargo(&[&["metadata", "--format-version", "1", "--locked"], arguments].concat());
    serde_json::from_str(&text).expect("cargo metadata prints JSON")
}

fn strings<'a>(values: &'a Value, field: &'a str) -> impl Iterator<Item = &'a str> {
    values.as_array().into_iter().flatten().filter_map(move |value| value[field].as_str())
}

/// (package, what it names in its manifest outside dev-dependencies)
fn direct_dependencies() -> Vec<(String, BTreeSet<String>)> {
    let document = metadata(&["--no-deps"]);
    let packages = document["packages"].as_array().expect("metadata lists packages");
    let named = packages.iter().map(|package| {
        let all = package["dependencies"].as_array().into_iter().flatten();
        let built = all.filter(|dependency| dependency["kind"] != "dev");
        let names = built.filter_map(|dependency| dependency["name"].as_str().map(str::to_owned));
        (package["name"].as_str().unwrap_or_default().to_owned(), names.collect())
    });
    named.collect()
}

#[test]
fn packages_depend_only_on_those_below_them() {
    let found = direct_dependencies();
    let names: BTreeSet<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    let planned: BTreeSet<&str> = MAY_DEPEND_ON.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, planned, "the table of packages is not the workspace");
    for (package, dependencies) in &found {
        let (_, allowed) = MAY_DEPEND_ON.iter().find(|(name, _)| name == package).expect("compared above");
        let ours = dependencies.iter().filter(|name| planned.contains(name.as_str()));
        let forbidden: Vec<&String> = ours.filter(|name| !allowed.contains(&name.as_str())).collect();
        assert!(forbidden.is_empty(), "{package} must not depend on {forbidden:?}");
    }
}

#[test]
fn only_the_appliance_runs_tokio_and_only_it_and_the_tests_know_dicom() {
    for (package, dependencies) in direct_dependencies() {
        let asynchronous = dependencies.iter().any(|name| name.starts_with("tokio") || name == "axum");
        let allowed = ["sidelight", "sidelight-benches"].contains(&package.as_str());
        assert!(!asynchronous || allowed, "{package} names tokio or axum");
        let dicom = dependencies.iter().any(|name| name.starts_with("dicom"));
        let allowed = ["sidelight", "sidelight-tests", "sidelight-benches"].contains(&package.as_str());
        assert!(!dicom || allowed, "{package} names a dicom package");
    }
}

#[test]
fn kernels_have_no_files_no_async_no_dicom() {
    let tree = cargo(&[
        "tree",
        "--locked",
        "--package",
        "sidelight-kernels",
        "--edges",
        "normal",
        "--prefix",
        "none",
    ]);
    assert!(tree.contains("wgpu"), "not the tree of the kernels:\n{tree}");
    for line in tree.lines() {
        let foreign = ["tokio", "async-std", "dicom", "axum", "smol"];
        assert!(!foreign.iter().any(|name| line.starts_with(name)), "kernels pull in {line}");
    }
    let sources = sources::rust();
    // Their unit tests may read the shaders from disk.
    let product = |path: &str| path.starts_with("kernels/src/") && !path.ends_with("tests.rs");
    let kernels: Vec<_> = sources.iter().filter(|source| product(&source.path)).collect();
    assert!(!kernels.is_empty(), "kernels/src has no Rust files");
    for source in kernels {
        let tokens = source.tokens();
        assert!(!tokens.iter().any(|token| token == "async" || token == "await"), "{}: async", source.path);
        let files = |pair: &[String]| pair[0] == "std" && pair[3] == "fs";
        assert!(!tokens.windows(4).any(files), "{} touches files", source.path);
        assert!(!tokens.iter().any(|token| token == "File"), "{} touches files", source.path);
    }
}

#[test]
fn unsafe_stands_in_one_file() {
    for source in sources::rust() {
        let has = source.tokens().iter().any(|token| token == "unsafe");
        assert!(!has || source.path == "kernels/src/vulkan.rs", "{} has unsafe code", source.path);
    }
}

#[test]
fn every_foreign_package_has_one_door() {
    let sources = sources::rust();
    for (package, doors) in DOORS {
        let users: Vec<&str> =
            sources.iter().filter(|source| source.uses(package)).map(|source| source.path.as_str()).collect();
        let (inside, outside): (Vec<&str>, Vec<&str>) =
            users.iter().partition(|path| doors.iter().any(|door| path.starts_with(door)));
        assert!(outside.is_empty(), "{package} is used outside its door {doors:?}: {outside:?}");
        assert!(!inside.is_empty(), "nothing uses {package} any more: drop it from the table and Cargo.toml");
    }
}

#[test]
fn rooms_do_not_import_each_other() {
    let mut looked_at = BTreeSet::new();
    for source in sources::rust() {
        let Some(inside) = source.path.strip_prefix("appliance/src/") else { continue };
        let here = inside.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        let Some(room) = ROOMS.iter().find(|room| **room == here) else { continue };
        looked_at.insert(*room);
        let modules = source.own_modules_named();
        let others = modules.iter().filter(|module| ROOMS.contains(&module.as_str()) && module != room);
        let forbidden: Vec<&String> = others.filter(|module| *module != "store").collect();
        assert!(forbidden.is_empty(), "{} imports {forbidden:?}; rooms meet in the store", source.path);
    }
    assert!(looked_at.contains("store") && looked_at.len() >= 4, "only {looked_at:?} were found");
}

#[test]
fn the_main_program_and_its_wiring_stay_small() {
    for (path, lines_max) in [("appliance/src/main.rs", 39), ("appliance/src/wiring.rs", 199)] {
        let sources = sources::rust();
        let source = sources.iter().find(|source| source.path == path);
        let source = source.unwrap_or_else(|| panic!("{path} is gone"));
        assert!(source.lines() <= lines_max, "{path} has {} lines", source.lines());
    }
}

#[test]
fn rustls_never_brings_a_second_provider() {
    let document = metadata(&[]);
    let nodes = &document["resolve"]["nodes"];
    assert!(strings(nodes, "id").any(|id| id.contains("sidelight-kernels")), "no dependency graph");
    for node in nodes.as_array().into_iter().flatten() {
        let id = node["id"].as_str().unwrap_or_default();
        let rustls = id.contains("#rustls@") || id.contains("/rustls#");
        let ring = node["features"].as_array().is_some_and(|features| features.contains(&"ring".into()));
        assert!(!(rustls && ring), "feature `ring` of rustls is on: {id}");
    }
}

#[test]
fn dependencies_resolve_for_aarch64() {
    let target = ["--target", "aarch64-unknown-linux-gnu", "--edges", "normal,build", "--prefix", "none"];
    let tree = cargo(&[&["tree", "--locked", "--workspace"], &target[..]].concat());
    for package in ["sidelight v", "sidelight-kernels v", "wgpu v", "sled v"] {
        assert!(tree.contains(package), "{package} is not in the tree for aarch64");
    }
}
