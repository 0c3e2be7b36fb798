//! The control: random regions of as many voxels as a region has, none of them in it.

use rand::seq::SliceRandom;

use crate::tensor_ops::random::keyed_rng;

/// `count` random regions of as many voxels as `region`, ascending, from the other columns below `num_voxels`; none where there are
/// fewer others than that. Each depends on the seed and its number alone.
pub(super) fn random_regions(
    region: &[usize],
    num_voxels: usize,
    count: usize,
    seed: u64,
) -> Vec<Vec<usize>> {
    let mut is_inside = vec![false; num_voxels];
    region.iter().filter(|voxel| **voxel < num_voxels).for_each(|voxel| is_inside[*voxel] = true);
    let others: Vec<usize> = (0..num_voxels).filter(|voxel| !is_inside[*voxel]).collect();
    if others.len() < region.len() || region.is_empty() {
        return Vec::new();
    }
    let draw = |number: u64| {
        let mut shuffled = others.clone();
        let (chosen, _) =
            shuffled.partial_shuffle(&mut keyed_rng(seed, "microstim random region", number), region.len());
        let mut chosen = chosen.to_vec();
        chosen.sort_unstable();
        chosen
    };
    (0..count as u64).map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_regions_are_as_large_and_elsewhere() {
        let region = [2, 3, 5];
        let drawn = random_regions(&region, 12, 4, 7);
        assert_eq!(drawn.len(), 4);
        for one in &drawn {
            assert!(one.len() == 3 && one.windows(2).all(|two| two[0] < two[1]), "{one:?}");
            assert!(one.iter().all(|voxel| *voxel < 12 && !region.contains(voxel)), "{one:?}");
        }
        assert!(drawn.iter().any(|one| *one != drawn[0]), "not all the same: {drawn:?}");
        assert_eq!(random_regions(&region, 12, 2, 7), drawn[..2]);
        assert!(random_regions(&[2, 3, 4], 5, 4, 7).is_empty(), "two others are too few");
        assert!(random_regions(&[], 5, 4, 7).is_empty());
    }
}
