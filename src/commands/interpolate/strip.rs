//! All ways on one sheet: a row for each two trials, what was seen at both ends of it.

use image::RgbImage;

use crate::report::image_grid::contact_sheet;

/// Most frames of a row.
const MOST_FRAMES: usize = 9;
/// Most pairs of trials that have a row for each way.
const MOST_LEGS: usize = 12;

/// A sheet in the making.
pub(super) struct Strip {
    legs: Vec<[usize; 2]>,
    /// Frames from one trial to the next, both included.
    frames: usize,
    /// What was seen in the trials.
    truths: Vec<RgbImage>,
    rows: Vec<Vec<RgbImage>>,
}

impl Strip {
    /// A sheet without a way yet.
    pub fn new(legs: &[[usize; 2]], frames: usize, truths: Vec<RgbImage>) -> Self {
        Self { legs: legs.iter().copied().take(MOST_LEGS).collect(), frames, truths, rows: vec![] }
    }

    /// As many pictures as a sheet of `num_paths` ways has at most.
    pub fn most_pictures(num_legs: usize, frames: usize, num_paths: usize) -> usize {
        num_legs.min(MOST_LEGS) * (frames.min(MOST_FRAMES) + 2) * num_paths
    }

    /// Frames of a row, counted from its first: evenly spread, both ends included.
    fn of_leg(&self) -> Vec<usize> {
        let steps = self.frames.saturating_sub(1);
        let last = self.frames.min(MOST_FRAMES).saturating_sub(1).max(1);
        (0..=last).map(|place| (place * steps + last / 2) / last).collect()
    }

    /// The frames of a way that the sheet shows, ascending, each once.
    pub fn shown(&self) -> Vec<usize> {
        let steps = self.frames.saturating_sub(1);
        let of_leg = self.of_leg();
        let mut shown: Vec<usize> = (0..self.legs.len())
            .flat_map(|leg| of_leg.iter().map(move |frame| leg * steps + frame))
            .collect();
        shown.dedup();
        shown
    }

    /// Adds the rows of a way from the pictures of [`Strip::shown`].
    pub fn add(&mut self, pictures: Vec<RgbImage>) {
        let shown = self.shown();
        let steps = self.frames.saturating_sub(1);
        for (leg, ends) in self.legs.iter().enumerate() {
            let of_leg = leg * steps..=leg * steps + steps;
            let frames = shown.iter().zip(&pictures).filter(|(frame, _)| of_leg.contains(*frame));
            let [from, to] = ends.map(|trial| self.truths.get(trial).cloned());
            let row = from.into_iter().chain(frames.map(|(_, picture)| picture.clone())).chain(to);
            self.rows.push(row.collect());
        }
    }

    /// The sheet.
    pub fn sheet(&self) -> RgbImage {
        contact_sheet(&self.rows, 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(level: u8) -> RgbImage {
        RgbImage::from_pixel(1, 1, image::Rgb([level; 3]))
    }

    #[test]
    fn rows_begin_and_end_with_what_was_seen() {
        let mut strip = Strip::new(&[[0, 1], [1, 0]], 3, vec![grey(200), grey(201)]);
        assert_eq!(strip.shown(), [0, 1, 2, 3, 4]);
        strip.add((0..5).map(grey).collect());
        let levels =
            |row: &[RgbImage]| row.iter().map(|image| image.get_pixel(0, 0).0[0]).collect::<Vec<_>>();
        assert_eq!(levels(&strip.rows[0]), [200, 0, 1, 2, 201]);
        assert_eq!(levels(&strip.rows[1]), [201, 2, 3, 4, 200]);
        assert_eq!(strip.sheet().dimensions(), (5 * 3 + 2, 2 * 3 + 2));
    }

    #[test]
    fn many_frames_are_spread_evenly_and_many_trials_cut() {
        let strip = Strip::new(&[[0, 1]], 33, vec![]);
        assert_eq!(strip.shown(), [0, 4, 8, 12, 16, 20, 24, 28, 32]);
        let legs: Vec<[usize; 2]> = (0..50).map(|leg| [leg, leg + 1]).collect();
        let strip = Strip::new(&legs, 2, vec![]);
        assert_eq!(strip.shown(), (0..=12).collect::<Vec<_>>());
        assert_eq!(Strip::most_pictures(50, 2, 2), 12 * 4 * 2);
    }
}
