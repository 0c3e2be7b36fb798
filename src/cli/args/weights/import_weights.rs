//! Arguments of `import-weights`.

use std::path::PathBuf;

use clap::builder::{RangedU64ValueParser, TypedValueParser};
use clap::{Args, ValueEnum};

use crate::cli::args::flag_groups::TargetArg;
use crate::commands::import_weights::{ImportWeightsSettings, MapperOrigin};
use crate::error::limits;
use crate::models::clip::ClipActivation;
use crate::models::mapper::MOST_VOXELS;
use crate::models::stylegan2::HeadNormalisation;
use crate::pipelines::project::Project;
use crate::run::existing_output::ExistingOutput;
use crate::weights::choice::Choice;
use crate::weights::clip::ClipHints;
use crate::weights::import::ImportRequest;
use crate::weights::kind::NetworkKind;
use crate::weights::mapper::MapperHints;
use crate::weights::report::Strictness;
use crate::weights::stylegan2::{GanHints, SecondHead};

const AUTO: &str = "auto";

/// Arguments of `import-weights`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples: mindreader import-weights --from ViT-B-32.pt --out weights/clip.safetensors\n          \
    mindreader import-weights --from lafite.pkl --network D --out gan/discriminator.safetensors\n          \
    mindreader import-weights --from mapper.pth --target caption --clip weights/clip.safetensors --out weights/caption-mapper.safetensors\n\
    finetune-gan starts from a folder with `generator.safetensors` and `discriminator.safetensors` (`--set paths.pretrained_gan=DIR`)."
)]
pub struct ImportWeightsArgs {
    /// Checkpoint of another program: PyTorch (.pt, .pth, .bin), TorchScript, safetensors or a StyleGAN2-ADA pickle
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
    /// Snapshot to write
    #[arg(long, value_name = "FILE.safetensors")]
    pub out: PathBuf,
    /// auto, clip, generator, discriminator, mapper, resnet or inception
    #[arg(long, default_value = AUTO, value_parser = kind)]
    pub kind: KindArg,
    /// Network of a file with several: G_ema, G, D, fmri_vec, fmri_vec2
    #[arg(long, value_name = "NAME")]
    pub network: Option<String>,
    /// Keep initial values where a tensor is missing or misshapen, and drop unknown tensors
    #[arg(long = "allow-partial")]
    pub is_partial: bool,
    /// Replace a snapshot that is already there
    #[arg(long)]
    pub overwrite: bool,
    /// Second condition branch of a generator or discriminator
    #[arg(long, value_enum, default_value_t)]
    pub second_head: SecondHeadArg,
    /// What the shapes of a CLIP do not tell
    #[command(flatten, next_help_heading = "CLIP")]
    pub clip_hints: ClipHintArgs,
    /// What the shapes of a GAN do not tell
    #[command(flatten, next_help_heading = "Generator and discriminator")]
    pub gan_hints: GanHintArgs,
    /// What the shapes of a mapper do not tell
    #[command(flatten, next_help_heading = "Mapper")]
    pub mapper: MapperHintArgs,
}

/// `--kind`: a kind, or what the tensors say.
#[derive(Debug, Clone, Copy)]
pub struct KindArg(Option<NetworkKind>);

/// A whole number from `least` to `most`.
fn up_to(least: usize, most: usize) -> impl TypedValueParser<Value = usize> {
    RangedU64ValueParser::<usize>::new().range(least as u64..=most as u64)
}

/// A bound on activations.
fn clamp(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    let bound = number.filter(|number| (0.0..=limits::WEIGHT).contains(number));
    bound.ok_or_else(|| format!("expected a number from 0 to {}", limits::WEIGHT))
}

fn kind(text: &str) -> Result<KindArg, String> {
    if text == AUTO { Ok(KindArg(None)) } else { text.parse().map(|kind| KindArg(Some(kind))) }
}

/// `--second-head`.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum SecondHeadArg {
    /// As the file has it
    #[default]
    AsStored,
    /// A copy of the first, for a network without a second
    Duplicate,
    /// A copy of the first, in place of a second that is there
    Overwrite,
}

/// Activation of CLIP's perceptrons.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ActivationArg {
    /// x·σ(1.702x): OpenAI
    QuickGelu,
    /// x·Φ(x): most networks of OpenCLIP
    Gelu,
}

