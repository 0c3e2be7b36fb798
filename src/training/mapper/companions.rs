//! Networks that a phase trains beside the one it is for.

use super::auxiliary_critic::{AuxiliaryCritic, CriticRecord};
use super::joint_expander::{ExpanderRecord, JointExpander};
use crate::error::Fault;
use crate::tensor_ops::stored::StoredTensors;

/// Critic and expander, where the settings want them; every phase has its own.
#[derive(Clone, Default)]
pub struct Companions {
    /// Trained in turn with the network.
    pub critic: Option<AuxiliaryCritic>,
    /// Trained together with the network.
    pub expander: Option<JointExpander>,
}

/// Both in a checkpoint.
pub(crate) type CompanionsRecord = (Option<CriticRecord>, Option<ExpanderRecord>);

impl Companions {
    pub(crate) fn to_record(&self) -> CompanionsRecord {
        (
            self.critic.as_ref().map(AuxiliaryCritic::to_record),
            self.expander.as_ref().map(JointExpander::to_record),
        )
    }

    /// Claims their networks, which stand behind `prefix` in a checkpoint.
    ///
    /// # Errors
    /// As [`StoredTensors::claim`].
    pub(crate) fn claim(&self, prefix: &str, tensors: &mut StoredTensors) -> Result<(), Fault> {
        if let Some(critic) = &self.critic {
            tensors.claim_module(&format!("{prefix}.0.0"), critic.network())?;
        }
        match &self.expander {
            Some(expander) => tensors.claim_module(&format!("{prefix}.1.0"), expander.network()),
            None => Ok(()),
        }
    }

    /// Of the same settings: each is there on both sides or on neither.
    pub(crate) fn load_record(self, (critic, expander): CompanionsRecord) -> Self {
        Self {
            critic: self.critic.zip(critic).map(|(critic, record)| critic.load_record(record)),
            expander: self.expander.zip(expander).map(|(expander, record)| expander.load_record(record)),
        }
    }
}
