//! What was measured on drawn pictures: beside the control's, those of the true embeddings and the nearest training images.

use super::super::finished_run::EVALUATION_FILE;
use super::super::gathered::Gathered;
use super::super::measures::{Findings, Measure, Question, chance, share};
use crate::commands::reconstruct::PictureSource;
use crate::metrics::bootstrap::Interval;
use crate::run::error::RunError;

impl Findings {
    pub(in super::super) fn identification(&self, gathered: &Gathered) -> Result<Vec<Measure>, RunError> {
        let (Some(run), Some(judged)) = (&gathered.judged, &self.judged) else { return Ok(vec![]) };
        let path = run.folder.join(EVALUATION_FILE);
        let control = gathered.judged_control.as_ref().zip(self.judged_control.as_ref());
        let mut measures = Vec::new();
        for accuracy in &judged.identification.accuracies {
            let field = format!("identification.accuracies, {}-way", accuracy.ways);
            let floor = control.and_then(|(run, judged)| {
                let found =
                    judged.identification.accuracies.iter().find(|other| other.ways == accuracy.ways)?;
                Some(share(&run.folder.join(EVALUATION_FILE), &field, found.expected, 1.0))
            });
            let ceiling = self.beside_ways(gathered, PictureSource::Truth, accuracy.ways)?;
            measures.push(Measure {
                question: Question::Identification,
                name: format!("{}-way", accuracy.ways),
                protocol: format!("features of {}, not centred", judged.features.kind.in_words()),
                is_aside: false,
                among: accuracy.ways,
                value: share(&path, &field, accuracy.expected, 1.0)?,
                chance: chance(&path, &field, accuracy.chance, 1.0)?,
                floor: floor.transpose()?,
                floor_chance: None,
                ceiling: ceiling.map(|found| found.mean),
                class_level: judged
                    .classes
                    .as_ref()
                    .filter(|_| accuracy.ways == 2)
                    .map(|found| found.pairs_by_class),
            });
        }
        // The same question of training images in place of pictures: what memory alone gives.
        let drawn = measures.clone();
        for measure in drawn {
            if let Some(value) = self.beside_ways(gathered, PictureSource::NearestTraining, measure.among)? {
                let name = format!("{}, nearest training image", measure.name);
                measures.push(Measure { name, value, floor: None, ceiling: None, ..measure });
            }
        }
        Ok(measures)
    }

    /// How often pictures from another source are nearest to their own, among so many; only by the same features.
    fn beside_ways(
        &self,
        gathered: &Gathered,
        source: PictureSource,
        ways: usize,
    ) -> Result<Option<Interval>, RunError> {
        let found = self.judged_beside.iter().find(|(other, _)| *other == source);
        let run = gathered.beside(source).and_then(|beside| beside.judged.as_ref());
        let (Some((_, judged)), Some(run)) = (found, run) else { return Ok(None) };
        let is_alike = self.judged.as_ref().is_some_and(|own| own.features.kind == judged.features.kind);
        let accuracy = judged.identification.accuracies.iter().find(|other| other.ways == ways);
        let Some(accuracy) = accuracy.filter(|_| is_alike) else { return Ok(None) };
        let field = format!("identification.accuracies, {ways}-way");
        share(&run.folder.join(EVALUATION_FILE), &field, accuracy.expected, 1.0).map(Some)
    }
}