/// Hints for a CLIP.
#[derive(Debug, Args)]
pub struct ClipHintArgs {
    /// Attention heads of the vision transformer [default: config.json beside the file, else width / 64]
    #[arg(long, value_name = "N", value_parser = up_to(1, limits::WIDTH), allow_negative_numbers = true)]
    pub vision_heads: Option<usize>,
    /// Attention heads of the text transformer [default: config.json beside the file, else width / 64]
    #[arg(long, value_name = "N", value_parser = up_to(1, limits::WIDTH), allow_negative_numbers = true)]
    pub text_heads: Option<usize>,
    /// Activation of the perceptrons [default: config.json beside the file, else quick-gelu]
    #[arg(long, value_enum, value_name = "NAME")]
    pub clip_activation: Option<ActivationArg>,
}

/// Hints for a generator or discriminator whose file has no settings.
#[derive(Debug, Args)]
pub struct GanHintArgs {
    /// Bound on activations, 0 for none [default: the file's, else 256]
    #[arg(long, value_name = "X", value_parser = clamp, allow_negative_numbers = true)]
    pub conv_clamp: Option<f64>,
    /// The discriminator divides its semantic embeddings by their norm [default: the file's, else not]
    #[arg(long)]
    pub unit_heads: bool,
    /// Samples per group of the minibatch deviation [default: the file's, else 4]
    #[arg(long, value_name = "N", value_parser = up_to(1, limits::BATCH), allow_negative_numbers = true)]
    pub mbstd_group: Option<usize>,
}

/// What only the caller knows of a mapper.
#[derive(Debug, Args)]
pub struct MapperHintArgs {
    /// Embedding that it predicts [default: caption for fmri_vec2, else image]
    #[arg(long)]
    pub target: Option<TargetArg>,
    /// Regions whose voxels it reads
    #[arg(long, value_name = "NAME", default_value = "nsdgeneral")]
    pub roi: String,
    /// Voxels before padding [default: those of the subject's nsdgeneral]
    #[arg(long, value_name = "N", value_parser = up_to(1, MOST_VOXELS), allow_negative_numbers = true)]
    pub num_voxels: Option<usize>,
    /// Zeros before the first voxel [default: half of the padding]
    #[arg(long, value_name = "N", value_parser = up_to(0, MOST_VOXELS), allow_negative_numbers = true)]
    pub padding_left: Option<usize>,
    /// Snapshot of the CLIP that made its targets
    #[arg(long, value_name = "SNAPSHOT")]
    pub clip: Option<PathBuf>,
    /// Its last activation is a sigmoid
    #[arg(long)]
    pub sigmoid: bool,
}

impl ImportWeightsArgs {
    /// Settings of the command; `has_subject` says that a subject was asked for.
    pub fn settings(&self, project: &Project, has_subject: bool) -> ImportWeightsSettings {
        let Self { clip_hints, gan_hints, mapper, .. } = self;
        let activation = clip_hints.clip_activation.map(|activation| match activation {
            ActivationArg::QuickGelu => ClipActivation::QuickGelu,
            ActivationArg::Gelu => ClipActivation::Gelu,
        });
        let request = ImportRequest {
            choice: Choice { kind: self.kind.0, network: self.network.clone() },
            strictness: if self.is_partial { Strictness::AllowPartial } else { Strictness::Strict },
            second_head: match self.second_head {
                SecondHeadArg::AsStored => SecondHead::AsStored,
                SecondHeadArg::Duplicate => SecondHead::Duplicate,
                SecondHeadArg::Overwrite => SecondHead::Overwrite,
            },
            clip: ClipHints {
                vision_heads: clip_hints.vision_heads,
                text_heads: clip_hints.text_heads,
                activation,
                image_size: None,
            },
            gan: GanHints {
                conv_clamp: gan_hints.conv_clamp,
                head_normalisation: gan_hints.unit_heads.then_some(HeadNormalisation::UnitNorm),
                mbstd_group: gan_hints.mbstd_group,
            },
            mapper: MapperHints { sigmoid: mapper.sigmoid.then_some(true) },
        };
        ImportWeightsSettings {
            from: self.from.clone(),
            out: self.out.clone(),
            existing: ExistingOutput::of_overwrite_flag(self.overwrite),
            request,
            mapper: MapperOrigin {
                subject: has_subject.then_some(project.subject),
                roi: mapper.roi.clone(),
                num_voxels: mapper.num_voxels,
                padding_left: mapper.padding_left,
                target: mapper.target.map(Into::into),
                clip: mapper.clip.clone().or_else(|| project.paths.clip.clone()),
            },
        }
    }
}
