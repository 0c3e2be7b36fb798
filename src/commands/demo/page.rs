//! What the demo's report says beside its runs: where the networks come from, how long it took, the commands that lead there.

use std::path::Path;
use std::time::Duration;

use super::found::Found;
use super::shipped_networks::DemoNetworks;
use crate::commands::config::ProjectConfig;
use crate::commands::report::{Preface, ReportSettings};
use crate::error::Result;
use crate::report::number_format::{duration, number};

/// The report of a finished chain, computed on a device in so much time.
///
/// # Errors
/// When the configuration cannot be written as TOML.
pub(super) fn report_settings(
    config: &ProjectConfig,
    found: &Found,
    networks: DemoNetworks,
    out: &Path,
    (device, elapsed): (&str, Duration),
) -> Result<ReportSettings> {
    let preface = Preface {
        title: "A synthetic brain, decoded".into(),
        lead: "What mindreader's demo decoded from the betas of a phantom: a subject that does not exist, stored \
               as NSD stores one."
            .into(),
        introduction: vec![introduction(networks)],
        facts: facts(found, device, elapsed),
        commands: vec![command(networks, out)],
        configuration: toml::to_string(config)?,
    };
    // Its runs are those that the record of the chain names.
    let settings = ReportSettings::resolve(&config.project(), vec![], Some(out.join("report.html")));
    Ok(ReportSettings { preface, ..settings })
}

/// What the table of the subject lists beside what its files say.
fn facts(found: &Found, device: &str, elapsed: Duration) -> Vec<(String, String)> {
    let phantom = &found.phantom;
    let stimuli =
        format!("{} images, {} photographs among their sources", phantom.images, phantom.photographs);
    vec![
        ("stimuli".into(), stimuli),
        ("captions kept per image".into(), number(found.screened.mean_kept)),
        ("device".into(), device.to_string()),
        ("time".into(), duration(Duration::from_secs(elapsed.as_secs()))),
    ]
}

fn command(networks: DemoNetworks, out: &Path) -> String {
    let flag = if networks == DemoNetworks::Trained { " --train-all" } else { "" };
    format!("mindreader demo --out {}{flag}", out.display())
}

fn introduction(networks: DemoNetworks) -> String {
    let origin = match networks {
        DemoNetworks::Shipped => {
            "CLIP and the pretrained generator come with the program and have seen none of these images; mappers and \
             finetuning were trained within this demo. The networks are small, so the pictures are coarse. "
        }
        DemoNetworks::Trained => {
            "The networks are small and were trained within this demo, so the pictures are coarse. "
        }
    };
    format!(
        "{origin}What counts is whether they follow the brain: compare retrieval and identification with chance and with \
         the control before you trust a picture."
    )
}
