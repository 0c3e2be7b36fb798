//! What `train-mapper` found, as a person reads it.

use super::both::BothMappersSummary;
use super::summary::{FitReport, TrainMapperSummary};
use crate::metrics::bootstrap::Interval;
use crate::metrics::retrieval::RetrievalCount;
use crate::models::mapper::{MapperKind, MapperTarget};
use crate::pipelines::command_line::CommandLine;
use crate::pipelines::mapper_betas::BetasControl;
use crate::training::decoder::weighted_ridge::ChosenPenalty;
use crate::training::mapper::selection::EpochSelection;
use crate::training::ridge::GridEdge;

impl BothMappersSummary {
    /// Both mappers, then the commands that come next.
    pub fn text(&self, betas: BetasControl, commands: &CommandLine) -> String {
        let mappers = std::iter::once(&self.image).chain(&self.caption);
        let mut lines: Vec<String> = mappers.flat_map(|mapper| mapper.lines(betas)).collect();
        lines.extend(next(MapperTarget::Image, betas, commands));
        lines.join("\n")
    }
}

impl TrainMapperSummary {
    /// What was trained, what it finds beside chance, what was chosen, where it is, and the commands that come next.
    pub fn text(&self, betas: BetasControl, commands: &CommandLine) -> String {
        let mut lines = self.lines(betas);
        lines.extend(next(self.target, betas, commands));
        lines.join("\n")
    }

    fn lines(&self, betas: BetasControl) -> Vec<String> {
        let Self { num_train_trials, num_validation_trials, retrieval, .. } = self;
        let control = match betas {
            BetasControl::Measured => "",
            BetasControl::Shuffled => "control, from exchanged betas: ",
        };
        let kind = match self.kind {
            MapperKind::Paper => "the paper's network",
            MapperKind::Ridge => "ridge regression",
            MapperKind::Residual => "ridge regression and a network on top",
            MapperKind::KernelRidge => "kernel ridge regression",
        };
        let held_out = self.split_record.as_ref().map_or(String::new(), |split| {
            format!(" ({} images, split {})", split.num_test_images, split.rule)
        });
        let mut lines = vec![
            format!("{control}{} mapper, {kind}", self.target),
            field(
                "trials",
                &format!("{num_train_trials} fitted, {num_validation_trials} held out{held_out}"),
            ),
        ];
        for (name, count) in [("forward", &retrieval.forward), ("backward", &retrieval.backward)] {
            lines.push(field(name, &self.count(count)));
        }
        lines.extend(self.identification.as_ref().map(|found| {
            let [mean, low, high] = [found.share.mean, found.share.low, found.share.high].map(percent);
            let (chance, images) = (percent(found.chance), found.num_images);
            field("2-way", &format!("{mean} % of pairs [{low}, {high}], chance {chance} %; {images} images"))
        }));
        lines.push(field("chosen", &self.choice()));
        lines.push(field("network", &format!("{} parameters, {:.1} s", self.num_parameters, self.seconds)));
        lines.push(field("snapshot", &self.snapshot.display().to_string()));
        lines
    }

    /// A count of a batch; over several batches their mean.
    fn count(&self, count: &RetrievalCount) -> String {
        let Interval { mean, low, high } = count.over_batches;
        let (of, chance) = (self.retrieval.batch_size, self.retrieval.chance_over_batches);
        let batches = match self.retrieval.num_batches {
            1 => String::new(),
            several => format!(", mean of {several} batches"),
        };
        format!("{mean:.1} of {of} found [{low:.1}, {high:.1}], chance {chance:.1}{batches}")
    }

