//! One ray a pixel, one sample a step, nothing leapt over, nothing ended early, in double precision.

use sidelight_kernels::Volume;
use sidelight_kernels::rendering::{Image, Lens, Projection, Style, TransferFunction, View, Window};

type Vector = [f64; 3];

fn along(origin: Vector, direction: Vector, distance: f64) -> Vector {
    [0, 1, 2].map(|axis| origin[axis] + distance * direction[axis])
}

fn dot(a: Vector, b: Vector) -> f64 {
    (0..3).map(|axis| a[axis] * b[axis]).sum()
}

/// What the view shows. Only volumes along the patient's axes; shading and jitter are not followed here.
pub(crate) fn picture(volume: &Volume, view: &View) -> Image {
    let [right, down, into] = view.camera.axes().unwrap();
    let mut rgba = Vec::new();
    for y in 0..view.height {
        for x in 0..view.width {
            let (x, y) = (
                f64::from(x) + 0.5 - f64::from(view.width) / 2.0,
                f64::from(y) + 0.5 - f64::from(view.height) / 2.0,
            );
            let (origin, direction) = match view.camera.lens {
                Lens::Orthographic { height_mm } => {
                    let pixel = height_mm / f64::from(view.height);
                    (along(along(view.camera.position_mm, right, x * pixel), down, y * pixel), into)
                }
                Lens::Perspective { field_of_view_deg } => {
                    let pixel = 2.0 * (field_of_view_deg.to_radians() / 2.0).tan() / f64::from(view.height);
                    let toward = along(along(into, right, x * pixel), down, y * pixel);
                    let size = dot(toward, toward).sqrt();
                    (view.camera.position_mm, toward.map(|part| part / size))
                }
            };
            rgba.push(pixel(volume, view, origin, direction));
        }
    }
    Image { width: view.width, height: view.height, rgba }
}

fn pixel(volume: &Volume, view: &View, origin: Vector, direction: Vector) -> [u8; 4] {
    let Some((start, end)) = interval(volume, view, origin, direction) else { return [0; 4] };
    let geometry = volume.geometry();
    let spacing = [geometry.column_spacing_mm, geometry.row_spacing_mm, geometry.slice_increment_mm];
    let step_mm = view.step_mm.unwrap_or(spacing.into_iter().fold(f64::MAX, f64::min));
    let mut samples = Vec::new();
    let mut step = 0.0;
    while start + step * step_mm < end {
        let part = ((end - start - step * step_mm) / step_mm).min(1.0);
        let at = along(origin, direction, (start + (step + 0.5) * step_mm).min(end));
        samples.push((value(volume, at), part));
        step += 1.0;
    }
    match &view.style {
        Style::Volume { transfer, .. } => gathered(transfer, &samples, step_mm),
        Style::Projection { projection, window } => {
            let values = samples.iter().map(|(value, _)| *value);
            let value = match projection {
                Projection::Maximum => values.fold(f64::MIN, f64::max),
                Projection::Minimum => values.fold(f64::MAX, f64::min),
                Projection::Average => {
                    let parts: f64 = samples.iter().map(|(_, part)| part).sum();
                    samples.iter().map(|(value, part)| value * part).sum::<f64>() / parts
                }
            };
            let Window { center, width } = *window;
            let level = ((value - center + width / 2.0) / width * 255.0).clamp(0.0, 255.0).round() as u8;
            [level, level, level, 255]
        }
    }
}

fn gathered(transfer: &TransferFunction, samples: &[(f64, f64)], step_mm: f64) -> [u8; 4] {
    let mut light = 1.0;
    let mut colour = [0.0; 3];
    for (value, part) in samples {
        let (own, per_mm) = look(transfer, *value);
        let through = (1.0 - per_mm).powf(part * step_mm);
        for channel in 0..3 {
            colour[channel] += light * (1.0 - through) * own[channel];
        }
        light *= through;
    }
    let level = |part: f64| (part * 255.0).round() as u8;
    [level(colour[0]), level(colour[1]), level(colour[2]), level(1.0 - light)]
}

fn look(transfer: &TransferFunction, value: f64) -> (Vector, f64) {
    let points = transfer.points();
    let clamped = value.clamp(points[0].value.into(), points[points.len() - 1].value.into());
    for pair in points.windows(2) {
        let (a, b) = (f64::from(pair[0].value), f64::from(pair[1].value));
        if clamped <= b {
            let part = (clamped - a) / (b - a);
            let mix = |a: f32, b: f32| f64::from(a) + (f64::from(b) - f64::from(a)) * part;
            let colour = [0, 1, 2].map(|channel| mix(pair[0].colour[channel], pair[1].colour[channel]));
            return (colour, mix(pair[0].opacity_per_mm, pair[1].opacity_per_mm));
        }
    }
    unreachable!("the value was clamped")
}

/// Distances at which the ray is in the volume and in what the clipping leaves of it.
fn interval(volume: &Volume, view: &View, origin: Vector, direction: Vector) -> Option<(f64, f64)> {
    let size = volume.dimensions();
    let counts = [size.columns, size.rows, size.slices].map(f64::from);
    let shown = view.clip.box_voxels.unwrap_or(counts.map(|count| [0.0, count]));
    let ortho = matches!(view.camera.lens, Lens::Orthographic { .. });
    let (mut start, mut end) = (if ortho { -1e6 } else { 0.0 }, 1e6);
    let mut half_space = |normal: Vector, point: Vector| {
        // Inside where normal . (p - point) >= 0.
        let (rise, lack) = (dot(normal, direction), dot(normal, point) - dot(normal, origin));
        if rise > 0.0 {
            start = f64::max(start, lack / rise);
        } else if rise < 0.0 {
            end = f64::min(end, lack / rise);
        } else if lack > 0.0 {
            end = f64::MIN;
        }
    };
    for axis in 0..3 {
        let mut normal = [0.0; 3];
        normal[axis] = 1.0;
        let corner =
            |edge: usize| volume.geometry().patient_mm([0, 1, 2].map(|a: usize| shown[a][edge] - 0.5));
        half_space(normal, corner(0));
        half_space(normal.map(|part| -part), corner(1));
    }
    if let Some(plane) = view.clip.plane {
        half_space(plane.normal, plane.point_mm);
    }
    (end > start).then_some((start, end))
}

/// Trilinear between voxel centres, the outermost ones going on.
fn value(volume: &Volume, mm: Vector) -> f64 {
    let (size, matrix) = (volume.dimensions(), &volume.geometry().patient_mm_from_voxel);
    let counts = [size.columns, size.rows, size.slices].map(|count| count as usize);
    let voxel = [0, 1, 2].map(|axis| (mm[axis] - matrix[axis][3]) / matrix[axis][axis]);
    let mut sum = 0.0;
    for corner in 0..8_usize {
        let mut weight = 1.0;
        let index = [0, 1, 2].map(|axis| {
            let part = voxel[axis] - voxel[axis].floor();
            let upper = corner >> axis & 1;
            weight *= if upper == 1 { part } else { 1.0 - part };
            (voxel[axis].floor() + upper as f64).clamp(0.0, (counts[axis] - 1) as f64) as usize
        });
        sum +=
            weight * f64::from(volume.hounsfield()[(index[2] * counts[1] + index[1]) * counts[0] + index[0]]);
    }
    sum
}
