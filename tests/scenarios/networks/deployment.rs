//! Versions of a network side by side: a bad one never serves, the one before it does, and an admin can see and take
//! away each of them.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sidelight_tests::peers::api::Api;
use sidelight_tests::peers::appliance::appliance;

use super::ready;
use crate::sources::root;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Our heart network as another version; `spoil` gets the text of its manifest and the network's bytes.
fn version(parent: &Path, version: &str, spoil: impl FnOnce(&mut String, &mut Vec<u8>)) {
    let (from, to) =
        (root().join("models/bundles/cardiac_seg"), parent.join(format!("cardiac_seg-{version}")));
    std::fs::create_dir_all(&to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    let (manifest, network) = (to.join("model.toml"), to.join("cardiac_seg.onnx"));
    let mut text = std::fs::read_to_string(&manifest).unwrap();
    let mut bytes = std::fs::read(&network).unwrap();
    text = text.replace("version = \"0.1.0\"", &format!("version = \"{version}\""));
    spoil(&mut text, &mut bytes);
    std::fs::write(manifest, text).unwrap();
    std::fs::write(network, bytes).unwrap();
}

/// Every way in which a bundle can be bad, each a newer version than the last, and a word of the reason.
fn bad_versions(parent: &Path) -> [(&'static str, &'static str); 6] {
    version(parent, "0.3.0", |_, network| network.truncate(network.len() / 2));
    version(parent, "0.4.0", |_, network| network[200] ^= 1);
    version(parent, "0.5.0", |manifest, _| *manifest = manifest.replace("opset = 17", "opset = 99"));
    version(parent, "0.6.0", |manifest, _| {
        *manifest = manifest.replace("[-1, 3, -1, -1]", "[-1, 4, -1, -1]");
    });
    version(parent, "0.7.0", |manifest, network| {
        let before = digest(network);
        let middle = network.len() / 2;
        // In single precision, at whatever place a number begins: not a number.
        network[middle..middle + 4096].fill(0xFF);
        *manifest = manifest.replace(&before, &digest(network));
    });
    version(parent, "0.8.0", |manifest, _| manifest.push_str("\nnonsense = true\n"));
    [
        ("0.3.0", "cut off"),
        ("0.4.0", "another file"),
        ("0.5.0", "99 is not supported"),
        ("0.6.0", "[-1, 4, -1, -1]"),
        ("0.7.0", "not numbers"),
        ("0.8.0", "nonsense"),
    ]
}

fn bundle<'a>(manifest: &'a Value, folder: &str) -> &'a Value {
    let bundles = manifest["bundles"].as_array().unwrap();
    bundles.iter().find(|one| one["folder"] == folder).unwrap_or_else(|| panic!("no {folder}: {manifest:#}"))
}

#[test]
fn a_bad_version_never_serves_and_the_one_before_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    version(folder.path(), "0.1.0", |_, _| ());
    version(folder.path(), "0.2.0", |_, _| ());
    let bad = bad_versions(folder.path());
    let sidelight = appliance().networks(folder.path()).start().unwrap();
    let models = ready(&sidelight);
    assert_eq!(models["serving"].as_array().unwrap().len(), 1, "{models:#}");
    assert_eq!(models["serving"][0]["version"], "0.2.0");
    let api = sidelight.api();
    let manifest = api.json("/api/models/manifest").unwrap();
    assert_eq!(manifest["bundles"].as_array().unwrap().len(), 8, "{manifest:#}");
    assert_eq!(bundle(&manifest, "cardiac_seg-0.2.0")["standing"], "serving");
    assert_eq!(bundle(&manifest, "cardiac_seg-0.1.0")["standing"], "fallback");
    for (version, word) in bad {
        let one = bundle(&manifest, &format!("cardiac_seg-{version}"));
        let reason = one["reason"].as_str().unwrap_or_default();
        assert!(one["standing"] == "refused" && reason.contains(word), "{version}: {one:#}");
        assert_eq!(one["accepted_here"], false);
    }
    let refused = api.get("/api/models/cardiac_seg/download?version=0.3.0").unwrap();
    assert!(refused.status == 409 && refused.text().contains("cut off"), "{}", refused.text());
}

