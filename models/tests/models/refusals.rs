//! What a bad bundle gets: words, before it serves anyone, the old version still serving.

use sidelight_models::catalogue::Standing;
use sidelight_models::{Bundle, BundleError, Catalogue, Model};

use crate::bundles::write;
use crate::graph::{Oddity, THRESHOLD};
use crate::runtime;

fn verdict(oddity: Oddity, change: impl FnOnce(String) -> String) -> Result<Model, BundleError> {
    let folder = tempfile::tempdir().unwrap();
    let bundle = write(folder.path(), "1", oddity, change);
    Bundle::open(&bundle)?.verify(&runtime())
}

fn same(manifest: String) -> String {
    manifest
}

#[test]
fn a_network_that_cannot_be_what_it_says_is_refused_with_the_reason() {
    let nan = Oddity { bias: [f32::NAN, 0.0], ..THRESHOLD };
    let other = Oddity { bias: [0.9, 0.0], ..THRESHOLD };
    let future = Oddity { opset: 999, ..THRESHOLD };
    let older = Oddity { opset: 16, ..THRESHOLD };
    let three = |manifest: String| manifest.replace("[-1, 2, -1, -1]", "[-1, 3, -1, -1]");
    let labels = |manifest: String| {
        manifest.replace(
            "meaning = \"Bright\" }]",
            "meaning = \"Bright\" }, { class = 2, name = \"b\", snomed = \"1\", meaning = \"B\" }]",
        )
    };
    let renamed = |manifest: String| manifest.replace("name = \"image\"", "name = \"picture\"");
    let renamed =
        |manifest| renamed(manifest).replace("{ image = \"image.npy\" }", "{ picture = \"image.npy\" }");
    let whole = |manifest: String| {
        manifest.replace("element = \"f32\", shape = [-1, 1", "element = \"i64\", shape = [-1, 1")
    };
    let outcomes: [(&str, Result<Model, BundleError>); 9] = [
        ("numbers", verdict(nan, same)),
        ("golden", verdict(other, same)),
        ("999", verdict(future, same)),
        ("operator set 16", verdict(older, same)),
        ("[-1, 3, -1, -1]", verdict(THRESHOLD, three)),
        ("labels", verdict(THRESHOLD, labels)),
        ("picture", verdict(THRESHOLD, renamed)),
        ("i64", verdict(THRESHOLD, whole)),
        (
            "memory",
            verdict(THRESHOLD, |m| m.replace("memory_max_bytes = 1073741824", "memory_max_bytes = 0")),
        ),
    ];
    for (word, outcome) in outcomes {
        match outcome {
            Ok(model) => {
                assert_eq!((word, model.memory_bytes()), ("memory", 0), "accepted instead of: {word}");
            }
            Err(error) => assert!(error.to_string().contains(word), "{error} does not say {word}"),
        }
    }
}

#[test]
fn what_was_cut_off_or_is_another_file_is_refused_by_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = write(folder.path(), "1", THRESHOLD, same);
    let file = bundle.join("threshold.onnx");
    let whole = std::fs::read(&file).unwrap();
    let mut foreign = whole.clone();
    foreign[40] ^= 1;
    for bytes in [&whole[..whole.len() / 2], &foreign, &[]] {
        std::fs::write(&file, bytes).unwrap();
        let error = Bundle::open(&bundle).unwrap_err();
        assert!(matches!(error, BundleError::Digest { .. }), "{error}");
    }
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(Bundle::open(&bundle).unwrap_err(), BundleError::Read { .. }));
}

#[test]
fn rubbish_with_a_right_digest_is_refused_by_the_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let rubbish = vec![0x0a; 5000];
    let digest = crate::bundles::sha256(&rubbish);
    let whole = crate::bundles::sha256(&crate::graph::network(THRESHOLD));
    let bundle = write(folder.path(), "1", THRESHOLD, |manifest| manifest.replace(&whole, &digest));
    std::fs::write(bundle.join("threshold.onnx"), rubbish).unwrap();
    let error = Bundle::open(&bundle).unwrap().verify(&runtime()).unwrap_err();
    assert!(error.to_string().contains("cannot be loaded"), "{error}");
}

#[test]
fn the_old_version_serves_until_a_new_one_is_accepted() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let first = write(folder.path(), "1", THRESHOLD, same);
    let mut catalogue = Catalogue::open(folder.path(), &runtime).unwrap();
    let version =
        |catalogue: &mut Catalogue| catalogue.model("threshold").unwrap().manifest().version.clone();
    assert_eq!((version(&mut catalogue), first.ends_with("threshold-1")), ("1".to_owned(), true));
    let bad = write(folder.path(), "2", Oddity { bias: [f32::NAN, 0.0], ..THRESHOLD }, same);
    assert!(catalogue.offer(&bad, &runtime).is_err());
    assert_eq!(version(&mut catalogue), "1");
    assert_eq!(catalogue.refusals().len(), 1);
    assert!(catalogue.refusals()[0].reason.contains("numbers"), "{:?}", catalogue.refusals());
    let good = write(folder.path(), "3", THRESHOLD, same);
    catalogue.offer(&good, &runtime).unwrap();
    assert_eq!(version(&mut catalogue), "3");
    // At the next start the same three lie there: the newest that is accepted serves.
    let mut again = Catalogue::open(folder.path(), &runtime).unwrap();
    assert_eq!((version(&mut again), again.refusals().len()), ("3".to_owned(), 1));
}

#[test]
fn the_newest_serves_whatever_the_order_of_names_and_the_one_before_it_stands_by() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    for version in ["9", "10", "10.1-rc.1", "2"] {
        write(folder.path(), version, THRESHOLD, same);
    }
    write(folder.path(), "11", Oddity { opset: 16, ..THRESHOLD }, same);
    let catalogue = Catalogue::open(folder.path(), &runtime).unwrap();
    let versions = catalogue.versions();
    let listed: Vec<_> = versions.iter().map(|one| (one.manifest.version.as_str(), one.standing)).collect();
    let superseded = Standing::Superseded;
    let expected =
        [("10.1-rc.1", Standing::Serving), ("10", Standing::Fallback), ("9", superseded), ("2", superseded)];
    assert_eq!(listed, expected);
    assert_eq!(catalogue.serving().next().unwrap().manifest().version, "10.1-rc.1");
    assert!(catalogue.refusals()[0].folder.ends_with("threshold-11"));
}

#[test]
fn one_version_in_two_folders_serves_from_the_first() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let first = write(folder.path(), "1", THRESHOLD, same);
    let plain = folder.path().join("threshold");
    std::fs::create_dir(&plain).unwrap();
    for entry in std::fs::read_dir(first).unwrap().flatten() {
        std::fs::copy(entry.path(), plain.join(entry.file_name())).unwrap();
    }
    let catalogue = Catalogue::open(folder.path(), &runtime).unwrap();
    assert_eq!(catalogue.serving().count(), 1);
    assert!(catalogue.refusals()[0].reason.contains("already"), "{:?}", catalogue.refusals());
}
