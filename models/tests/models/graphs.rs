//! Optimised graphs from the disk: the same answers, and none where something is another.

use sidelight_models::{Bundle, Provider, Runtime, Tensor};

use crate::{THREADS, root, runtime};

fn cpu() -> Runtime {
    // One library a process: opened as everywhere else.
    drop(runtime());
    Runtime::open(&root().join("target/tools/onnxruntime"), &[Provider::Cpu], THREADS).unwrap()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "figures for people; nothing is asserted of them")]
fn a_second_load_takes_the_graph_from_the_disk_and_answers_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = cpu().keeping_graphs(folder.path());
    for name in ["cardiac_seg", "lesion_det", "mammography_cad"] {
        let bundle = root().join("models/bundles").join(name);
        let load = || {
            let begun = std::time::Instant::now();
            let model = Bundle::open(&bundle).unwrap().verify(&runtime).unwrap();
            (model, begun.elapsed())
        };
        let ((mut first, first_took), (mut second, second_took)) = (load(), load());
        assert!(!first.network().is_from_disk() && second.network().is_from_disk(), "{name}");
        let golden = first.manifest().golden.clone();
        let (input, file) = golden.inputs.iter().next().unwrap();
        let given = sidelight_models::npy::read(&bundle.join(file)).unwrap();
        let ask = |model: &mut sidelight_models::Model| -> Vec<(String, Tensor)> {
            model.network().run(&[(input, &given)]).unwrap()
        };
        let (a, b) = (ask(&mut first), ask(&mut second));
        assert_eq!(a[0].1.difference(&b[0].1), Some(0.0), "{name}");
        let mut stderr = std::io::stderr();
        let _lost = std::io::Write::write_fmt(
            &mut stderr,
            format_args!("{name}: verified in {first_took:.0?} and {second_took:.0?} from the disk\n"),
        );
    }
    // A damaged one is made again.
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }
    let bundle = Bundle::open(&root().join("models/bundles/cardiac_seg")).unwrap();
    assert!(!bundle.clone().verify(&runtime).unwrap().network().is_from_disk());
    assert!(bundle.verify(&runtime).unwrap().network().is_from_disk());
}

#[test]
fn without_a_place_for_graphs_a_network_loads_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a file, no folder");
    std::fs::write(&file, b"").unwrap();
    let runtime = cpu().keeping_graphs(&file);
    let bundle = Bundle::open(&root().join("models/bundles/cardiac_seg")).unwrap();
    assert!(!bundle.verify(&runtime).unwrap().network().is_from_disk());
}
