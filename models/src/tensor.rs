//! What goes into a network and comes out: a shape and values in row-major order.

/// Values of one element type.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    F32(Vec<f32>),
    I64(Vec<i64>),
}

/// Invariant: the shape's product is the number of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    values: Values,
}

/// The shape does not hold that many values.
#[derive(Debug, thiserror::Error)]
#[error("a tensor of shape {shape:?} does not hold {values} values")]
pub struct WrongCount {
    shape: Vec<usize>,
    values: usize,
}

impl Values {
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::I64(values) => values.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// No number is NaN or infinite.
    pub fn all_finite(&self) -> bool {
        match self {
            Self::F32(values) => values.iter().all(|value| value.is_finite()),
            Self::I64(_) => true,
        }
    }
}

impl Tensor {
    pub fn new(shape: Vec<usize>, values: Values) -> Result<Self, WrongCount> {
        let count = shape.iter().try_fold(1_usize, |product, side| product.checked_mul(*side));
        if count != Some(values.len()) {
            return Err(WrongCount { shape, values: values.len() });
        }
        Ok(Self { shape, values })
    }

    /// A tensor of single-precision values.
    pub fn f32(shape: &[usize], values: Vec<f32>) -> Result<Self, WrongCount> {
        Self::new(shape.to_vec(), Values::F32(values))
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The values where they are single precision.
    pub fn as_f32(&self) -> Option<&[f32]> {
        match &self.values {
            Values::F32(values) => Some(values),
            Values::I64(_) => None,
        }
    }

    /// The largest difference of two tensors of one shape and type; `None` where they cannot be compared.
    pub fn difference(&self, other: &Self) -> Option<f64> {
        if self.shape != other.shape {
            return None;
        }
        match (&self.values, &other.values) {
            (Values::F32(a), Values::F32(b)) => {
                let each = a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs()));
                each.reduce(|worst, one| if one.is_nan() || one > worst { one } else { worst }).or(Some(0.0))
            }
            (Values::I64(a), Values::I64(b)) => Some(if a == b { 0.0 } else { f64::INFINITY }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_holds_exactly_its_values() {
        assert!(Tensor::f32(&[2, 3], vec![0.0; 6]).is_ok());
        for shape in [vec![2, 2], vec![usize::MAX, 2], vec![]] {
            assert!(Tensor::f32(&shape, vec![0.0; 6]).is_err(), "{shape:?}");
        }
    }

    #[test]
    fn differences_see_the_worst_value_and_nan() {
        let tensor = |values: &[f32]| Tensor::f32(&[values.len()], values.to_vec()).unwrap();
        assert_eq!(tensor(&[1.0, 2.0]).difference(&tensor(&[1.5, 2.0])), Some(0.5));
        assert!(tensor(&[1.0, f32::NAN]).difference(&tensor(&[1.0, 2.0])).unwrap().is_nan());
        assert_eq!(tensor(&[1.0]).difference(&tensor(&[1.0, 2.0])), None);
    }
}
