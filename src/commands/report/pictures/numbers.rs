//! What was measured on drawn pictures, beside the same of the control, of the true embeddings and of training images.

use super::super::measures::{Findings, JudgedPictures};
use crate::commands::evaluate_images::{JudgedPictureSet, beside};
use crate::commands::reconstruct::PictureSource;
use crate::pipelines::measured::{Context, Measured, MeasuredTable, ReferenceKind};

/// The numbers of the decoded pictures; nothing where nobody judged them.
pub(in super::super) fn picture_numbers(findings: &Findings) -> Option<MeasuredTable> {
    let judged = findings.judged.as_ref()?;
    let control = findings.judged_control.iter().map(|found| (ReferenceKind::ExchangedBetas, numbers(found)));
    let others = findings.judged_beside.iter().filter_map(|(source, found)| {
        let kind = match source {
            PictureSource::Betas => return None,
            PictureSource::Truth => ReferenceKind::TrueEmbedding,
            PictureSource::TrainingMean => ReferenceKind::MeanEmbedding,
            PictureSource::NearestTraining => ReferenceKind::NearestTrainingImage,
            PictureSource::RandomTraining => ReferenceKind::RandomTrainingImage,
        };
        Some((kind, numbers(found)))
    });
    let others: Vec<(ReferenceKind, Vec<Measured>)> = control.chain(others).collect();
    let context = Context {
        subject: judged.subject.clone(),
        split: judged.split_record.clone(),
        folds: None,
        num_images: judged.num_images,
        num_trials: judged.num_pictures,
        seed: judged.seed,
        inference: judged.inference.clone(),
    };
    Some(MeasuredTable::new(context, beside(numbers(judged), &others)))
}

fn numbers(judged: &JudgedPictures) -> Vec<Measured> {
    JudgedPictureSet {
        decoder: "decoded pictures",
        presentations: judged.presentations,
        features: judged.features.kind,
        identification: &judged.identification,
        naming: judged.naming.as_ref(),
        classes: judged.classes.as_ref(),
    }
    .numbers()
}