    /// What was chosen, and on which trials.
    fn choice(&self) -> String {
        match &self.fit {
            Some(FitReport::Ridge(report)) => format!("{}, on training images", report.line()),
            Some(FitReport::Residual(choice)) => format!(
                "{:.2} of the network and the rest of its own ridge regression ({}), on training images",
                choice.blend,
                penalty(&choice.ridge)
            ),
            Some(FitReport::KernelRidge(choice)) => format!(
                "penalty {}{} of the kernel; voxels weighed by ridge regression ({}); on training images",
                choice.penalty,
                at_edge(choice.edge),
                penalty(&choice.ridge)
            ),
            None => {
                let phases = self.phases.iter().map(|phase| {
                    let (best, epochs) = (phase.best_epoch + 1, phase.epochs);
                    format!("epoch {best} of {epochs} in phase {}", phase.phase)
                });
                let phases: Vec<String> = phases.collect();
                let chosen_on = match self.epochs_chosen_on {
                    Some(EpochSelection::TrainPart) => "on training images that were not fitted",
                    Some(EpochSelection::Validation) | None => {
                        "on the held-out trials, as in the paper's code: that flatters"
                    }
                };
                format!("{}, {chosen_on}", phases.join(", "))
            }
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

fn penalty(chosen: &ChosenPenalty) -> String {
    format!("penalty {}{}", chosen.penalty, at_edge(chosen.edge))
}

fn at_edge(edge: Option<GridEdge>) -> &'static str {
    match edge {
        None => "",
        Some(GridEdge::Smallest) => ", the smallest of the grid",
        Some(GridEdge::Largest) => ", the largest of the grid",
    }
}

fn field(name: &str, value: &str) -> String {
    format!("  {name:<9} {value}")
}

/// What can be done with the mapper; nothing draws in ResNet's space alone, and a control is drawn beside its mapper.
fn next(target: MapperTarget, betas: BetasControl, commands: &CommandLine) -> Vec<String> {
    let compared = (commands.line("evaluate --ridge"), "what it finds more than ridge regression");
    let drawn = (commands.line("finetune-gan"), "the generator that draws what it decodes");
    let wanted = match (target, betas) {
        (MapperTarget::Image | MapperTarget::Caption, BetasControl::Measured) => vec![compared, drawn],
        _ => vec![compared],
    };
    wanted.into_iter().map(|(command, what)| format!("next: {command}   ({what})")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn summary(more: serde_json::Value) -> TrainMapperSummary {
        let count =
            |mean: f64| json!({"first_batch": 45, "over_batches": {"mean": mean, "low": 38.0, "high": 52.5}});
        let mut all = json!({
            "run_dir": "w/runs/1", "snapshot": "w/runs/1/best.safetensors", "target": "image",
            "num_train_trials": 2550, "num_validation_trials": 450,
            "split_record": {"rule": "first-appearance", "num_test_images": 150, "sha256": "00"},
            "num_parameters": 99, "seconds": 31.0,
            "phases": [{"phase": 1, "epochs": 8, "best_epoch": 7, "best_validation_loss": 0.1, "last_train_loss": 0.1, "last_validation_loss": 0.1}],
            "retrieval": {
                "batch_size": 300, "num_batches": 1, "forward": count(45.2), "backward": count(40.0),
                "chance_first_batch": 2.5, "chance_over_batches": 2.5,
            },
        });
        let fields = more.as_object().cloned().unwrap();
        all.as_object_mut().unwrap().extend(fields);
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn a_person_reads_a_dozen_lines() {
        let found = summary(json!({}));
        let text = found.text(BetasControl::Measured, &CommandLine::default());
        let expected = "image mapper, the paper's network\n  \
                        trials    2550 fitted, 450 held out (150 images, split first-appearance)\n  \
                        forward   45.2 of 300 found [38.0, 52.5], chance 2.5\n  \
                        backward  40.0 of 300 found [38.0, 52.5], chance 2.5\n  \
                        chosen    epoch 8 of 8 in phase 1, on the held-out trials, as in the paper's code: that flatters\n  \
                        network   99 parameters, 31.0 s\n  \
                        snapshot  w/runs/1/best.safetensors\n";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.ends_with("next: mindreader finetune-gan   (the generator that draws what it decodes)"));
        let both = BothMappersSummary { caption: Some(found.clone()), image: found };
        assert!(both.text(BetasControl::Measured, &CommandLine::default()).lines().count() <= 20);
    }

    #[test]
    fn a_control_says_so_and_the_ridge_inside_another_kind_is_told_apart() {
        let ridge = json!({"penalty": 0.3, "edge": "largest"});
        let residual = json!({"residual": {"ridge": ridge, "blend": 0.25, "blends": []}});
        let found = summary(json!({"kind": "residual", "fit": residual, "phases": []}));
        let text = found.text(BetasControl::Shuffled, &CommandLine::default());
        assert!(
            text.starts_with("control, from exchanged betas: image mapper, ridge regression and a network")
        );
        let expected = "0.25 of the network and the rest of its own ridge regression (penalty 0.3, the largest of the grid)";
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains("finetune-gan"), "{text}");
    }
}
