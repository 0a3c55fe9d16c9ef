use super::*;

fn example() -> String {
    let manifest = include_str!("../../bundles/cardiac_seg/model.toml");
    manifest.to_owned()
}

fn read(text: &str) -> Result<Manifest, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.toml");
    std::fs::write(&path, text).unwrap();
    Manifest::read(&path).map_err(|error| error.to_string())
}

#[test]
fn our_own_manifest_is_accepted() {
    let manifest = read(&example()).unwrap();
    assert_eq!((manifest.name.as_str(), manifest.task), ("cardiac_seg", Task::Segmentation));
    assert!(manifest.demonstration && manifest.statement.contains("three patients"));
    assert_eq!(manifest.label(1).unwrap().snomed, "87878005");
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let message = read(&example().replace("pixel_mm", "pixel_nm")).unwrap_err();
    assert!(message.contains("pixel_nm") && message.contains("line"), "{message}");
}

#[test]
fn what_cannot_be_right_is_refused_with_its_key() {
    for (from, to, key) in [
        ("opset = 17", "opset = 99", "network.opset"),
        ("file = \"cardiac_seg.onnx\"", "file = \"../cardiac_seg.onnx\"", "network.file"),
        ("tolerance = 1e-3", "tolerance = 0.0", "golden.tolerance"),
        ("overlap = 0.5", "overlap = 1.0", "images.overlap"),
        ("patch = [208, 208]", "patch = [208, 0]", "images.patch"),
        ("percentiles = [0.5, 99.5]", "percentiles = [99.5, 0.5]", "images.intensity"),
        ("class = 2", "class = 3", "labels"),
        ("snomed = \"87878005\"", "snomed = \"LV\"", "labels"),
        ("licence = \"CC0-1.0\"", "licence = \" \"", "licence"),
        ("version = \"0.1.0\"", "version = \"../0\"", "version"),
        ("task = \"segmentation\"", "task = \"detection\"", "task"),
    ] {
        let text = example().replace(from, to);
        assert_ne!(text, example(), "our manifest has no {from}");
        let message = read(&text).unwrap_err();
        assert!(message.contains(key), "{message} does not name {key}");
    }
}
