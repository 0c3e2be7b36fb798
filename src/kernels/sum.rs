//! Sums of many numbers.

/// Sum of `map(x)` in 32 partial sums: what lets it vectorise, and more accurate than one.
#[inline(always)]
pub fn sum(x: &[f32], map: impl Fn(f32) -> f32) -> f32 {
    let (blocks, rest) = x.as_chunks::<32>();
    let mut sums = [0.0; 32];
    for block in blocks {
        for (sum, x) in sums.iter_mut().zip(block) {
            *sum += map(*x);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|x| map(*x)).sum::<f32>()
}
