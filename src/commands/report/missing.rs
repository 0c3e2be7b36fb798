//! What a page cannot show, each with the command that makes it.

use serde::{Deserialize, Serialize};

use super::gathered::Gathered;
use super::measures::JudgedPictures;
use super::subject::Subject;
use crate::commands::train_mapper::BetasControl;
use crate::models::mapper::MapperTarget;
use crate::pipelines::command_line::{CommandLine, quoted};
use crate::pipelines::pictures::picture_features::FeatureKind;
use crate::pipelines::trial_choice::Repeats;

/// Snapshot of a mapper's run.
const BEST_FILE: &str = "best.safetensors";

/// A part of the page that is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingPart {
    /// What would be shown.
    pub part: String,
    /// The command that makes it, as it is typed.
    pub command: String,
}

/// Command that makes the control of the image mapper.
pub(super) const CONTROL_COMMAND: &str = "train-mapper --target image --shuffle-betas";

/// Everything that is not there and could be, in the order in which it is made. `has_captions`: whether captions were screened.
pub(super) fn missing(
    gathered: &Gathered,
    subject: &Subject,
    judged: Option<&JudgedPictures>,
    has_captions: bool,
    commands: &CommandLine,
) -> Vec<MissingPart> {
    let mut parts = Vec::new();
    let mut require = |is_there: bool, part: &str, command: &str| {
        if !is_there {
            parts.push(MissingPart { part: part.into(), command: commands.line(command) });
        }
    };
    let has_mapper = |target, betas| gathered.mapper(target, betas).is_some();
    let (measured, control) = (BetasControl::Measured, BetasControl::Shuffled);
    require(has_captions || subject.lacks_captions, "screened captions", "screen-captions");
    let image = has_mapper(MapperTarget::Image, measured);
    require(image, "image mapper", "train-mapper --target image");
    // A ResNet mapper is the other second mapper.
    let second = has_mapper(MapperTarget::Caption, measured) || has_mapper(MapperTarget::Resnet, measured);
    require(second || subject.lacks_captions, "caption mapper", "train-mapper --target caption");
    let has_control = has_mapper(MapperTarget::Image, control);
    require(has_control, "control of the counts: a mapper of exchanged betas", CONTROL_COMMAND);
    let has_caption_control =
        has_mapper(MapperTarget::Caption, control) || !has_mapper(MapperTarget::Caption, measured);
    require(
        has_caption_control,
        "control of the caption mapper",
        "train-mapper --target caption --shuffle-betas",
    );
    require(gathered.evaluation.is_some(), "retrieval by combined mappers and ridge", "evaluate --ridge");
    require(gathered.finetuning.is_some(), "GAN, finetuned", "finetune-gan");
    require(gathered.drawn.is_some(), "decoded pictures", "reconstruct");
    if let Some(drawn) = gathered.drawn.as_ref().filter(|_| gathered.judged.is_none()) {
        let run = quoted(&drawn.folder.display().to_string());
        require(false, "identification of the decoded pictures", &format!("evaluate-images --run {run}"));
    }
    if let Some(command) = control_drawing(gathered).filter(|_| gathered.drawn_control.is_none()) {
        require(false, "control of the pictures: drawn from exchanged betas", &command);
    }
    if let Some(drawn) = gathered.drawn_control.as_ref().filter(|_| gathered.judged_control.is_none()) {
        let run = quoted(&drawn.folder.display().to_string());
        let network = judged.map_or(String::new(), network_flag);
        require(
            false,
            "identification of the control's pictures",
            &format!("evaluate-images --run {run}{network}"),
        );
    }
    if let Some(region) = subject.region().filter(|_| gathered.stimulated.is_empty()) {
        require(false, "microstimulation of a region", &format!("microstim --roi {}", quoted(region)));
    }
    require(gathered.encoded.is_some(), "encoding model, voxel by voxel", "encode");
    parts
}

/// Draws what a mapper of exchanged betas decodes as the shown pictures were drawn; none before there are both.
fn control_drawing(gathered: &Gathered) -> Option<String> {
    let mapper = gathered.mapper(MapperTarget::Image, BetasControl::Shuffled)?;
    let section = gathered.drawn.as_ref()?.config.reconstruct.clone()?;
    let snapshot = quoted(&format!("paths.image_mapper={}", mapper.folder.join(BEST_FILE).display()));
    let repeats = match section.repeats {
        Repeats::Single => "",
        Repeats::First => " --repeats first",
        Repeats::Average => " --average",
    };
    let limit = if section.limit > 0 { format!(" --limit {}", section.limit) } else { String::new() };
    let samples = section.samples;
    // The caption mapper's control steers along, where there is one.
    let (condition, second) = match gathered.mapper(MapperTarget::Caption, BetasControl::Shuffled) {
        Some(caption) => {
            let path = caption.folder.join(BEST_FILE);
            ("", format!(" --set {}", quoted(&format!("paths.caption_mapper={}", path.display()))))
        }
        None => (" --condition image", String::new()),
    };
    Some(format!("reconstruct{condition} --samples {samples}{repeats}{limit} --set {snapshot}{second}"))
}

/// The flag that takes the network which measured the decoded pictures.
fn network_flag(judged: &JudgedPictures) -> String {
    let flag = match judged.features.kind {
        FeatureKind::FidInception | FeatureKind::NarrowInception => "--inception",
        FeatureKind::ClipImage => "--clip",
        FeatureKind::Classifier => "--classifier",
    };
    format!(" {flag} {}", quoted(&judged.features.snapshot.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipelines::project::Project;

    #[test]
    fn what_a_subject_cannot_have_is_not_missing() {
        let commands = CommandLine::default();
        let subject = Subject { lacks_captions: true, regions: Some(vec![]), ..Subject::default() };
        let parts = missing(&Gathered::default(), &subject, None, false, &commands);
        let is_about = |words: &str| parts.iter().any(|part| part.command.contains(words));
        assert!(!is_about("caption") && !is_about("microstim"), "{parts:?}");
        let subject =
            Subject { regions: Some(vec!["nsdgeneral".into(), "V1 left".into()]), ..Subject::default() };
        let parts = missing(&Gathered::default(), &subject, None, false, &commands);
        assert!(parts.iter().any(|part| part.command == "mindreader microstim --roi 'V1 left'"), "{parts:?}");
    }

    #[test]
    fn of_nothing_everything_is_missing_in_the_order_of_the_chain() {
        let commands = CommandLine::new(&Project::default(), None, &[]);
        let parts = missing(&Gathered::default(), &Subject::default(), None, false, &commands);
        let of: Vec<&str> = parts
            .iter()
            .map(|part| {
                part.command.strip_prefix("mindreader ").unwrap().strip_suffix(" --subject 1").unwrap()
            })
            .collect();
        assert_eq!(
            of,
            [
                "screen-captions",
                "train-mapper --target image",
                "train-mapper --target caption",
                "train-mapper --target image --shuffle-betas",
                "evaluate --ridge",
                "finetune-gan",
                "reconstruct",
                "microstim --roi floc-faces",
                "encode",
            ]
        );
    }
}
