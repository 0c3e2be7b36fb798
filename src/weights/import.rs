//! From a foreign file to one of our networks and its snapshot.

use std::path::Path;

use burn::module::Module;
use burn::tensor::backend::Backend;
use serde::Serialize;
use serde_json::{Value, json};

use super::choice::{Choice, ChosenNetwork};
use super::clip::{ClipHints, config_beside, read_clip};
use super::door::Filled;
use super::feature_networks::{read_inception, read_resnet};
use super::foreign::ForeignFile;
use super::import_error::ImportError;
use super::json_beside::require_imagenet_colours;
use super::kind::NetworkKind;
use super::mapper::{MapperHints, read_mapper};
use super::report::{ImportReport, Strictness};
use super::sizes::SizesError;
use super::stylegan2::{GanHints, SecondHead, read_discriminator, read_generator};
use crate::models::clip::{Clip, ClipConfig};
use crate::models::inception::{Inception, InceptionConfig};
use crate::models::mapper::{Mapper, MapperConfig};
use crate::models::resnet::{Resnet, ResnetConfig};
use crate::models::stylegan2::{Discriminator, DiscriminatorConfig, Generator, GeneratorConfig};
use crate::run::clock::now_utc;
use crate::run::error::RunError;
use crate::run::snapshot::save_snapshot;
use crate::tensor_ops::backend::{Base, Device};

/// What the caller wants and knows.
#[derive(Clone, Debug, Default)]
pub struct ImportRequest {
    /// Network of the file, by name or by kind.
    pub choice: Choice,
    /// Whether a network with problems may be used.
    pub strictness: Strictness,
    /// The second condition branch of a GAN.
    pub second_head: SecondHead,
    /// What the shapes of a CLIP do not tell.
    pub clip: ClipHints,
    /// What the shapes of a GAN do not tell.
    pub gan: GanHints,
    /// What the shapes of a mapper do not tell.
    pub mapper: MapperHints,
}

/// A network of any kind with its sizes.
#[derive(Debug)]
#[expect(missing_docs, reason = "the kinds of NetworkKind")]
pub enum ImportedNetwork {
    Clip(ClipConfig, Box<Clip<Base>>),
    Generator(GeneratorConfig, Box<Generator<Base>>),
    Discriminator(DiscriminatorConfig, Box<Discriminator<Base>>),
    Mapper(MapperConfig, Box<Mapper<Base>>),
    Resnet(ResnetConfig, Box<Resnet<Base>>),
    Inception(InceptionConfig, Box<Inception<Base>>),
}

/// A network that passed the door.
#[derive(Debug)]
pub struct Imported {
    /// Its name in the file; empty for a bare state dict.
    pub name: String,
    /// Its kind, as its tensors or the caller told.
    pub kind: NetworkKind,
    /// The network.
    pub network: ImportedNetwork,
    /// Account of every tensor: used, dropped with its reason, or a problem.
    pub report: ImportReport,
}

/// Imports the wanted network of a file.
///
/// # Errors
/// [`ImportError`] that names file and tensors; every problem is listed at once.
pub fn import(file: &ForeignFile, request: &ImportRequest, device: &Device) -> Result<Imported, ImportError> {
    let chosen = request.choice.of(file)?;
    let kind = chosen.kind;
    let door = Door { file, kind, strictness: request.strictness };
    if request.second_head != SecondHead::AsStored
        && !matches!(kind, NetworkKind::Generator | NetworkKind::Discriminator)
    {
        let path = file.path.clone();
        let expected = "generator or discriminator";
        return Err(ImportError::Option { path, option: "--second-head", expected, found: kind });
    }
    let ChosenNetwork { name, network, .. } = chosen;
    let (network, report) = match kind {
        NetworkKind::Clip => {
            let hints = clip_hints(file, request)?;
            let (config, clip, report) = door.open(read_clip(&network, &hints, device))?;
            (ImportedNetwork::Clip(config, Box::new(clip)), report)
        }
        NetworkKind::Generator => {
            let read = read_generator(&network, &request.gan, request.second_head, device);
            let (config, generator, report) = door.open(read)?;
            (ImportedNetwork::Generator(config, Box::new(generator)), report)
        }
        NetworkKind::Discriminator => {
            let read = read_discriminator(&network, &request.gan, request.second_head, device);
            let (config, discriminator, report) = door.open(read)?;
            (ImportedNetwork::Discriminator(config, Box::new(discriminator)), report)
        }
        NetworkKind::Mapper => {
            let (config, mapper, report) = door.open(read_mapper(&network, request.mapper, device))?;
            (ImportedNetwork::Mapper(config, Box::new(mapper)), report)
        }
        NetworkKind::Resnet => {
            require_imagenet_colours(&file.path)?;
            let (config, resnet, report) = door.open(read_resnet(&network, device))?;
            (ImportedNetwork::Resnet(config, Box::new(resnet)), report)
        }
        NetworkKind::Inception => {
            let (config, inception, report) = door.open(read_inception(&network, device))?;
            (ImportedNetwork::Inception(config, Box::new(inception)), report)
        }
    };
    Ok(Imported { name: name.to_string(), kind, network, report })
}

