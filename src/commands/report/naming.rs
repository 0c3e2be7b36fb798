//! Names and classes of drawn pictures: as measures and as tables.

use super::finished_run::EVALUATION_FILE;
use super::gathered::Gathered;
use super::measures::{Findings, JudgedPictures, Measure, Question, chance, share};
use super::numbers::{CONTROL, percent_within};
use crate::commands::evaluate_images::{ClassSummary, NamingSummary};
use crate::metrics::bootstrap::Interval;
use crate::report::number_format::percent;
use crate::report::{Block, Section, Table};
use crate::run::error::RunError;

impl Findings {
    /// Whether what a classifier names in drawn pictures is there.
    pub(super) fn naming(&self, gathered: &Gathered) -> Result<Vec<Measure>, RunError> {
        let named = self.judged.as_ref().and_then(|judged| judged.naming.as_ref());
        let (Some(run), Some(naming)) = (&gathered.judged, named) else { return Ok(vec![]) };
        let path = run.folder.join(EVALUATION_FILE);
        let control = self.judged_control.as_ref().and_then(|judged| judged.naming.as_ref());
        let control = gathered.judged_control.as_ref().zip(control);
        let mut measures = Vec::new();
        for (kind, share_named) in naming.kinds() {
            let field = format!("naming.{kind}");
            // Without another image there is no chance to compare with.
            let Some(others) = share_named.generated.others else { continue };
            let control = control.and_then(|(run, naming)| {
                let (_, found) = naming.kinds().find(|(other, _)| *other == kind)?;
                Some((run.folder.join(EVALUATION_FILE), &found.generated))
            });
            let floor = control.as_ref().map(|(path, found)| share(path, &field, found.own, 1.0));
            let by_chance = control
                .as_ref()
                .and_then(|(path, found)| Some(chance(path, &field, found.others?.mean, 1.0)));
            measures.push(Measure {
                question: Question::Naming,
                name: format!("{kind}, one of {}", share_named.num_classes),
                protocol: "by a classifier's most probable name".into(),
                is_aside: false,
                among: share_named.num_classes,
                value: share(&path, &field, share_named.generated.own, 1.0)?,
                chance: chance(&path, &field, others.mean, 1.0)?,
                floor: floor.transpose()?,
                floor_chance: by_chance.transpose()?,
                ceiling: Some(chance(&path, &field, share_named.truth.own.mean, 1.0)?),
                class_level: None,
            });
        }
        Ok(measures)
    }

    /// Whether drawn pictures are of the right class.
    pub(super) fn classes(&self, gathered: &Gathered) -> Result<Option<Measure>, RunError> {
        let found = self.judged.as_ref().and_then(|judged| judged.classes.as_ref());
        let Some((run, found)) = gathered.judged.as_ref().zip(found) else { return Ok(None) };
        let Some(others) = found.generated.others else { return Ok(None) };
        let (path, field) = (run.folder.join(EVALUATION_FILE), "classes");
        let control = self.judged_control.as_ref().and_then(|judged| judged.classes.as_ref());
        let control = gathered.judged_control.as_ref().zip(control);
        let floor = control
            .map(|(run, found)| share(&run.folder.join(EVALUATION_FILE), field, found.generated.own, 1.0));
        let by_chance = control.and_then(|(run, found)| {
            Some(chance(&run.folder.join(EVALUATION_FILE), field, found.generated.others?.mean, 1.0))
        });
        Ok(Some(Measure {
            question: Question::Naming,
            name: format!("classes, one of {}", found.num_classes),
            protocol: "by the nearest class of training pictures".into(),
            is_aside: false,
            among: found.num_classes,
            value: share(&path, field, found.generated.own, 1.0)?,
            chance: chance(&path, field, others.mean, 1.0)?,
            floor: floor.transpose()?,
            floor_chance: by_chance.transpose()?,
            ceiling: Some(chance(&path, field, found.truth.own.mean, 1.0)?),
            class_level: None,
        }))
    }
}

/// Shares of drawn pictures that are of the right class; nothing where the data say nothing of classes.
pub(super) fn class_section(judged: &JudgedPictures, control: Option<&JudgedPictures>) -> Option<Section> {
    let decoded = judged.classes.as_ref()?;
    let control = control.and_then(|control| control.classes.as_ref());
    let row = |summary: &ClassSummary, pictures: &str| {
        let ClassSummary { num_classes, generated, truth, .. } = summary;
        let chance = generated.others.map_or("none".into(), |chance| percent(chance.mean));
        vec![
            pictures.to_string(),
            format!("one of {num_classes}"),
            percent_within(generated.own),
            chance,
            percent_within(truth.own),
        ]
    };
    let named = [(Some(decoded), "decoded"), (control, CONTROL)];
    let rows = named.into_iter().filter_map(|(summary, name)| Some(row(summary?, name))).collect();
    let head = ["pictures", "class", "right (95 %)", "chance", "ground truth (95 %)"];
    let table = Table {
        head: head.map(String::from).to_vec(),
        rows,
        caption: "Chance: the same classes held against all other held-out images.".into(),
    };
    Some(
        Section::new("Classes of pictures")
            .text(format!(
                "A picture counts as of the class whose training pictures are nearest on average, in the features in which pictures are \
                 identified, less their mean over the training pictures; the centres are made of {} training pictures.",
                decoded.num_train_images
            ))
            .with(Block::Table(table)),
    )
}

/// Shares of pictures of which something can be named, beside chance and the ground truth; nothing where nobody named.
pub(super) fn naming(judged: &JudgedPictures, control: Option<&JudgedPictures>) -> Option<Section> {
    let decoded = judged.naming.as_ref()?;
    let control = control.and_then(|control| control.naming.as_ref());
    let named = [(Some(decoded), "decoded"), (control, CONTROL)];
    let mut rows = Vec::new();
    for (summary, pictures) in named.into_iter().filter_map(|(summary, name)| Some((summary?, name))) {
        rows.extend(named_rows(summary, pictures));
    }
    let head = ["pictures", "kind", "right", "95 % (images resampled)", "chance", "ground truth"];
    let table = Table {
        head: head.map(String::from).to_vec(),
        rows,
        caption: "Chance: the same names held against the annotations of all other images. Ground truth: the images themselves, \
                  named by the same network."
            .into(),
    };
    Some(
        Section::new("What can be named")
            .text(
                "A small network that was trained on other images, and with no other network, says which thing and which stuff it \
                 finds most probable in a picture; it is right when the image's annotations show that.",
            )
            .with(Block::Folded("Things and stuff".into(), vec![Block::Table(table)])),
    )
}

fn named_rows(summary: &NamingSummary, pictures: &str) -> Vec<Vec<String>> {
    let row = |kind: &str, num_classes: usize, own: Interval, chance: String, truth: Interval| {
        vec![
            pictures.to_string(),
            format!("{kind}, one of {num_classes}"),
            percent(own.mean),
            format!("{} to {}", percent(own.low), percent(own.high)),
            chance,
            percent_within(truth),
        ]
    };
    let kinds = summary.kinds().map(|(kind, share)| {
        let chance = share.generated.others.map_or("none".into(), percent_within);
        row(kind, share.num_classes, share.generated.own, chance, share.truth.own)
    });
    kinds.collect()
}
