//! What the demo's report says: facts, where the networks come from, which runs it shows.

use std::path::Path;
use std::time::Duration;

use super::chain::{Chain, Found};
use super::shipped_networks::DemoNetworks;
use crate::commands::config::ProjectConfig;
use crate::commands::report::ReportSettings;
use crate::error::Result;
use crate::pipelines::trial_choice::Repeats;
use crate::report::number_format::{duration, number};

/// Name of what was drawn from exchanged betas.
const CONTROL: &str = "control: exchanged betas";

/// The report of a finished chain, computed on a device in so much time.
///
/// # Errors
/// When the configuration cannot be written as TOML.
pub(super) fn report_settings(
    chain: &Chain<'_>,
    found: &Found,
    networks: DemoNetworks,
    out: &Path,
    (device, elapsed): (&str, Duration),
) -> Result<ReportSettings> {
    let Found { mappers, pictures, .. } = found;
    let naming = [("decoded", &pictures.identified.naming), (CONTROL, &pictures.control.naming)];
    let named = |(name, naming): (&str, &Option<_>)| naming.clone().map(|naming| (name.to_string(), naming));
    Ok(ReportSettings {
        title: "A synthetic brain, decoded".into(),
        lead: "What mindreader's demo decoded from the betas of a phantom: a subject that does not exist, stored \
               as NSD stores one."
            .into(),
        introduction: introduction(networks),
        facts: facts(chain, found, device, elapsed),
        caveat_of_counts: caveat(&counts_flattered_by(&chain.config)),
        caveat_of_pictures: caveat(&pictures_flattered_by(&chain.config)),
        clip_run: found.clip_run.clone(),
        captions: Some(chain.project.caption_probabilities()),
        mapper_runs: vec![
            ("image mapper".into(), mappers.image.run_dir.clone()),
            ("caption mapper".into(), mappers.caption.run_dir.clone()),
            (CONTROL.into(), mappers.control.run_dir.clone()),
        ],
        gan_runs: found.gan_runs.clone(),
        identification: vec![
            ("decoded".into(), pictures.identified.identification.accuracies.clone()),
            (CONTROL.into(), pictures.control.identification.accuracies.clone()),
        ],
        identified_by: Some(pictures.identified.features.kind),
        naming: naming.into_iter().filter_map(named).collect(),
        reconstruct_run: Some(pictures.run.clone()),
        ranking_run: Some(pictures.identified.run.clone()),
        microstim_runs: found.microstim_runs.clone(),
        encode_run: Some(found.encoded.run.clone()),
        score: Some(found.score.clone()),
        commands: vec![command(networks, out)],
        configuration: toml::to_string(&chain.config)?,
        out: out.join("report.html"),
    })
}

/// What the report's first table lists.
fn facts(chain: &Chain<'_>, found: &Found, device: &str, elapsed: Duration) -> Vec<(String, String)> {
    let (phantom, prepared) = (&found.subject.phantom, &found.subject.prepared);
    let stimuli =
        format!("{} images, {} photographs among their sources", phantom.images, phantom.photographs);
    let voxels = format!("{} in {}", prepared.num_voxels, chain.config.prepare.roi.join(" + "));
    vec![
        ("stimuli".into(), stimuli),
        ("signal".into(), format!("{} × NSD's", number(chain.config.phantom.signal))),
        ("trials".into(), prepared.num_trials.to_string()),
        ("images".into(), prepared.num_images.to_string()),
        ("voxels".into(), voxels),
        ("held-out trials".into(), found.mappers.image.num_validation_trials.to_string()),
        ("captions kept per image".into(), number(found.screened.mean_kept)),
        ("device".into(), device.to_string()),
        ("time".into(), duration(Duration::from_secs(elapsed.as_secs()))),
    ]
}

/// What makes the counts of mappers better than they would be on NSD.
fn counts_flattered_by(config: &ProjectConfig) -> Vec<String> {
    let signal = config.phantom.signal;
    let strength = (signal > 1.0).then(|| format!("the phantom's signal is {} times NSD's", number(signal)));
    let epoch = "the epoch of each mapper was chosen on the held-out trials that are then counted, as in the paper's code";
    strength.into_iter().chain([epoch.to_string()]).collect()
}

/// The same of decoded pictures.
fn pictures_flattered_by(config: &ProjectConfig) -> Vec<String> {
    let averaged = (config.reconstruct.repeats == Repeats::Average).then(|| {
        "the presentations of a held-out image are averaged before it is decoded, where the paper decodes single trials".into()
    });
    let settings = "length, weights and decay of the finetuning in the demo's configuration were tried out on held-out images of \
                    such a phantom";
    counts_flattered_by(config).into_iter().chain(averaged).chain([settings.to_string()]).collect()
}

/// One sentence of all reasons.
fn caveat(reasons: &[String]) -> Option<String> {
    (!reasons.is_empty()).then(|| format!("These figures flatter: {}.", reasons.join("; ")))
}

fn command(networks: DemoNetworks, out: &Path) -> String {
    let flag = if networks == DemoNetworks::Trained { " --train-all" } else { "" };
    format!("mindreader demo --out {}{flag}", out.display())
}

fn introduction(networks: DemoNetworks) -> Vec<String> {
    let origin = match networks {
        DemoNetworks::Shipped => {
            "CLIP and the pretrained generator come with the program and have seen none of these images; mappers and \
             finetuning were trained within this demo. The networks are small, so the pictures are coarse. "
        }
        DemoNetworks::Trained => {
            "The networks are small and were trained within this demo, so the pictures are coarse. "
        }
    };
    vec![
        "The phantom's brain is known: retinotopic voxels respond to contrast and colour in their receptive field, \
         category voxels to faces, bodies, places and words, others to mixtures, some to nothing; every voxel has noise, \
         drift and gain. The decoder sees only the files."
            .into(),
        format!(
            "{origin}What counts is whether they follow the brain: compare retrieval and identification with chance and with \
             the control before you trust a picture."
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::demo::CONFIGURATION;

    #[test]
    fn what_flatters_the_demo_stands_beside_its_figures() {
        let demo: ProjectConfig = toml::from_str(CONFIGURATION).unwrap();
        let pictures = caveat(&pictures_flattered_by(&demo)).unwrap();
        for reason in
            ["signal is 3 times NSD's", "averaged", "tried out on held-out images", "epoch of each mapper"]
        {
            assert!(pictures.contains(reason), "{reason}: {pictures}");
        }
        let counts = caveat(&counts_flattered_by(&demo)).unwrap();
        assert!(counts.contains("3 times") && !counts.contains("averaged"), "{counts}");
        let mut weak = demo;
        weak.phantom.signal = 1.0;
        weak.reconstruct.repeats = Repeats::Single;
        let pictures = caveat(&pictures_flattered_by(&weak)).unwrap();
        assert!(!pictures.contains("signal") && !pictures.contains("averaged"), "{pictures}");
        assert_eq!(caveat(&[]), None);
    }
}