#[test]
fn a_bundle_is_taken_away_whole_in_pieces_and_file_by_file_under_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    version(folder.path(), "0.1.0", |_, _| ());
    version(folder.path(), "0.2.0", |_, _| ());
    let sidelight = appliance().networks(folder.path()).start().unwrap();
    ready(&sidelight);
    let api = sidelight.api();
    let manifest = api.json("/api/models/manifest").unwrap();
    let serving = bundle(&manifest, "cardiac_seg-0.2.0");
    let whole = api.get("/api/models/cardiac_seg/download").unwrap();
    let sha256 = digest(&whole.body);
    assert_eq!(
        (serving["sha256"].as_str().unwrap(), serving["bytes"].as_u64().unwrap()),
        (sha256.as_str(), whole.body.len() as u64)
    );
    assert_eq!(whole.header("etag").unwrap(), format!("\"{sha256}\""));
    let said = BASE64_STANDARD.encode(Sha256::digest(&whole.body));
    assert_eq!(whole.header("repr-digest").unwrap(), format!("sha-256=:{said}:"));
    pieces_fit(&api, &whole.body, &sha256);

    // Unpacked it is the bundle again, byte by byte.
    let out = tempfile::tempdir().unwrap();
    std::fs::write(out.path().join("bundle.tar"), &whole.body).unwrap();
    let tar = std::process::Command::new("tar").args(["xf", "bundle.tar"]).current_dir(out.path()).status();
    assert!(tar.unwrap().success());
    for file in serving["files"].as_array().unwrap() {
        let name = file["name"].as_str().unwrap();
        let here = std::fs::read(folder.path().join("cardiac_seg-0.2.0").join(name)).unwrap();
        assert_eq!(std::fs::read(out.path().join("cardiac_seg-0.2.0").join(name)).unwrap(), here, "{name}");
        assert_eq!(file["sha256"].as_str().unwrap(), digest(&here), "{name}");
        let path = format!("/api/models/cardiac_seg/download?version=0.2.0&file={name}");
        let one = api.get(&path).unwrap();
        assert!(
            one.body == here && one.header("etag").unwrap() == format!("\"{}\"", digest(&here)),
            "{name}"
        );
    }
    let older = api.get("/api/models/cardiac_seg/download?version=0.1.0").unwrap();
    assert_eq!(digest(&older.body), bundle(&manifest, "cardiac_seg-0.1.0")["sha256"].as_str().unwrap());
    for path in ["lesion_det/download", "cardiac_seg/download?version=9", "cardiac_seg/download?file=../x"] {
        assert_eq!(api.get(&format!("/api/models/{path}")).unwrap().status, 404, "{path}");
    }
    let changed = folder.path().join("cardiac_seg-0.2.0/card.md");
    std::fs::write(changed, "another card").unwrap();
    assert_eq!(api.get("/api/models/cardiac_seg/download").unwrap().status, 409);
}

fn pieces_fit(api: &Api, whole: &[u8], sha256: &str) {
    let ask = |name: &str, value: &str| {
        api.send("GET", "/api/models/cardiac_seg/download", &[(name, value)], None).unwrap()
    };
    let known = ask("If-None-Match", &format!("\"x\", \"{sha256}\""));
    assert!(known.status == 304 && known.body.is_empty());
    let middle = ask("Range", "bytes=1000-700000");
    assert_eq!(middle.status, 206);
    assert!(middle.body == whole[1000..=700_000], "another piece");
    assert_eq!(middle.header("content-range").unwrap(), format!("bytes 1000-700000/{}", whole.len()));
    let rest = ask("Range", "bytes=700001-");
    assert!([&whole[..1000], &middle.body, &rest.body].concat() == whole, "the pieces are not the whole");
    let behind = ask("Range", &format!("bytes={}-", whole.len()));
    assert_eq!(
        (behind.status, behind.header("content-range").unwrap()),
        (416, format!("bytes */{}", whole.len()).as_str())
    );
}
