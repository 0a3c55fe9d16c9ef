//! Independent of the product: matrices, a singular value decomposition by Jacobi's rotations, and double precision.

use sidelight_kernels::perfusion::Method;

use super::{Row, run};

/// Residue around the circle by truncated (or, with `lambda`, filtered) SVD of the block-circulant matrix.
fn residue_by_svd(artery: &[f64], tissue: &[f64], step_s: f64, filter: impl Fn(f64) -> f64) -> Vec<f64> {
    let length = 2 * artery.len();
    let padded = |curve: &[f64], at: usize| curve.get(at).copied().unwrap_or(0.0);
    let matrix: Vec<Vec<f64>> = (0..length)
        .map(|row| {
            (0..length).map(|column| step_s * padded(artery, (row + length - column) % length)).collect()
        })
        .collect();
    let (u, singular, v) = svd(&matrix);
    let largest = singular.iter().copied().fold(0.0, f64::max);
    let mut residue = vec![0.0; length];
    for (component, &value) in singular.iter().enumerate() {
        let weight = filter(value / largest);
        if weight == 0.0 {
            continue;
        }
        let along: f64 = (0..length).map(|row| u[row][component] * padded(tissue, row)).sum();
        for (at, entry) in residue.iter_mut().enumerate() {
            *entry += weight / value * along * v[at][component];
        }
    }
    residue
}

/// One-sided Jacobi: columns of `U S`, their lengths, and `V`.
fn svd(matrix: &[Vec<f64>]) -> (Vec<Vec<f64>>, Vec<f64>, Vec<Vec<f64>>) {
    let n = matrix.len();
    let mut u: Vec<Vec<f64>> = matrix.to_vec();
    let mut v: Vec<Vec<f64>> =
        (0..n).map(|row| (0..n).map(|column| f64::from(u8::from(row == column))).collect()).collect();
    for _ in 0..60 {
        let mut off = 0.0_f64;
        for p in 0..n {
            for q in p + 1..n {
                let sum = |f: &dyn Fn(&Vec<f64>) -> f64| u.iter().map(f).sum::<f64>();
                let (a, b) = (sum(&|row| row[p] * row[p]), sum(&|row| row[q] * row[q]));
                let c = sum(&|row| row[p] * row[q]);
                if c.abs() <= 1e-15 * (a * b).sqrt() {
                    continue;
                }
                off = off.max(c.abs() / (a * b).sqrt());
                let zeta = (b - a) / (2.0 * c);
                let t = zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
                let cosine = 1.0 / (1.0 + t * t).sqrt();
                let sine = cosine * t;
                for rows in [&mut u, &mut v] {
                    for row in rows.iter_mut() {
                        (row[p], row[q]) = (cosine * row[p] - sine * row[q], sine * row[p] + cosine * row[q]);
                    }
                }
            }
        }
        if off < 1e-13 {
            break;
        }
    }
    let singular: Vec<f64> =
        (0..n).map(|column| u.iter().map(|row| row[column] * row[column]).sum::<f64>().sqrt()).collect();
    for row in &mut u {
        for (value, length) in row.iter_mut().zip(&singular) {
            *value /= length.max(1e-300);
        }
    }
    (u, singular, v)
}

/// The curves as the product sees them: whole Hounsfield units over the mean of the frames before the bolus.
fn enhancement(curve: &[f64]) -> Vec<f64> {
    curve.iter().map(|value| (30.0 + value).round() - 30.0).collect()
}

/// The largest of the residue around the circle, and where, by a parabola.
fn peak(residue: &[f64], samples: usize) -> (f64, f64) {
    let at = (0..residue.len()).max_by(|&a, &b| residue[a].total_cmp(&residue[b])).unwrap();
    let near = |step: usize| residue[(at + step) % residue.len()];
    let (before, after) = (near(residue.len() - 1), near(1));
    let offset = 0.5 * (before - after) / (before - 2.0 * residue[at] + after);
    let around = if at >= samples { residue.len() as f64 } else { 0.0 };
    (residue[at] - 0.25 * (before - after) * offset, at as f64 - around + offset)
}

