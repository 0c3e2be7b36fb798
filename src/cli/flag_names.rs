//! Which flag sets which key: errors of a value name what the user typed.

/// Keys and the flags that are their short names.
const FLAG_NAMES: &[(&str, &str)] = &[
    ("subject", "--subject"),
    ("device", "--device"),
    ("precision", "--precision"),
    ("seed", "--seed"),
    ("paths.nsd", "--nsd"),
    ("paths.work", "--work"),
    ("paths.images", "--images"),
    ("paths.annotations", "--annotations"),
    ("paths.clip", "--clip"),
    ("paths.resnet", "--resnet"),
    ("paths.inception", "--inception"),
    ("paths.classifier", "--classifier"),
    ("paths.image_mapper", "--image-mapper"),
    ("paths.caption_mapper", "--caption-mapper"),
    ("paths.pretrained_gan", "--gan"),
    ("paths.generator", "--generator"),
    ("phantom.size", "--size"),
    ("phantom.source", "--source"),
    ("phantom.photographs", "--photographs"),
    ("phantom.signal", "--signal"),
    ("phantom.sessions", "--sessions"),
    ("prepare.roi", "--roi"),
    ("prepare.sessions", "--sessions"),
    ("evaluate.ridge", "--ridge"),
    ("evaluate_images.trials", "--all-trials"),
    ("pretrain_gan.snapshots.clip_features", "--clip-features"),
    ("finetune_gan.snapshots.clip_features", "--clip-features"),
    ("finetune_gan.mappers.mode", "--end-to-end"),
    ("reconstruct.trials.trial", "--trial"),
    ("reconstruct.limit", "--limit"),
    ("reconstruct.samples", "--samples"),
    ("reconstruct.condition", "--condition"),
    ("reconstruct.conditions", "--conditions"),
    ("reconstruct.repeats", "--repeats"),
    ("reconstruct.grid", "--grid"),
    ("reconstruct.truncation_psi", "--truncation"),
    ("reconstruct.strict", "--strict"),
    ("microstim.strict", "--strict"),
    ("microstim.condition", "--condition"),
    ("microstim.roi", "--roi"),
    ("microstim.action", "--silence"),
    ("microstim.excited_beta", "--level"),
    ("microstim.limit", "--limit"),
];

/// The flag that sets `key`, if there is one.
pub(super) fn flag_name(key: &str) -> Option<&'static str> {
    FLAG_NAMES.iter().find(|(known, _)| *known == key).map(|(_, flag)| *flag)
}
