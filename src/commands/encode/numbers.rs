//! How well betas are predicted, as numbers with their context.

use super::regions::RegionAccuracy;
use super::summary::EncodeSummary;
use crate::pipelines::measured::{
    Context, Measured, MeasuredTable, Presentations, Reference, ReferenceKind, Unit,
};

/// All prepared voxels.
const ALL: &str = "all voxels";

impl EncodeSummary {
    /// Mean r of all voxels and of every region, for each encoder, beside control and noise ceiling. What files of older versions have no
    /// interval for is left out.
    pub fn numbers(&self) -> MeasuredTable {
        let first = (self.kind, &self.all, &self.regions);
        let beside = self.beside.iter().map(|report| (report.kind, &report.all, &report.regions));
        let mut numbers = Vec::new();
        for (kind, all, regions) in std::iter::once(first).chain(beside) {
            let decoder = format!("{kind} encoder of the {} embedding", self.space);
            numbers.extend(number(&decoder, ALL, all));
            numbers.extend(regions.iter().filter_map(|(name, region)| number(&decoder, name, region)));
        }
        // Regions together, encoder by encoder.
        numbers.sort_by_key(|number: &Measured| number.protocol.clone());
        numbers.sort_by_key(|number: &Measured| !number.protocol.starts_with(ALL));
        let context = Context {
            subject: self.subject.clone(),
            split: self.split_record.clone(),
            folds: None,
            num_images: self.num_images,
            num_trials: self.num_trials,
            seed: self.seed,
            inference: self.inference.clone(),
        };
        MeasuredTable::new(context, numbers)
    }
}

fn number(decoder: &str, region: &str, found: &RegionAccuracy) -> Option<Measured> {
    let control = found.control.map(|control| Reference::within(ReferenceKind::ExchangedBetas, control));
    let ceiling = found.ceiling.map(|ceiling| Reference::exact(ReferenceKind::NoiseCeiling, ceiling));
    Some(Measured {
        quantity: "r of predicted and measured betas".into(),
        protocol: format!("{region}, mean over {} voxels", found.num_voxels),
        decoder: decoder.into(),
        presentations: Presentations::Single,
        unit: Unit::Correlation,
        value: found.interval?,
        chance: Some(0.0),
        references: control.into_iter().chain(ceiling).collect(),
        over_ridge: None,
    })
}
