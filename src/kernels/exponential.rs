//! The exponential function in arithmetic that vectorises, accurate to about one unit in the last place.

/// `eˣ`; 0 from −87.3 down, at most `e⁸⁸`; what is not a number stays so.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // x = n·ln 2 + r with |r| ≤ ln 2 / 2; ln 2 in two parts, the first exact for every n.
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2²³: adding it leaves the nearest integer in the low bits
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Compared this way round, NaN is never replaced by a bound: it must reach the result, or a broken network would
    // answer with plausible attention weights.
    let bounded = if x > 88.0 { 88.0 } else { x };
    let bounded = if bounded < -87.3 { -87.3 } else { bounded };
    // Beyond 2²³ neighbouring numbers are 1 apart: adding rounds to the nearest integer without an instruction of its
    // own, and the integer can be read from the bits below.
    let shifted = bounded * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = bounded - n * LN_2_HIGH - n * LN_2_LOW;
    // Taylor to the seventh power: the rest is below 6e-9.
    let mut p = 1.0 / 5040.0;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + coefficient;
    }
    // The exponent field of a number begins at bit 23 and is biased by 127. The high bits of `ROUND` are shifted out.
    let power_of_two = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    if x <= -87.3 { 0.0 } else { p * power_of_two }
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_exponential() {
        for step in -87_000..88_000 {
            let x = step as f32 / 1000.0;
            let (actual, expected) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((actual / expected - 1.0).abs() < 2e-7, "{x}: {actual} {expected}");
        }
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::INFINITY) > 1e38);
        assert_eq!(logistic(-200.0) + logistic(200.0), 1.0);
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        assert!(exp(f32::NAN).is_nan());
        assert!(logistic(f32::NAN).is_nan());
    }
}
