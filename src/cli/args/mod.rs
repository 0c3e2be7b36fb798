//! Arguments of every subcommand, each in the file of its name; those without flags of their own stand here. A flag is a short
//! name for a configuration key: it becomes the topmost layer.

mod ablate;
mod classify;
mod demo;
mod encoding;
mod evaluate;
mod finetune_gan;
mod flag_groups;
mod global;
mod import;
mod init;
mod phantom;
mod pictures;
mod prepare;
mod pretrain_gan;
mod report;
mod run;
mod score;
mod split;
mod train_mapper;
mod weights;

use std::path::Path;

use clap::{Parser, Subcommand};

pub use ablate::AblateArgs;
pub use classify::ClassifyArgs;
pub use demo::DemoArgs;
pub use encoding::{CycleArgs, EncodeArgs};
pub use evaluate::EvaluateArgs;
pub use finetune_gan::FinetuneGanArgs;
pub use flag_groups::{ClipArg, ResumeArg};
pub use global::{GlobalArgs, Subjects};
pub use import::ImportArgs;
pub use init::InitArgs;
pub use phantom::PhantomArgs;
pub use pictures::{EvaluateImagesArgs, InterpolateArgs, MicrostimArgs, ReconstructArgs};
pub use prepare::PrepareArgs;
pub use pretrain_gan::PretrainGanArgs;
pub use report::ReportArgs;
pub use run::RunArgs;
pub use score::ScoreArgs;
pub use split::SplitArgs;
pub use train_mapper::TrainMapperArgs;
pub use weights::{CompactWeightsArgs, ImportWeightsArgs, WeightsArgs};

use super::layers::Layers;
use super::usage_error::UsageError;

/// Decode images from fMRI: NSD betas to CLIP embeddings to a conditional StyleGAN2.
#[derive(Debug, Parser)]
#[command(name = "mindreader", version, about, long_about = None, propagate_version = true)]
#[command(
    after_help = "Example: mindreader demo\n         mindreader prepare --nsd /data/nsd --subject 1\n\n\
    Exit codes: 0 done; 1 the work failed; 2 wrong input or usage; stopped by a signal, go on as the message says: 129 SIGHUP, \
    130 SIGINT (Ctrl-C), 143 SIGTERM, SIGUSR1, SIGUSR2. docs/exit-codes.md has them all."
)]
pub struct Cli {
    /// Flags of every subcommand.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands, in the order in which they are used.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole pipeline on a small synthetic brain and write a report
    Demo(DemoArgs),
    /// Look around and write `mindreader.toml`, which every command in the folder reads
    Init(InitArgs),
    /// Run the whole pipeline of a subject, from its files to its report; steps that are done are not done again
    Run(RunArgs),
    /// Say what of NSD is there, what is missing, and what each missing file is needed for
    Doctor,
    /// Write a synthetic subject in NSD's files, whose brain is known
    Phantom(PhantomArgs),
    /// Extract and z-score the betas of a region into one file
    Prepare(PrepareArgs),
    /// Bring in data of one's own: betas, pictures, captions, regions
    Import(ImportArgs),
    /// Make a split that follows from what the images show, for `split.rule = "file"`
    Split(SplitArgs),
    /// Turn a published checkpoint into a snapshot, every tensor accounted for
    ImportWeights(ImportWeightsArgs),
    /// Say what files of weights hold, ours or foreign
    Weights(WeightsArgs),
    /// Store a snapshot's weights in half precision, for passing on
    CompactWeights(CompactWeightsArgs),
    /// Train a small CLIP on the subject's stimuli and their captions
    PretrainClip(ResumeArg),
    /// Train a small network that says what a picture shows, as a judge of drawn pictures
    PretrainClassifier(ResumeArg),
    /// Keep the captions of each image that CLIP finds fitting
    ScreenCaptions(ClipArg),
    /// Train a mapper from betas to CLIP's image or caption space
    TrainMapper(TrainMapperArgs),
    /// Count what mappers retrieve on held-out trials, each alone and combined
    Evaluate(EvaluateArgs),
    /// Fill a table of the paper: train the mappers of its rows, those that are done already are read
    Ablate(AblateArgs),
    /// Tell what the images show from betas, from embeddings of the images and from decoded ones
    Classify(ClassifyArgs),
    /// Predict every voxel's betas from the image's embedding, beside its noise ceiling
    Encode(EncodeArgs),
    /// Take pictures round: to predicted betas, and back to pictures
    Cycle(CycleArgs),
    /// Train the conditional GAN on images alone
    PretrainGan(PretrainGanArgs),
    /// Train the conditional GAN on decoded embeddings
    FinetuneGan(FinetuneGanArgs),
    /// Decode betas into images
    Reconstruct(ReconstructArgs),
    /// Measure reconstructed images: Fréchet distance and n-way identification
    EvaluateImages(EvaluateImagesArgs),
    /// Draw the way between trials, from one decoded image to the next
    Interpolate(InterpolateArgs),
    /// Drive or silence a region and see what changes in the image
    Microstim(MicrostimArgs),
    /// Compare what was estimated on a phantom with its truth: noise ceilings, screened captions, retrieval
    Score(ScoreArgs),
    /// Show what the runs of a subject found on one page, and say what is missing
    Report(ReportArgs),
    /// Print every setting with its value, as TOML that `--config` accepts
    Config,
}

