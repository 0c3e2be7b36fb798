//! How many zeros stand around the voxels that a mapper reads, and where: `models::mapper` puts them there.

use super::subject::SubjectId;

/// Voxels of subject 1's `nsdgeneral`, and the length the paper padded them to.
const PAPER_VOXELS: usize = 15_724;
const PAPER_SIGNAL_LEN: usize = 15_744;

/// Elsewhere: the network halves the length, and blocks of 32 suit the hardware.
const MULTIPLE: usize = 32;

/// Length of the padded voxel vector: 15744 for subject 1's 15724 voxels, else the next multiple of 32.
pub fn padded_len(num_voxels: usize, subject: SubjectId) -> usize {
    if subject == SubjectId::default() && num_voxels == PAPER_VOXELS {
        PAPER_SIGNAL_LEN
    } else {
        num_voxels.max(1).next_multiple_of(MULTIPLE)
    }
}

/// Zeros in front: voxel `i` sits at `i + padding_left`. The rest of the zeros, one more if odd, is behind.
pub fn padding_left(num_voxels: usize, padded: usize) -> usize {
    padded.saturating_sub(num_voxels) / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::subject::NsdSubject;

    #[test]
    fn subject_one_has_ten_zeros_on_either_side() {
        let first = SubjectId::new(1).unwrap();
        assert_eq!(padded_len(15_724, first), 15_744);
        assert_eq!(padding_left(15_724, 15_744), 10);
    }

    #[test]
    fn other_lengths_are_multiples_of_32_and_odd_zeros_go_right() {
        for subject in NsdSubject::all().map(SubjectId::from) {
            for num_voxels in [1, 32, 33, 13_039, 17_907] {
                let padded = padded_len(num_voxels, subject);
                assert!(padded >= num_voxels && padded - num_voxels < 32 && padded.is_multiple_of(32));
            }
        }
        assert_eq!(padding_left(29, 32), 1);
        assert_eq!(padding_left(3, 6), 1);
    }
}
