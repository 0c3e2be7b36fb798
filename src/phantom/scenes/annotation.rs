//! What is where in a scene: visible instances and stuff, in pixels of the whole picture.

use super::composition::Scene;
use super::mask::{Mask, compressed};
use super::pen::{FACE_OFFSET, LETTERS_OFFSET, STUFF_OFFSET};

/// One visible thing, as COCO annotates an instance.
#[derive(Clone, Debug, PartialEq)]
pub struct SceneInstance {
    /// COCO category id, 1..=90.
    pub category_id: u32,
    /// `[x, y, width, height]` of the visible part.
    pub bounding_box: [f64; 4],
    /// Visible pixels.
    pub area: f64,
    /// Outer boundaries of the visible parts.
    pub polygons: Vec<Vec<f64>>,
}

/// All visible pixels of one kind of stuff, as COCO-Stuff annotates them.
#[derive(Clone, Debug, PartialEq)]
pub struct SceneStuff {
    /// COCO-Stuff category id, 92..=182, or 183 for all things together.
    pub category_id: u32,
    /// `[x, y, width, height]`.
    pub bounding_box: [f64; 4],
    /// Visible pixels.
    pub area: f64,
    /// COCO's compressed run lengths.
    pub counts: String,
}

/// COCO-Stuff's category for all pixels that belong to things.
pub const OTHER: u32 = 183;

/// Shares of the square crop's area, 0..1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CropShares {
    /// Visible share of each thing: category id, share.
    pub things: Vec<(u32, f32)>,
    /// Visible share of all faces.
    pub faces: f32,
    /// Visible share of all printed letters.
    pub letters: f32,
    /// Share of each kind of stuff: category id, share.
    pub stuff: Vec<(u32, f32)>,
    /// Share of the things' own area that the crop cut off, 0..1.
    pub lost: f32,
}

/// The instance that a region number belongs to, counted from 0.
fn instance_of(region: u8) -> Option<usize> {
    // Numbers 1 to 31 are bodies; 33 to 63 and 65 to 95 are faces and letters of the same instances. 0, 32 and 64
    // belong to nobody.
    (region < STUFF_OFFSET && !region.is_multiple_of(32)).then(|| usize::from(region % 32) - 1)
}

impl Scene {
    /// Visible things and stuff of the whole picture, from its region numbers.
    pub fn annotations(&self, regions: &[u8]) -> (Vec<SceneInstance>, Vec<SceneStuff>) {
        let width = self.size.0 as usize;
        let instances = self
            .placed
            .iter()
            .enumerate()
            .filter_map(|(index, placed)| {
                let mask = Mask::from_regions(regions, width, |region| instance_of(region) == Some(index));
                let polygons = mask.polygons();
                Some(SceneInstance {
                    category_id: placed.thing.category().0,
                    bounding_box: mask.bounding_box()?,
                    area: mask.area() as f64,
                    polygons,
                })
                .filter(|instance| !instance.polygons.is_empty())
            })
            .collect();
        let kinds = self.backdrop.place.stuff().iter().enumerate().map(|(index, (category_id, _))| {
            let mask = Mask::from_regions(regions, width, |region| region == STUFF_OFFSET + index as u8);
            (*category_id, mask)
        });
        let things = Mask::from_regions(regions, width, |region| instance_of(region).is_some());
        let stuff = kinds
            .chain([(OTHER, things)])
            .filter_map(|(category_id, mask)| {
                Some(SceneStuff {
                    category_id,
                    bounding_box: mask.bounding_box()?,
                    area: mask.area() as f64,
                    counts: compressed(&mask.run_lengths()),
                })
            })
            .collect();
        (instances, stuff)
    }

    /// What the square crop holds.
    pub fn crop_shares(&self, regions: &[u8]) -> CropShares {
        let side = self.size.0.min(self.size.1) as usize;
        let (left, top) = (self.crop_origin.0 as usize, self.crop_origin.1 as usize);
        let mut pixels = [0_u32; 256];
        for row in regions.chunks(self.size.0 as usize).skip(top).take(side) {
            for region in &row[left..left + side] {
                pixels[usize::from(*region)] += 1;
            }
        }
        let share = |count: u32| count as f32 / (side * side) as f32;
        let mut shares = CropShares::default();
        for (index, placed) in self.placed.iter().enumerate() {
            let number = index + 1;
            let face = pixels[number + usize::from(FACE_OFFSET)];
            let letters = pixels[number + usize::from(LETTERS_OFFSET)];
            let area = share(pixels[number] + face + letters);
            if area > 0.0 {
                shares.things.push((placed.thing.category().0, area));
            }
            shares.faces += share(face);
            shares.letters += share(letters);
        }
        for (index, (category_id, _)) in self.backdrop.place.stuff().iter().enumerate() {
            let area = share(pixels[usize::from(STUFF_OFFSET) + index]);
            if area > 0.0 {
                shares.stuff.push((*category_id, area));
            }
        }
        let whole = regions.iter().filter(|region| instance_of(**region).is_some()).count();
        let kept = pixels.iter().enumerate().filter(|(region, _)| instance_of(*region as u8).is_some());
        let kept: u32 = kept.map(|(_, count)| count).sum();
        shares.lost = 1.0 - kept as f32 / whole.max(1) as f32;
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_a_crop_fill_it() {
        for index in 0..30 {
            let scene = Scene::draw(5, index);
            let shares = scene.crop_shares(&scene.regions());
            let total: f32 = shares.things.iter().chain(&shares.stuff).map(|(_, share)| share).sum();
            assert!((total - 1.0).abs() < 1e-3, "scene {index}: {total}");
            assert!(
                shares.faces + shares.letters <= shares.things.iter().map(|(_, share)| share).sum::<f32>()
            );
        }
    }

    #[test]
    fn annotations_cover_the_picture_without_overlap() {
        for index in 0..10 {
            let scene = Scene::draw(6, index);
            let (instances, stuff) = scene.annotations(&scene.regions());
            let pixels = f64::from(scene.size.0 * scene.size.1);
            assert!((stuff.iter().map(|kind| kind.area).sum::<f64>() - pixels).abs() < 0.5);
            for instance in &instances {
                let [x, y, w, h] = instance.bounding_box;
                assert!(
                    instance.area <= w * h
                        && x + w <= f64::from(scene.size.0)
                        && y + h <= f64::from(scene.size.1)
                );
                assert!(instance.polygons.iter().all(|ring| ring.len() >= 6));
            }
        }
    }
}
