//! Masks in COCO's two encodings: polygons around components, and compressed run lengths.
//!
//! Specification: COCO's data format; masks are row by row here, run lengths column by column as COCO wants.

/// A binary picture.
pub struct Mask {
    width: usize,
    height: usize,
    inside: Vec<bool>,
}

/// Components smaller than this many pixels leave no polygon.
const SMALLEST_COMPONENT: usize = 12;

/// How far, in pixels, a simplified polygon may leave the true boundary.
const POLYGON_TOLERANCE: f64 = 0.8;

impl Mask {
    /// From a picture of `width` columns and a rule.
    pub fn from_regions(regions: &[u8], width: usize, member: impl Fn(u8) -> bool) -> Self {
        let inside: Vec<bool> = regions.iter().map(|region| member(*region)).collect();
        Self { width, height: inside.len() / width, inside }
    }

    /// Number of pixels inside.
    pub fn area(&self) -> usize {
        self.inside.iter().filter(|inside| **inside).count()
    }

    /// COCO's `[x, y, width, height]`; `None` when empty.
    pub fn bounding_box(&self) -> Option<[f64; 4]> {
        let (mut left, mut top, mut right, mut bottom) = (usize::MAX, usize::MAX, 0, 0);
        for (index, _) in self.inside.iter().enumerate().filter(|(_, inside)| **inside) {
            let (x, y) = (index % self.width, index / self.width);
            (left, top) = (left.min(x), top.min(y));
            (right, bottom) = (right.max(x + 1), bottom.max(y + 1));
        }
        (right > 0).then(|| [left as f64, top as f64, (right - left) as f64, (bottom - top) as f64])
    }

    /// Outer boundary of every component as `[x0, y0, x1, y1, …]`; holes are filled, as COCO does.
    pub fn polygons(&self) -> Vec<Vec<f64>> {
        let mut label = vec![0_u32; self.inside.len()];
        let mut polygons = Vec::new();
        let mut next = 0;
        for start in 0..self.inside.len() {
            if !self.inside[start] || label[start] != 0 {
                continue;
            }
            next += 1;
            // Marked all the same, so that it is not found again.
            if self.flood(start, next, &mut label) < SMALLEST_COMPONENT {
                continue;
            }
            let ring = self.trace(start, next, &label);
            let ring = simplified(&ring);
            if ring.len() >= 3 {
                polygons.push(ring.iter().flat_map(|(x, y)| [*x, *y]).collect());
            }
        }
        polygons
    }

    /// Run lengths down the columns, beginning with a run outside.
    pub fn run_lengths(&self) -> Vec<u32> {
        let mut counts = Vec::new();
        let (mut current, mut run) = (false, 0);
        for x in 0..self.width {
            for y in 0..self.height {
                if self.inside[y * self.width + x] != current {
                    counts.push(run);
                    run = 0;
                    current = !current;
                }
                run += 1;
            }
        }
        counts.push(run);
        counts
    }

    /// Marks the 4-connected component of `start`; returns its size.
    fn flood(&self, start: usize, mark: u32, label: &mut [u32]) -> usize {
        let mut stack = vec![start];
        label[start] = mark;
        let mut size = 0;
        while let Some(index) = stack.pop() {
            size += 1;
            let (x, y) = (index % self.width, index / self.width);
            let mut visit = |neighbour: usize| {
                if self.inside[neighbour] && label[neighbour] == 0 {
                    label[neighbour] = mark;
                    stack.push(neighbour);
                }
            };
            if x > 0 {
                visit(index - 1);
            }
            if x + 1 < self.width {
                visit(index + 1);
            }
            if y > 0 {
                visit(index - self.width);
            }
            if y + 1 < self.height {
                visit(index + self.width);
            }
        }
        size
    }

    /// Walks along the pixel edges with the component on the right, from the upper left corner of its first pixel.
    fn trace(&self, start: usize, mark: u32, label: &[u32]) -> Vec<(f64, f64)> {
        const STEP: [(i64, i64); 4] = [(1, 0), (0, 1), (-1, 0), (0, -1)];
        let origin = ((start % self.width) as i64, (start / self.width) as i64);
        let member = |x: i64, y: i64| {
            (0..self.width as i64).contains(&x)
                && (0..self.height as i64).contains(&y)
                && label[(y * self.width as i64 + x) as usize] == mark
        };
        let mut ring = Vec::new();
        let (mut at, mut heading) = (origin, 0_usize);
        loop {
            at = (at.0 + STEP[heading].0, at.1 + STEP[heading].1);
            // The pixels ahead, right and left of the direction of walking.
            // `at` is a corner between four pixels; a pixel is named by its upper left corner.
            let (right, left) = match heading {
                0 => ((at.0, at.1), (at.0, at.1 - 1)),
                1 => ((at.0 - 1, at.1), (at.0, at.1)),
                2 => ((at.0 - 1, at.1 - 1), (at.0 - 1, at.1)),
                _ => ((at.0, at.1 - 1), (at.0 - 1, at.1 - 1)),
            };
            // Right first, then left: at a corner where two pixels of the component touch diagonally the walk stays
            // with the 4-connected one.
            let turned = if !member(right.0, right.1) {
                (heading + 1) % 4
            } else if member(left.0, left.1) {
                (heading + 3) % 4
            } else {
                heading
            };
            if turned != heading {
                ring.push((at.0 as f64, at.1 as f64));
            }
            heading = turned;
            if at == origin && heading == 0 {
                return ring;
            }
        }
    }
}

