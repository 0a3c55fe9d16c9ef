//! Where a picture is looked at from, in patient millimetres (x to the left, y to the back, z to the head).

use super::RenderError;

/// How rays leave the camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lens {
    /// Parallel rays; the picture is so many millimetres high.
    Orthographic { height_mm: f64 },
    /// Rays from the camera's position; the picture spans this angle from top to bottom.
    Perspective { field_of_view_deg: f64 },
}

/// The viewpoint of PS3.18 section 8.3.5.3: position, look-at and up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    pub position_mm: [f64; 3],
    pub look_at_mm: [f64; 3],
    pub up: [f64; 3],
    pub lens: Lens,
}

/// Rays of a picture in patient millimetres: the ray of pixel (x, y) starts at
/// `origin + x * origin_right + y * origin_down` and goes along `toward + x * toward_right + y * toward_down`
/// (not of unit length). Pixel (0, 0) is the upper left one; its centre is meant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rays {
    pub(crate) origin: [f64; 3],
    pub(crate) origin_right: [f64; 3],
    pub(crate) origin_down: [f64; 3],
    pub(crate) toward: [f64; 3],
    pub(crate) toward_right: [f64; 3],
    pub(crate) toward_down: [f64; 3],
    /// Unit vectors of the picture: to the right, to the bottom, into it.
    pub(crate) axes: [[f64; 3]; 3],
}

impl Camera {
    /// Looks along `direction` at `center_mm` from far enough outside a ball of `radius_mm` around it, which it
    /// shows whole, through parallel rays.
    pub fn outside(center_mm: [f64; 3], radius_mm: f64, direction: [f64; 3], up: [f64; 3]) -> Self {
        let back = scale(direction, -2.0 * radius_mm / length(direction));
        Self {
            position_mm: add(center_mm, back),
            look_at_mm: center_mm,
            up,
            lens: Lens::Orthographic { height_mm: 2.0 * radius_mm },
        }
    }

    /// Rays for a picture of so many pixels, or what is wrong with the camera.
    pub(crate) fn rays(&self, width: u32, height: u32) -> Result<Rays, RenderError> {
        let axes = self.axes()?;
        let [right, down, into] = axes;
        let (half_width, half_height) = (f64::from(width - 1) / 2.0, f64::from(height - 1) / 2.0);
        let corner = |pixel: f64| add(scale(right, -half_width * pixel), scale(down, -half_height * pixel));
        match self.lens {
            Lens::Orthographic { height_mm } if height_mm.is_finite() && height_mm > 0.0 => {
                let pixel_mm = height_mm / f64::from(height);
                Ok(Rays {
                    origin: add(self.position_mm, corner(pixel_mm)),
                    origin_right: scale(right, pixel_mm),
                    origin_down: scale(down, pixel_mm),
                    toward: into,
                    toward_right: [0.0; 3],
                    toward_down: [0.0; 3],
                    axes,
                })
            }
            Lens::Perspective { field_of_view_deg } if (1.0..=170.0).contains(&field_of_view_deg) => {
                let pixel = 2.0 * (field_of_view_deg.to_radians() / 2.0).tan() / f64::from(height);
                Ok(Rays {
                    origin: self.position_mm,
                    origin_right: [0.0; 3],
                    origin_down: [0.0; 3],
                    toward: add(into, corner(pixel)),
                    toward_right: scale(right, pixel),
                    toward_down: scale(down, pixel),
                    axes,
                })
            }
            Lens::Orthographic { .. } => {
                Err(RenderError::View("the picture's height in mm must be above zero"))
            }
            Lens::Perspective { .. } => Err(RenderError::View("the field of view must be 1 to 170 degrees")),
        }
    }

    /// Unit vectors to the right, to the bottom and into the picture.
    pub fn axes(&self) -> Result<[[f64; 3]; 3], RenderError> {
        let numbers = [self.position_mm, self.look_at_mm, self.up];
        if !numbers.iter().flatten().all(|number| number.is_finite() && number.abs() < 1e6) {
            return Err(RenderError::View("the viewpoint must be of finite numbers"));
        }
        let into = subtract(self.look_at_mm, self.position_mm);
        let right = cross(into, self.up);
        // Far below any real angle between the line of sight and up: a ten-thousandth of a radian.
        if length(right) <= 1e-4 * length(into) * length(self.up) || length(into) == 0.0 {
            return Err(RenderError::View("the viewpoint looks along its own up direction, or nowhere"));
        }
        let (into, right) = (unit(into), unit(right));
        Ok([right, cross(into, right), into])
    }
}

pub(crate) fn add(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

pub(crate) fn subtract(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(crate) fn scale(a: [f64; 3], factor: f64) -> [f64; 3] {
    a.map(|value| value * factor)
}

pub(crate) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(crate) fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub(crate) fn length(a: [f64; 3]) -> f64 {
    dot(a, a).sqrt()
}

pub(crate) fn unit(a: [f64; 3]) -> [f64; 3] {
    scale(a, 1.0 / length(a))
}
