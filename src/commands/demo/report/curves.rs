//! Training curves from `metrics.jsonl`.

use serde_json::Value;

use super::settings::ReportSettings;
use crate::pipelines::training_curves::{events, losses, numbered, retrieval, series};
use crate::report::{Block, LineChart, Section, Series};

/// Curves of every training run.
pub(crate) fn section(settings: &ReportSettings) -> crate::error::Result<Section> {
    let mut section = Section::new("Training");
    if let Some(run) = &settings.clip_run {
        let events = events(run)?;
        section = section.with(chart(
            "CLIP: contrastive loss",
            "epoch",
            "nats",
            vec![
                series("training", &events, "/epoch", "/train_loss"),
                series("held-out", &events, "/epoch", "/held_out/loss"),
            ],
        ));
    }
    for (name, run) in &settings.mapper_runs {
        let events = numbered(events(run)?);
        for chart in losses(&format!("{name}: loss"), &events) {
            section = section.with(Block::Chart(chart));
        }
        section = section.with(Block::Chart(retrieval(&format!("{name}: retrieval"), &events)));
    }
    for (name, run) in &settings.gan_runs {
        let events = events(run)?;
        section = section.with(chart(
            &format!("{name}: losses"),
            "images shown",
            "loss",
            gan_losses(&events, ["generator_loss", "discriminator_loss"]),
        ));
        if let Some((title, distances)) = distances(&events) {
            section = section.with(chart(&format!("{name}: {title}"), "images shown", "distance", distances));
        }
        // Only of a run that trained them.
        let mappers = gan_losses(&events, ["image_mapper_loss", "second_mapper_loss"]);
        if mappers.iter().any(|series| !series.points.is_empty()) {
            section = section.with(chart(&format!("{name}: mappers"), "images shown", "loss", mappers));
        }
    }
    Ok(section)
}

/// Distances of generated samples from each set of real pictures, and what they are called; none where nothing was measured.
fn distances(events: &[Value]) -> Option<(String, Vec<Series>)> {
    let name = events.iter().find_map(|event| event.pointer("/frechet/name")?.as_str())?;
    let sets = ["real", "test", "train"];
    let of_sets = sets.map(|set| series(set, events, "/images_seen", &format!("/frechet/{set}")));
    Some((name.to_string(), of_sets.into_iter().filter(|set| !set.points.is_empty()).collect()))
}

fn gan_losses(events: &[Value], keys: [&str; 2]) -> Vec<Series> {
    let name = |key: &str| key.trim_end_matches("_loss").replace('_', " ");
    keys.map(|key| series(&name(key), events, "/images_seen", &format!("/{key}"))).to_vec()
}

fn chart(title: &str, x_label: &str, y_label: &str, series: Vec<Series>) -> Block {
    Block::Chart(LineChart { title: title.into(), x_label: x_label.into(), y_label: y_label.into(), series })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn distances_have_a_curve_per_set() {
        let event = |images: u64, test: f64| json!({"images_seen": images, "frechet": {"name": "FID", "test": test, "train": 2.0 * test}});
        let (name, sets) = distances(&[json!({"images_seen": 0}), event(1, 9.0), event(2, 8.0)]).unwrap();
        assert_eq!((name.as_str(), sets.len()), ("FID", 2));
        assert_eq!(sets[1].points, [(1.0, 18.0), (2.0, 16.0)]);
        assert!(distances(&[json!({"images_seen": 0})]).is_none());
    }

    #[test]
    fn mappers_trained_with_a_gan_have_series_where_they_were() {
        let events = [json!({"images_seen": 8, "generator_loss": 2.0, "image_mapper_loss": 1.5})];
        let [image, second] = &gan_losses(&events, ["image_mapper_loss", "second_mapper_loss"])[..] else {
            panic!("two series")
        };
        assert_eq!((image.name.as_str(), &image.points[..]), ("image mapper", &[(8.0, 1.5)][..]));
        assert!(second.points.is_empty());
    }
}
