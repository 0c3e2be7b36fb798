//! What decoders predicted, to be checked.

use crate::commands::evaluate::summary::DecoderRow;
use crate::data::split::SplitRecord;
use crate::metrics::combined_retrieval::DecodedPair;
use crate::models::mapper::MapperKind;

/// What one decoder predicted.
pub(in crate::commands::evaluate) struct Judged {
    /// Position of its target among all, vectors of networks first, then pixels.
    pub place: usize,
    /// Of the held-out trials, as compared.
    pub pair: DecodedPair,
    /// Of a mapper.
    pub mapper: Option<JudgedMapper>,
}

/// What is known of a mapper beside its predictions.
pub(in crate::commands::evaluate) struct JudgedMapper {
    /// Kind of its network, which trainings anew are of.
    pub kind: MapperKind,
    /// Predictions and targets of trials that it was fitted to, as compared.
    pub training: DecodedPair,
    /// Which pictures its training held out, where that is recorded.
    pub held_out: Option<SplitRecord>,
}

/// The rows of an evaluation, as far as they are checked.
pub(in crate::commands::evaluate) struct CheckedRows<'a> {
    pub mappers: &'a mut [DecoderRow],
    pub ridge: &'a mut [DecoderRow],
    pub control: &'a mut [DecoderRow],
}

impl CheckedRows<'_> {
    pub fn iter(&self) -> impl Iterator<Item = &DecoderRow> {
        self.mappers.iter().chain(self.ridge.iter()).chain(self.control.iter())
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut DecoderRow> {
        self.mappers.iter_mut().chain(self.ridge.iter_mut()).chain(self.control.iter_mut())
    }
}
