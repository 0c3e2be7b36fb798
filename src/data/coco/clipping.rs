//! How much of a COCO annotation a rectangle shows.

use serde_json::Value;

/// Area of an annotation within `[left, top, right, bottom]`.
pub fn visible_area(object: &Value, window: [f64; 4]) -> f64 {
    if let Some(polygons) = object["segmentation"].as_array() {
        return polygons
            .iter()
            .filter_map(Value::as_array)
            .map(|ring| {
                let numbers: Vec<f64> = ring.iter().filter_map(Value::as_f64).collect();
                let points = numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
                area(&clipped(points, window))
            })
            .sum();
    }
    let rectangle: Vec<f64> =
        object["bbox"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
    let [x, y, w, h] = rectangle[..] else { return 0.0 };
    let wide = ((x + w).min(window[2]) - x.max(window[0])).max(0.0);
    let high = ((y + h).min(window[3]) - y.max(window[1])).max(0.0);
    // A crowd's box stands for its run lengths: the share of the box that they fill is taken as even over the box.
    let density = object["area"].as_f64().map_or(1.0, |area| (area / (w * h).max(1.0)).min(1.0));
    wide * high * density
}

/// Sutherland-Hodgman: the part of a polygon inside a rectangle.
fn clipped(mut points: Vec<(f64, f64)>, window: [f64; 4]) -> Vec<(f64, f64)> {
    // One side after the other: what is left of the polygon goes on to the next.
    for (side, limit) in window.into_iter().enumerate() {
        let inside = |p: (f64, f64)| match side {
            0 => p.0 >= limit,
            1 => p.1 >= limit,
            2 => p.0 <= limit,
            _ => p.1 <= limit,
        };
        let crossing = |a: (f64, f64), b: (f64, f64)| {
            if side % 2 == 0 {
                (limit, a.1 + (b.1 - a.1) * (limit - a.0) / (b.0 - a.0))
            } else {
                (a.0 + (b.0 - a.0) * (limit - a.1) / (b.1 - a.1), limit)
            }
        };
        let mut kept = Vec::with_capacity(points.len() + 4);
        for i in 0..points.len() {
            let (a, b) = (points[i], points[(i + 1) % points.len()]);
            if inside(a) {
                kept.push(a);
            }
            if inside(a) != inside(b) {
                kept.push(crossing(a, b));
            }
        }
        points = kept;
    }
    points
}

fn area(points: &[(f64, f64)]) -> f64 {
    let n = points.len();
    (0..n)
        .map(|i| {
            let (a, b) = (points[i], points[(i + 1) % n]);
            a.0 * b.1 - b.0 * a.1
        })
        .sum::<f64>()
        // Rings may run either way round.
        .abs()
        / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn polygons_are_clipped_and_crowds_counted_by_their_box() {
        let triangle = json!({"segmentation": [[0, 0, 10, 0, 0, 10]], "bbox": [0, 0, 10, 10], "area": 50});
        assert!((visible_area(&triangle, [0.0, 0.0, 20.0, 20.0]) - 50.0).abs() < 1e-9);
        assert!((visible_area(&triangle, [0.0, 0.0, 5.0, 5.0]) - 25.0).abs() < 1e-9);
        assert_eq!(visible_area(&triangle, [11.0, 11.0, 20.0, 20.0]), 0.0);
        let crowd =
            json!({"segmentation": {"counts": [1], "size": [1, 1]}, "bbox": [0, 0, 10, 10], "area": 40});
        assert!((visible_area(&crowd, [0.0, 0.0, 5.0, 10.0]) - 20.0).abs() < 1e-9);
        assert_eq!(visible_area(&json!({}), [0.0, 0.0, 5.0, 5.0]), 0.0);
    }
}
