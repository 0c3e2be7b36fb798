//! The small networks that ship with the program: a CLIP, a conditional GAN and a judge for pictures of the phantom's scenes.
//!
//! They were trained on the scenes of another phantom than the demo's; `assets/phantom/README.md` says how and what they achieve.

use std::path::{Path, PathBuf};

use crate::files::write_atomic;
use crate::run::error::RunError;
use crate::training::gan::run_files::{DISCRIMINATOR_FILE, GENERATOR_FILE};

const CLIP: &[u8] = include_bytes!("../../../assets/phantom/clip.safetensors");
const CLASSIFIER: &[u8] = include_bytes!("../../../assets/phantom/classifier.safetensors");
const GENERATOR: &[u8] = include_bytes!("../../../assets/phantom/generator.safetensors");
const DISCRIMINATOR: &[u8] = include_bytes!("../../../assets/phantom/discriminator.safetensors");

/// Where the demo's CLIP and pretrained GAN come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemoNetworks {
    /// From the program: trained on another phantom.
    Shipped,
    /// Trained within the demo, on its own phantom.
    Trained,
}

/// Where the networks are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShippedNetworks {
    /// Snapshot of the CLIP.
    pub clip: PathBuf,
    /// Snapshot of the scene classifier, which none of the others was trained with.
    pub classifier: PathBuf,
    /// Folder with generator and discriminator.
    pub gan: PathBuf,
}

impl ShippedNetworks {
    /// Writes them into a folder, where commands find them as they find trained ones.
    ///
    /// # Errors
    /// [`RunError::unwritable`].
    pub fn write(folder: &Path) -> Result<Self, RunError> {
        std::fs::create_dir_all(folder).map_err(|error| RunError::unwritable(folder, error))?;
        let clip = folder.join("clip.safetensors");
        write_atomic(&clip, CLIP)?;
        write_atomic(&folder.join(GENERATOR_FILE), GENERATOR)?;
        write_atomic(&folder.join(DISCRIMINATOR_FILE), DISCRIMINATOR)?;
        let classifier = folder.join("classifier.safetensors");
        write_atomic(&classifier, CLASSIFIER)?;
        Ok(Self { clip, classifier, gan: folder.to_path_buf() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::stylegan2::{DiscriminatorConfig, GeneratorConfig};
    use crate::pipelines::clip_snapshot::ClipSnapshot;
    use crate::pipelines::pictures::picture_features::{FeatureKind, FeatureNetwork};
    use crate::run::snapshot::{DISCRIMINATOR_KIND, GENERATOR_KIND, Snapshot};
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn they_load_fit_together_and_are_small() {
        assert!(CLIP.len() + CLASSIFIER.len() + GENERATOR.len() + DISCRIMINATOR.len() < 20_000_000);
        let folder = tempfile::tempdir().unwrap();
        let networks = ShippedNetworks::write(&folder.path().join("networks")).unwrap();
        let clip = ClipSnapshot::open(&networks.clip, &cpu()).unwrap();
        let file = Snapshot::open(&networks.gan.join(GENERATOR_FILE), GENERATOR_KIND).unwrap();
        let generator: GeneratorConfig = file.config().unwrap();
        file.load_into(generator.init::<Base>(0, &cpu()).unwrap()).unwrap();
        assert_eq!(file.provenance()["clip_sha256"], clip.sha256);
        let judge = FeatureNetwork::open_classifier(&networks.classifier, &cpu()).unwrap();
        assert_eq!(judge.kind(), FeatureKind::Classifier);
        let file = Snapshot::open(&networks.gan.join(DISCRIMINATOR_FILE), DISCRIMINATOR_KIND).unwrap();
        let discriminator: DiscriminatorConfig = file.config().unwrap();
        file.load_into(discriminator.init::<Base>(0, &cpu()).unwrap()).unwrap();
        assert_eq!(generator.condition_dims(), discriminator.condition_dims());
        assert!(generator.condition_dims().iter().all(|dim| *dim == clip.config.embed_dim));
    }
}
