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
        ("task = \"segmentation\"", "task = \"painting\"", "task"),
        ("task = \"segmentation\"", "task = \"detection\"", "detection"),
    ] {
        let text = example().replace(from, to);
        assert_ne!(text, example(), "our manifest has no {from}");
        let message = read(&text).unwrap_err();
        assert!(message.contains(key), "{message} does not name {key}");
    }
}

#[test]
fn a_detection_names_what_it_reads_and_levels_rise_with_suspicion() {
    let text = include_str!("../../bundles/mammography_cad/model.toml");
    let manifest = read(text).unwrap();
    let detection = manifest.detection.unwrap();
    assert_eq!(detection.levels, [0.30, 0.60, 0.75, 0.90]);
    let levels = [0.1, 0.3, 0.59, 0.6, 0.8, 0.95].map(|suspicion| detection.level(suspicion));
    assert_eq!(levels, [1, 2, 2, 3, 4, 5]);
    for (from, to, key) in [
        ("stride = 4", "stride = 3", "detection.stride"),
        ("block = 4", "block = 0", "detection.reads"),
        ("apart_mm = 5.0", "apart_mm = 0.0", "detection"),
        ("[detection]", "[detection]\nlevels = [0.3, 0.3, 0.7, 0.9]", "detection.levels"),
    ] {
        assert!(text.contains(from), "{from}");
        let message = read(&text.replace(from, to)).unwrap_err();
        assert!(message.contains(key), "{message}");
    }
}

#[test]
fn a_network_for_whole_scans_names_its_slices_and_only_it_turns_them() {
    let block = "pixel_mm = 1.8\ndepth = { slice_mm = 3.0, slices = 32 }";
    let text =
        example().replace("pixel_mm = 1.8", block).replace("orientation = \"any\"", "orientation = \"ras\"");
    let images = read(&text).unwrap().images.unwrap();
    assert_eq!(images.depth, Some(Depth { slice_mm: 3.0, slices: 32 }));
    for (from, to, key) in [
        ("slice_mm = 3.0", "slice_mm = 0.0", "images.depth.slice_mm"),
        ("slices = 32", "slices = 0", "images.depth.slices"),
        ("slices = 32", "slices = 4096", "images.depth.slices"),
        ("depth = { slice_mm = 3.0, slices = 32 }", "", "images.orientation"),
    ] {
        let message = read(&text.replace(from, to)).unwrap_err();
        assert!(message.contains(key), "{message} does not name {key}");
    }
}