/// What the caller says, then what the configuration beside the file says. A file of OpenCLIP's own name has OpenAI's tensors and, as a
/// rule, another activation: without its configuration the caller must say which, for a wrong one changes every embedding and
/// shows nowhere.
fn clip_hints(file: &ForeignFile, request: &ImportRequest) -> Result<ClipHints, ImportError> {
    let beside = config_beside(&file.path)?.unwrap_or_default();
    let ClipHints { vision_heads, text_heads, activation, image_size } = request.clip.clone();
    let activation = activation.or(beside.activation);
    let is_open_clips =
        file.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("open_clip"));
    if activation.is_none() && is_open_clips {
        let reason = SizesError::Config(
            "`activation` does not show in the tensors, and no `open_clip_config.json` is beside the file: set \
             `--clip-activation gelu`, or `quick-gelu` for a network whose name says so"
                .into(),
        );
        return Err(ImportError::Sizes { path: file.path.clone(), kind: NetworkKind::Clip, reason });
    }
    Ok(ClipHints {
        vision_heads: vision_heads.or(beside.vision_heads),
        text_heads: text_heads.or(beside.text_heads),
        activation,
        image_size: image_size.or(beside.image_size),
    })
}

/// Turns what does not fit into errors that name the file.
struct Door<'a> {
    file: &'a ForeignFile,
    kind: NetworkKind,
    strictness: Strictness,
}

impl Door<'_> {
    fn open<C, M>(
        &self,
        read: Result<Filled<C, M>, SizesError>,
    ) -> Result<(C, M, ImportReport), ImportError> {
        let path = self.file.path.clone();
        let Filled { config, network, report } =
            read.map_err(|reason| ImportError::Sizes { path: path.clone(), kind: self.kind, reason })?;
        match report.refusal(self.strictness) {
            None => Ok((config, network, report)),
            Some(problems) => {
                let is_forgivable = report.refusal(Strictness::AllowPartial).is_none();
                Err(ImportError::Tensors { path, kind: self.kind, problems, is_forgivable })
            }
        }
    }
}

/// What a snapshot says of its origin.
pub fn provenance(file: &ForeignFile, imported: &Imported) -> Value {
    let file_name = file.path.file_name().map(|name| name.to_string_lossy().into_owned());
    json!({
        "imported_from": file_name,
        "sha256": file.sha256,
        "size_bytes": file.size_bytes,
        "container": file.format,
        "kind": imported.kind,
        "network": imported.name,
        "imported_at": now_utc(),
        "program": concat!("mindreader ", env!("CARGO_PKG_VERSION")),
        "weights": imported.report,
    })
}

impl Imported {
    /// Writes the snapshot in one step; `config` is what its kind stores.
    ///
    /// # Errors
    /// [`RunError::unwritable`].
    pub fn save(&self, path: &Path, config: &impl Serialize, provenance: &Value) -> Result<(), RunError> {
        match &self.network {
            ImportedNetwork::Clip(_, network) => self.write(path, config, provenance, network.as_ref()),
            ImportedNetwork::Generator(_, network) => self.write(path, config, provenance, network.as_ref()),
            ImportedNetwork::Discriminator(_, network) => {
                self.write(path, config, provenance, network.as_ref())
            }
            ImportedNetwork::Mapper(_, network) => self.write(path, config, provenance, network.as_ref()),
            ImportedNetwork::Resnet(_, network) => self.write(path, config, provenance, network.as_ref()),
            ImportedNetwork::Inception(_, network) => self.write(path, config, provenance, network.as_ref()),
        }
    }

    fn write<B: Backend, M: Module<B>>(
        &self,
        path: &Path,
        config: &impl Serialize,
        provenance: &Value,
        network: &M,
    ) -> Result<(), RunError> {
        save_snapshot(path, self.kind.as_str(), config, provenance, network)
    }

    /// The network's sizes.
    ///
    /// # Errors
    /// Never for the kinds there are.
    pub fn config(&self) -> Result<Value, serde_json::Error> {
        match &self.network {
            ImportedNetwork::Clip(config, _) => serde_json::to_value(config),
            ImportedNetwork::Generator(config, _) => serde_json::to_value(config),
            ImportedNetwork::Discriminator(config, _) => serde_json::to_value(config),
            ImportedNetwork::Mapper(config, _) => serde_json::to_value(config),
            ImportedNetwork::Resnet(config, _) => serde_json::to_value(config),
            ImportedNetwork::Inception(config, _) => serde_json::to_value(config),
        }
    }
}