impl Command {
    /// Whether it trains a network in one run, which its checkpoint goes on with.
    pub fn is_training(&self) -> bool {
        match self {
            Self::PretrainClip(_)
            | Self::PretrainClassifier(_)
            | Self::TrainMapper(_)
            | Self::PretrainGan(_)
            | Self::FinetuneGan(_) => true,
            Self::Encode(args) => args.is_training(),
            _ => false,
        }
    }

    /// The checkpoint that a training continues.
    pub fn resumed(&self) -> Option<&Path> {
        match self {
            Self::PretrainClip(args) | Self::PretrainClassifier(args) => args.resume.as_deref(),
            Self::TrainMapper(args) => args.resume.as_deref(),
            Self::PretrainGan(args) => args.resume.as_deref(),
            Self::FinetuneGan(args) => args.resume.as_deref(),
            Self::Encode(args) => args.resume.as_deref(),
            _ => None,
        }
    }

    /// Adds the flags of the subcommand to the settings.
    ///
    /// # Errors
    /// When a flag and the configuration contradict each other in shape.
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        match self {
            Self::Config
            | Self::Doctor
            | Self::Score(_)
            | Self::Report(_)
            | Self::ImportWeights(_)
            | Self::Weights(_)
            | Self::CompactWeights(_)
            | Self::PretrainClip(_)
            | Self::PretrainClassifier(_) => Ok(layers),
            Self::Demo(args) => args.layers(layers),
            Self::Init(args) => args.layers(layers),
            Self::Run(args) => args.layers(layers),
            Self::Phantom(args) => args.layers(layers),
            Self::Prepare(args) => args.layers(layers),
            Self::Import(args) => args.layers(layers),
            Self::ScreenCaptions(args) => args.layers(layers),
            Self::Encode(args) => args.layers(layers),
            Self::Cycle(args) => args.layers(layers),
            Self::Split(args) => args.layers(layers),
            Self::TrainMapper(args) => args.layers(layers),
            Self::Evaluate(args) => args.layers(layers),
            Self::Ablate(args) => args.layers(layers),
            Self::Classify(args) => args.layers(layers),
            Self::PretrainGan(args) => args.layers(layers),
            Self::FinetuneGan(args) => args.layers(layers),
            Self::Reconstruct(args) => args.layers(layers),
            Self::EvaluateImages(args) => args.layers(layers),
            Self::Interpolate(args) => args.layers(layers),
            Self::Microstim(args) => args.layers(layers),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    use crate::commands::config::ProjectConfig;
    use crate::commands::interpolate::{LatentPath, PathChoice};
    use crate::commands::reconstruct::GridLayout;
    use crate::models::condition_source::ConditionSource;
    use crate::pipelines::trial_choice::Repeats;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    fn resolved(arguments: &str) -> ProjectConfig {
        let arguments = std::iter::once("mindreader").chain(arguments.split_whitespace());
        let cli = Cli::try_parse_from(arguments).unwrap();
        let layers = cli.command.layers(cli.global.layers(Layers::default()).unwrap()).unwrap();
        layers.resolve(ProjectConfig::validate).unwrap()
    }

    #[test]
    fn flags_are_settings() {
        let config =
            resolved("reconstruct --conditions image,both --repeats each --grid repeats --truncation 0.5");
        let reconstruct = config.reconstruct;
        assert_eq!(reconstruct.conditions, [ConditionSource::Image, ConditionSource::Both]);
        assert_eq!((reconstruct.repeats, reconstruct.grid), (Repeats::Single, GridLayout::Repeats));
        assert_eq!(reconstruct.truncation_psi, 0.5);
        // Without a word of the user's it is the generator's snapshot that decides.
        assert_eq!((reconstruct.condition, reconstruct.strict), (None, false));
        let reconstruct = resolved("reconstruct --condition caption --strict").reconstruct;
        assert_eq!((reconstruct.condition, reconstruct.strict), (Some(ConditionSource::Caption), true));
        let microstim = resolved("microstim").microstim;
        assert_eq!((microstim.condition, microstim.strict), (None, false));
        let microstim = resolved("microstim --condition image-resnet --strict").microstim;
        assert_eq!((microstim.condition, microstim.strict), (Some(ConditionSource::ImageResnet), true));
        let way = resolved("interpolate --trials 12,40,7 --loop --path betas --frames 9 --z slerp --strict")
            .interpolate;
        assert_eq!((way.trials.as_slice(), way.is_loop, way.frames), (&[12, 40, 7][..], true, 9));
        assert_eq!((way.path, way.z, way.strict), (PathChoice::Betas, LatentPath::Slerp, true));
        let one = resolved("microstim --roi V1 --level 4").microstim;
        assert_eq!((one.roi.as_str(), one.excited_beta, one.has_several()), ("V1", 4.0, false));
        let several = resolved("microstim --roi V1 --roi V2 --level 2,8,4 --controls 3").microstim;
        assert_eq!(several.rois, ["V1", "V2"]);
        assert_eq!(
            (several.levels.as_slice(), several.excited_beta, several.controls),
            (&[2.0, 8.0, 4.0][..], 8.0, 3)
        );
        assert!(resolved("microstim --paper").microstim.has_several());
        let config = resolved("pretrain-gan --images a.zip --annotations b.json --clip-features");
        assert_eq!(config.paths.images, Some("a.zip".into()));
        assert_eq!(config.paths.annotations, Some("b.json".into()));
        assert!(config.pretrain_gan.snapshots.clip_features && !config.finetune_gan.snapshots.clip_features);
        // A network of one's own goes before a file's wish for CLIP's features.
        let config = resolved(
            "pretrain-gan --set pretrain_gan.snapshots.clip_features=true --classifier c.safetensors",
        );
        assert_eq!(config.paths.classifier, Some("c.safetensors".into()));
        assert!(!config.pretrain_gan.snapshots.clip_features);
        let config = resolved("evaluate-images --classifier c --inception i");
        assert_eq!((config.paths.classifier, config.paths.inception), (Some("c".into()), Some("i".into())));
        let classify = resolved("classify --masks 3 --image-mapper m");
        assert_eq!(classify.paths.image_mapper, Some("m".into()));
        assert!(classify.classify.masking && classify.classify.mask.masks == 3);
        assert!(resolved("classify --retrain").classify.masking && !resolved("classify").classify.masking);
        assert_eq!(resolved("ablate --table 1 --classifier c").paths.classifier, Some("c".into()));
        let config = resolved("finetune-gan --inception c.safetensors");
        assert_eq!(config.paths.inception, Some("c.safetensors".into()));
        for wrong in [
            "pretrain-gan --inception a --clip-features",
            "finetune-gan --classifier a --clip-features",
            "finetune-gan --classifier a --inception b",
            "reconstruct --average --repeats each",
            "reconstruct --condition image --conditions image,both",
            "score --evaluation a --microstim b",
            "microstim --paper --roi V1",
            "interpolate --sequence --loop",
            "interpolate --smoothing 0.5",
        ] {
            let arguments = std::iter::once("mindreader").chain(wrong.split_whitespace());
            assert!(Cli::try_parse_from(arguments).is_err(), "{wrong}");
        }
    }
}
