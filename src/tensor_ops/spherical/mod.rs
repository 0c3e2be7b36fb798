//! Spherical interpolation: along the great circle between two directions.

/// Vectors closer together than this, as an angle in radians, are joined by a straight line: the quotient of sines has no digits
/// there, and the two ways agree to its square.
const NEARLY_PARALLEL: f64 = 1e-6;

/// The vector at `share` of the way from `from` to `to`: its direction on the great circle between the two at an even pace, its norm
/// between theirs in proportion. Of unit vectors every step is of unit norm. The ends are returned as they are. Of opposite vectors
/// every great circle is a shortest one: that through the axis which they least point along is taken. From or to a vector of
/// zeros the line is straight.
///
/// # Shapes
/// - from, to, output: as long as the shorter of the two; share: 0..1
pub fn slerp(from: &[f32], to: &[f32], share: f64) -> Vec<f32> {
    if share <= 0.0 {
        return from.to_vec();
    }
    if share >= 1.0 {
        return to.to_vec();
    }
    let [a, b] = [from, to].map(|vector| vector.iter().copied().map(f64::from).collect::<Vec<f64>>());
    let [norm_a, norm_b] = [norm(&a), norm(&b)];
    let blend = |a: &[f64], weight_a: f64, b: &[f64], weight_b: f64| -> Vec<f32> {
        a.iter().zip(b).map(|(a, b)| (weight_a * a + weight_b * b) as f32).collect()
    };
    if norm_a == 0.0 || norm_b == 0.0 {
        return blend(&a, 1.0 - share, &b, share);
    }
    let length = (1.0 - share) * norm_a + share * norm_b;
    let a: Vec<f64> = a.iter().map(|value| value / norm_a).collect();
    let b: Vec<f64> = b.iter().map(|value| value / norm_b).collect();
    let angle = angle_between(&a, &b);
    if angle < NEARLY_PARALLEL {
        return blend(&a, (1.0 - share) * length, &b, share * length);
    }
    if std::f64::consts::PI - angle < NEARLY_PARALLEL {
        let turn = share * std::f64::consts::PI;
        return blend(&a, turn.cos() * length, &perpendicular(&a), turn.sin() * length);
    }
    let weight = |part: f64| (part * angle).sin() / angle.sin() * length;
    blend(&a, weight(1.0 - share), &b, weight(share))
}

/// The angle between two vectors of unit norm in radians, 0..π. Unlike the arc cosine of their product it has all its digits where
/// the two are nearly parallel (Kahan).
pub fn angle_between(a: &[f64], b: &[f64]) -> f64 {
    let distance = |sign: f64| a.iter().zip(b).map(|(a, b)| (a - sign * b).powi(2)).sum::<f64>().sqrt();
    2.0 * distance(1.0).atan2(distance(-1.0))
}

/// A unit vector at a right angle to a unit vector: the axis that it least points along, without its part along the vector.
fn perpendicular(a: &[f64]) -> Vec<f64> {
    let least = a.iter().enumerate().min_by(|(_, one), (_, other)| one.abs().total_cmp(&other.abs()));
    let (axis, along) = least.map_or((0, 0.0), |(axis, value)| (axis, *value));
    let part = |(place, value): (usize, &f64)| f64::from(u8::from(place == axis)) - along * value;
    let rest: Vec<f64> = a.iter().enumerate().map(part).collect();
    let size = norm(&rest).max(f64::MIN_POSITIVE);
    rest.into_iter().map(|value| value / size).collect()
}

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|value| value * value).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(found: &[f32], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        let is_near = |(a, b): (&f32, &f64)| (f64::from(*a) - b).abs() < 1e-6;
        assert!(found.iter().zip(expected).all(is_near), "{found:?} is not {expected:?}");
    }

    #[test]
    fn a_quarter_circle_by_hand() {
        let (east, north) = ([1.0, 0.0], [0.0, 1.0]);
        let half = std::f64::consts::FRAC_1_SQRT_2;
        assert_near(&slerp(&east, &north, 0.5), &[half, half]);
        // 30 degrees.
        assert_near(&slerp(&east, &north, 1.0 / 3.0), &[0.75_f64.sqrt(), 0.5]);
        assert_eq!(slerp(&east, &north, 0.0), east);
        assert_eq!(slerp(&east, &north, 1.0), north);
        // Norms 2 and 4: 3 in the middle.
        assert_near(&slerp(&[2.0, 0.0], &[0.0, 4.0], 0.5), &[3.0 * half, 3.0 * half]);
    }

    #[test]
    fn every_step_is_of_unit_norm_and_of_the_same_angle() {
        let a: Vec<f32> = [3.0, -1.0, 2.0, 0.5].iter().map(|value| value / 14.25_f32.sqrt()).collect();
        for b in [[-0.5_f32, 0.5, 0.5, 0.5], [-a[0], -a[1], -a[2], -a[3]], [a[0], a[1], a[2], a[3]]] {
            let steps: Vec<Vec<f64>> = (0..=8)
                .map(|step| slerp(&a, &b, f64::from(step) / 8.0).into_iter().map(f64::from).collect())
                .collect();
            assert!(steps.iter().all(|step| (norm(step) - 1.0).abs() < 1e-6), "{b:?}");
            let angles: Vec<f64> = steps.windows(2).map(|two| angle_between(&two[0], &two[1])).collect();
            let whole = angle_between(&steps[0], &steps[8]);
            assert!(angles.iter().all(|angle| (angle - whole / 8.0).abs() < 1e-6), "{b:?}: {angles:?}");
        }
    }

    #[test]
    fn zeros_are_left_in_a_straight_line() {
        assert_near(&slerp(&[0.0, 0.0], &[0.0, 2.0], 0.25), &[0.0, 0.5]);
        assert!(slerp(&[], &[], 0.5).is_empty());
    }
}
