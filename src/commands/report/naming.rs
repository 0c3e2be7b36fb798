//! Names and classes of drawn pictures: as measures and as tables.

use super::finished_run::EVALUATION_FILE;
use super::gathered::Gathered;
use super::measures::{Findings, JudgedPictures, Measure, Question, chance, share};
use super::numbers::tables;
use crate::pipelines::measured::MeasuredTable;
use crate::report::{Block, Section};
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
pub(super) fn class_section(judged: &JudgedPictures, numbers: &MeasuredTable) -> Option<Section> {
    let decoded = judged.classes.as_ref()?;
    let section = Section::new("Classes of pictures").text(format!(
        "A picture counts as of the class whose training pictures are nearest on average, in the features in which pictures are \
         identified, less their mean over the training pictures; the centres are made of {} training pictures. Chance: the same classes held \
         against all held-out images.",
        decoded.num_train_images
    ));
    Some(tables(numbers, |quantity| quantity.starts_with("class ")).into_iter().fold(section, Section::with))
}

/// Shares of pictures of which something can be named, beside control and originals; nothing where nobody named.
pub(super) fn naming(judged: &JudgedPictures, numbers: &MeasuredTable) -> Option<Section> {
    judged.naming.as_ref()?;
    Some(
        Section::new("What can be named")
            .text(
                "A small network that was trained on other images, and with no other network, says which thing and which stuff it \
                 finds most probable in a picture; it is right when the image's annotations show that. Other images: the same names held \
                 against the annotations of all other images, which is chance.",
            )
            .with(Block::Folded(
                "Things and stuff".into(),
                tables(numbers, |quantity| quantity.contains(" named ")),
            )),
    )
}
