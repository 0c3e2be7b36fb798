//! Whether the values of a snapshot are, bit for bit, the values that the library meant.

use std::path::Path;

use safetensors::SafeTensors;

use crate::made::Made;

/// All values of a file as sorted bits: names and orientation are checked by the networks' outputs.
fn sorted_bits(path: &Path) -> Vec<u32> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut bits: Vec<u32> = file
        .tensors()
        .iter()
        .flat_map(|(name, view)| {
            assert_eq!(view.dtype(), safetensors::Dtype::F32, "{name}");
            view.data().as_chunks().0.iter().map(|&b| u32::from_le_bytes(b)).collect::<Vec<_>>()
        })
        .collect();
    bits.sort_unstable();
    bits
}

/// Fails unless the snapshot holds exactly the values of `NAME.expected.safetensors`.
pub fn assert_arrived(made: &Made, network: &str, snapshot: &Path) {
    let expected = sorted_bits(&made.path(&format!("{network}.expected.safetensors")));
    let found = sorted_bits(snapshot);
    assert_eq!(found.len(), expected.len(), "{network}: number of values");
    assert!(found == expected, "{network}: the values differ");
}
