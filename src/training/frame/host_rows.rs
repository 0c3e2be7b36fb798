//! Rows that lie on the host → one batch on the device.

use burn::tensor::{Tensor, TensorData, backend::Backend};
use ndarray::ArrayView1;

/// The rows in order, `[rows, width]`; each must be `width` long.
pub fn gather<'v, B: Backend>(
    width: usize,
    rows: impl Iterator<Item = ArrayView1<'v, f32>>,
    device: &B::Device,
) -> Tensor<B, 2> {
    let mut values: Vec<f32> = Vec::with_capacity(rows.size_hint().0.saturating_mul(width));
    for row in rows {
        match row.as_slice() {
            Some(row) => values.extend_from_slice(row),
            None => values.extend(row.iter()),
        }
    }
    let count = values.len() / width.max(1);
    Tensor::from_data(TensorData::new(values, [count, width]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use ndarray::array;

    #[test]
    fn rows_are_taken_in_the_order_asked_for_whatever_their_layout() {
        let rows = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
        let batch: Tensor<Base, 2> = gather(2, [2, 0].into_iter().map(|row| rows.row(row)), &cpu());
        assert_eq!(batch.dims(), [2, 2]);
        assert_eq!(batch.into_data().to_vec::<f32>().unwrap(), [5.0, 6.0, 1.0, 2.0]);
        let columns: Tensor<Base, 2> = gather(3, rows.columns().into_iter(), &cpu());
        assert_eq!(columns.into_data().to_vec::<f32>().unwrap(), [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
    }
}