/// Douglas-Peucker on a closed ring, split at the corner farthest from the first.
fn simplified(ring: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let Some(&first) = ring.first() else { return Vec::new() };
    let distance = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).hypot(a.1 - b.1);
    // A closed ring has no two ends; the farthest corner from the first makes it two open lines.
    let far = (0..ring.len())
        .max_by(|&a, &b| distance(ring[a], first).total_cmp(&distance(ring[b], first)))
        .unwrap_or(0);
    let mut closed = ring.to_vec();
    closed.push(first);
    let mut kept = vec![first];
    keep_corners(&closed, 0, far, &mut kept);
    keep_corners(&closed, far, ring.len(), &mut kept);
    kept.pop();
    kept
}

/// Appends the corners needed between `from` (already kept) and `to` (kept at the end).
fn keep_corners(ring: &[(f64, f64)], from: usize, to: usize, kept: &mut Vec<(f64, f64)>) {
    let (a, b) = (ring[from], ring[to]);
    let length = (b.0 - a.0).hypot(b.1 - a.1);
    let deviation = |p: (f64, f64)| {
        if length < 1e-9 {
            (p.0 - a.0).hypot(p.1 - a.1)
        } else {
            ((b.0 - a.0) * (a.1 - p.1) - (a.0 - p.0) * (b.1 - a.1)).abs() / length
        }
    };
    let worst = (from + 1..to).max_by(|&i, &j| deviation(ring[i]).total_cmp(&deviation(ring[j])));
    match worst {
        Some(corner) if deviation(ring[corner]) > POLYGON_TOLERANCE => {
            keep_corners(ring, from, corner, kept);
            keep_corners(ring, corner, to, kept);
        }
        _ => kept.push(b),
    }
}

/// COCO's text form of run lengths: differences to the run before the last, five bits a character.
pub fn compressed(counts: &[u32]) -> String {
    let mut text = String::new();
    for (index, &count) in counts.iter().enumerate() {
        let mut rest = i64::from(count);
        if index > 2 {
            // Runs of the same kind are two apart and mostly alike: their differences are short.
            rest -= i64::from(counts[index - 2]);
        }
        loop {
            let bits = (rest & 0x1f) as u8;
            rest >>= 5;
            // Bit 4 of the last group is the sign: done when the rest is nothing but copies of it.
            let is_last = if bits & 0x10 != 0 { rest == -1 } else { rest == 0 };
            text.push(char::from(48 + (bits | if is_last { 0 } else { 0x20 })));
            if is_last {
                break;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(rows: &[&str]) -> Mask {
        let inside: Vec<u8> = rows.iter().flat_map(|row| row.bytes()).collect();
        Mask::from_regions(&inside, rows[0].len(), |region| region == b'#')
    }

    fn shoelace(ring: &[f64]) -> f64 {
        let n = ring.len() / 2;
        (0..n)
            .map(|i| {
                let j = (i + 1) % n;
                ring[2 * i] * ring[2 * j + 1] - ring[2 * j] * ring[2 * i + 1]
            })
            .sum::<f64>()
            .abs()
            / 2.0
    }

    #[test]
    fn a_rectangle_keeps_its_four_corners() {
        let mask = mask(&["......", ".####.", ".####.", ".####.", "......"]);
        let polygons = mask.polygons();
        assert_eq!(polygons.len(), 1);
        let mut corners: Vec<(i64, i64)> =
            polygons[0].chunks(2).map(|corner| (corner[0] as i64, corner[1] as i64)).collect();
        corners.sort_unstable();
        assert_eq!(corners, [(1, 1), (1, 4), (5, 1), (5, 4)]);
        assert_eq!(mask.bounding_box(), Some([1.0, 1.0, 4.0, 3.0]));
        assert_eq!(mask.area(), 12);
    }

    #[test]
    fn components_become_separate_polygons() {
        let mask = mask(&["####...####", "####...####", "####...####", "####...####"]);
        let polygons = mask.polygons();
        assert_eq!(polygons.len(), 2);
        assert!(polygons.iter().all(|ring| (shoelace(ring) - 16.0).abs() < 1e-9));
    }

    #[test]
    fn a_disc_keeps_its_area() {
        let side = 60_i32;
        let inside: Vec<u8> = (0..side * side)
            .map(|i| u8::from((i % side - 30).pow(2) + (i / side - 30).pow(2) < 400))
            .collect();
        let mask = Mask::from_regions(&inside, side as usize, |region| region == 1);
        let polygons = mask.polygons();
        assert_eq!(polygons.len(), 1);
        let area = mask.area() as f64;
        assert!((shoelace(&polygons[0]) - area).abs() < 0.03 * area);
    }

    #[test]
    fn run_lengths_go_down_the_columns() {
        let mask = mask(&[".#", "##"]);
        assert_eq!(mask.run_lengths(), vec![1, 3]);
    }

    #[test]
    fn compressed_run_lengths_are_those_of_cocos_own_tools() {
        // By pycocotools; `data::coco::run_lengths` reads them back.
        assert_eq!(compressed(&[5, 40, 3, 1000, 3, 2, 700, 2, 1]), "5X13Pn00jPOie00UZO");
    }
}