fn assert_like_svd(method: Method, filter: impl Fn(f64) -> f64 + Copy) {
    let samples = 40;
    let row = Row::of_tissue(
        samples,
        1.0,
        &[(0.04, 4.0, 0.0), (0.03, 7.0, 2.5), (0.05, 12.0, 5.0), (0.02, 3.0, -2.0)],
    );
    let maps = run(&row.dynamic(), &row.parameters(method)).maps;
    let artery = enhancement(&row.curves[0]);
    for (voxel, curve) in (1..5).zip(&row.curves[1..]) {
        let tissue = enhancement(curve);
        let (height, at) = peak(&residue_by_svd(&artery, &tissue, 1.0, filter), samples);
        let cbf = f64::from(maps.cbf[voxel]);
        assert!(
            (cbf / (6000.0 * height) - 1.0).abs() < 2e-4,
            "{method:?}: CBF {cbf}, by SVD {}",
            6000.0 * height
        );
        assert!(
            (f64::from(maps.tmax[voxel]) - at).abs() < 5e-3,
            "{method:?}: Tmax {}, by SVD {at}",
            maps.tmax[voxel]
        );
        let cbv = 100.0 * tissue.iter().sum::<f64>() / artery.iter().sum::<f64>();
        assert!((f64::from(maps.cbv[voxel]) - cbv).abs() < 1e-3 * cbv, "CBV {} {cbv}", maps.cbv[voxel]);
    }
}

#[test]
fn truncation_in_fourier_space_is_truncated_svd() {
    assert_like_svd(Method::Csvd { cut: 0.1 }, |share| f64::from(u8::from(share >= 0.1)));
    assert_like_svd(Method::Csvd { cut: 0.03 }, |share| f64::from(u8::from(share >= 0.03)));
}

#[test]
fn tikhonov_in_fourier_space_is_filtered_svd() {
    assert_like_svd(Method::Tikhonov { lambda: 0.1 }, |share| share * share / (share * share + 0.01));
}

/// Residue by the definition: components by falling singular value for as long as the index stays within the limit.
fn residue_by_oscillation(artery: &[f64], tissue: &[f64], most: f64) -> Vec<f64> {
    let length = 2 * artery.len();
    let transform = |curve: &[f64], frequency: usize| {
        let omega = std::f64::consts::TAU * frequency as f64 / length as f64;
        let terms = curve.iter().enumerate().map(|(n, value)| (value, omega * n as f64));
        terms
            .fold((0.0, 0.0), |(re, im), (value, angle)| (re + value * angle.cos(), im - value * angle.sin()))
    };
    let spectrum: Vec<(f64, f64)> = (0..=length / 2).map(|frequency| transform(artery, frequency)).collect();
    let weight = |frequency: usize| spectrum[frequency].0.hypot(spectrum[frequency].1);
    let mut order: Vec<usize> = (0..=length / 2).collect();
    order.sort_by(|&a, &b| weight(b).total_cmp(&weight(a)));
    let floor = 0.01 * weight(order[0]);
    order.retain(|&frequency| weight(frequency) >= floor);
    let mut residue = vec![0.0; length];
    for (count, &frequency) in order.iter().enumerate() {
        let ((a, b), (c, d)) = (transform(tissue, frequency), spectrum[frequency]);
        let square = c * c + d * d;
        let (re, im) = ((a * c + b * d) / square, (b * c - a * d) / square);
        let pair = if frequency == 0 || frequency == length / 2 { 1.0 } else { 2.0 };
        let omega = std::f64::consts::TAU * frequency as f64 / length as f64;
        let wave =
            |n: usize| pair / length as f64 * (re * (omega * n as f64).cos() - im * (omega * n as f64).sin());
        let next: Vec<f64> = residue.iter().enumerate().map(|(n, value)| value + wave(n)).collect();
        let bend = |n: usize| next[(n + length - 1) % length] - 2.0 * next[n] + next[(n + 1) % length];
        let sum: f64 = (0..length).map(|n| bend(n).abs()).sum();
        let highest = next.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if count >= 2 && sum / length as f64 > most * highest {
            break;
        }
        residue = next;
    }
    residue
}

#[test]
fn the_oscillation_index_cuts_each_voxel_where_the_definition_does() {
    let samples = 45;
    let tissue = [(0.04, 4.0, 0.0), (0.03, 7.0, 2.5), (0.05, 12.0, 5.0), (0.02, 3.0, -2.0), (0.01, 2.0, 8.0)];
    let row = Row::of_tissue(samples, 1.0, &tissue);
    let artery = enhancement(&row.curves[0]);
    for oscillation_max in [0.02, 0.035, 0.065, 0.1] {
        let maps = run(&row.dynamic(), &row.parameters(Method::Osvd { oscillation_max })).maps;
        for (voxel, curve) in (1..6).zip(&row.curves[1..]) {
            let residue = residue_by_oscillation(&artery, &enhancement(curve), oscillation_max);
            let (height, at) = peak(&residue, samples);
            let (cbf, tmax) = (f64::from(maps.cbf[voxel]), f64::from(maps.tmax[voxel]));
            assert!(
                (cbf / (6000.0 * height) - 1.0).abs() < 1e-3,
                "{oscillation_max}: {cbf}, oracle {}",
                6000.0 * height
            );
            assert!((tmax - at).abs() < 0.02, "{oscillation_max}: Tmax {tmax}, oracle {at}");
        }
    }
}
