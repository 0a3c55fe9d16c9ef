//! The digital reference object of OSIPI (DSC): fourteen curves of known flow and volume, k_H = rho = 1, CNR 200.
//!
//! OSIPI's own tolerances would pass a program that returns 0; these would not.

use std::path::PathBuf;

use sidelight_kernels::perfusion::Method;

use super::{Row, run};

struct Reference {
    tissue: Vec<f64>,
    artery: Vec<f64>,
    cbv: f64,
    cbf: f64,
    step_s: f64,
}

/// `None`, with the reason printed, where the data is absent.
#[expect(clippy::print_stdout, reason = "a test that did not run says so")]
fn references() -> Option<Vec<Reference>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/perfusion/dsc_data.csv");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not there", path.display());
        return None;
    };
    let numbers = |field: &str| field.split_whitespace().map(|number| number.parse().unwrap()).collect();
    let reference = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let [_, tissue, artery, cbv, cbf, step_s] = fields[..] else { panic!("six columns, not {line}") };
        Reference {
            tissue: numbers(tissue),
            artery: numbers(artery),
            cbv: cbv.trim().parse().unwrap(),
            cbf: cbf.trim().parse().unwrap(),
            step_s: step_s.trim().parse().unwrap(),
        }
    };
    let references: Vec<Reference> =
        text.lines().skip(1).filter(|line| !line.is_empty()).map(reference).collect();
    assert_eq!(references.len(), 14);
    Some(references)
}

/// (CBF, CBV). With `later`, the tissue comes so many samples later and is silent before.
fn measured(reference: &Reference, method: Method, later: Option<isize>) -> (f64, f64) {
    // Concentrations become Hounsfield units in which rounding is a tenth of the noise.
    let scale = 2000.0 / reference.artery.iter().copied().fold(0.0, f64::max);
    let hounsfield = |curve: &[f64]| curve.iter().map(|value| value * scale).collect::<Vec<f64>>();
    let mut tissue = hounsfield(&reference.tissue);
    if let Some(later) = later {
        // The bolus arrives with sample 17. Which noise the baseline sees is not what a shift asks.
        let before = tissue[..17].iter().sum::<f64>() / 17.0;
        tissue[..17].fill(before);
        let samples = tissue.len();
        tissue.rotate_right(later.rem_euclid(samples as isize) as usize);
    }
    let artery = hounsfield(&reference.artery);
    let row = Row { step_s: reference.step_s, curves: vec![artery.clone(), tissue, artery] };
    let mut parameters = row.parameters(method);
    parameters.smooth_artery = true;
    let maps = run(&row.dynamic(), &parameters).maps;
    (f64::from(maps.cbf[1]), f64::from(maps.cbv[1]))
}

#[test]
fn osvd_finds_flow_and_volume_of_the_reference_object_real_data() {
    let Some(references) = references() else { return };
    let mut errors = Vec::new();
    for reference in &references {
        let (cbf, cbv) = measured(reference, Method::OSVD, None);
        println!("true {:5.1} {:3.1}, found {cbf:6.2} {cbv:5.2}", reference.cbf, reference.cbv);
        assert!((cbv - reference.cbv).abs() <= 0.8, "CBV {cbv}, true {}", reference.cbv);
        errors.push((cbf - reference.cbf).abs());
    }
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    let most = errors.iter().copied().fold(0.0, f64::max);
    println!("CBF: mean absolute error {mean:.2}, largest {most:.2} mL/100 g/min");
    assert!(mean <= 4.0 && most <= 14.0, "mean {mean}, largest {most}");
}

#[test]
fn csvd_does_not_care_about_delay_on_the_reference_object_real_data() {
    let Some(references) = references() else { return };
    for reference in &references {
        let (expected, _) = measured(reference, Method::CSVD, Some(0));
        for later in [-3, 3] {
            let (cbf, _) = measured(reference, Method::CSVD, Some(later));
            assert!((cbf / expected - 1.0).abs() <= 0.02, "{later} samples: {cbf}, unmoved {expected}");
        }
    }
}
