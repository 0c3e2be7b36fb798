//! Smooth random fields over the volume: folds of the sheet, spatially correlated noise.

/// Value noise in about −1..1 with features of about one unit; the same seed gives the same field.
pub fn smooth_field(p: [f64; 3], seed: u64) -> f64 {
    let cell = p.map(f64::floor);
    let t: [f64; 3] = std::array::from_fn(|axis| {
        let t = p[axis] - cell[axis];
        // Slope 0 at the lattice points, so that the field has no creases there.
        t * t * (3.0 - 2.0 * t)
    });
    let mut sum = 0.0;
    for corner in 0..8_u32 {
        let bit = |axis: usize| (corner >> axis) & 1;
        let weight: f64 = (0..3).map(|axis| if bit(axis) == 1 { t[axis] } else { 1.0 - t[axis] }).product();
        let at: [i64; 3] = std::array::from_fn(|axis| cell[axis] as i64 + i64::from(bit(axis)));
        sum += weight * lattice(at, seed);
    }
    sum
}

/// Hash of a lattice point as a number in −1..1 (finaliser of SplitMix64).
fn lattice(at: [i64; 3], seed: u64) -> f64 {
    let mut hash = seed;
    for coordinate in at {
        // Mixed after every axis: neighbours on the lattice get unrelated numbers.
        hash = (hash ^ coordinate as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^= hash >> 31;
    }
    hash as f64 / (u64::MAX as f64 / 2.0) - 1.0
}
