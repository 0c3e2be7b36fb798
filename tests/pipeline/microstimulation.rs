//! What the phantom knows of its regions, and whether driving one shows it.

use std::path::Path;

use mindreader::commands::config::ProjectConfig;
use mindreader::commands::microstim::{self, MicrostimSettings, MicrostimSummary};
use mindreader::commands::phantom::{self, PhantomSettings};
use mindreader::commands::prepare::{self, PrepareSettings};
use mindreader::commands::screen_captions::{self, ScreenCaptionsSettings};
use mindreader::commands::train_mapper::{self, BetasControl, MapperSizes, TrainMapperSettings};
use mindreader::models::mapper::MapperTarget;
use mindreader::pipelines::stimulation::Stimulation;
use mindreader::run::existing_output::ExistingOutput;
use mindreader::run::progress::Silent;

/// What the phantom's face areas are tuned to; the others are not.
const FACE: &str = "A face of a person.";
const SENTENCES: [&str; 5] =
    [FACE, "A dog looking around.", "A stop sign and a bus.", "A chair in a living room.", "The sea."];

/// The tiny phantom with mappers that can be read, and the networks that come with the program.
fn chain(root: &Path) -> ProjectConfig {
    let mut config = crate::configuration("phantom-tiny.toml", root);
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/phantom");
    config.paths.clip = Some(assets.join("clip.safetensors"));
    config.paths.generator = Some(assets.join("generator.safetensors"));
    config.train_mapper.network =
        MapperSizes { hidden: 32, fc: 64, num_blocks: 1, ..config.train_mapper.network };
    config.train_mapper.train.phase1.epochs = 20;
    config.train_mapper.train.phase2.epochs = 0;
    config.train_mapper.train.optimiser.learning_rate = 2e-3;
    config.microstim.limit = 20;
    config.microstim.probes = SENTENCES.map(String::from).to_vec();
    config
}

fn change_of_face(summary: &MicrostimSummary) -> mindreader::metrics::bootstrap::Interval {
    summary.probes.iter().find(|probe| probe.sentence == FACE).unwrap().change
}

#[test]
fn driving_the_face_areas_raises_the_face_and_silencing_or_driving_others_does_not() {
    let root = tempfile::tempdir().unwrap();
    let config = chain(root.path());
    let quiet = &mut Silent;
    let project = config.project();
    let settings = PhantomSettings::resolve(&project, &config.phantom, ExistingOutput::Refuse).unwrap();
    phantom::run(&settings, quiet).unwrap();
    let settings = PrepareSettings::resolve(&project, &config.prepare, ExistingOutput::Refuse).unwrap();
    prepare::run(&settings, quiet).unwrap();
    let settings = ScreenCaptionsSettings::resolve(&project, &config.screen_captions).unwrap();
    screen_captions::run(&settings, quiet).unwrap();
    for target in [MapperTarget::Image, MapperTarget::Caption] {
        let betas = BetasControl::Measured;
        let mut config = config.train_mapper.clone();
        if target == MapperTarget::Caption {
            // Probes are of the image embedding.
            config.train.phase1.epochs = 1;
        }
        let settings = TrainMapperSettings::resolve(&project, &config, target, betas, None).unwrap();
        train_mapper::run(&settings, quiet).unwrap();
    }
    let mut stimulate = |roi: &str, action| {
        let mut settings = MicrostimSettings::resolve(&project, &config.microstim).unwrap();
        settings.microstim.roi = roi.into();
        settings.microstim.action = action;
        microstim::run(&settings, quiet).unwrap()
    };
    let faces = stimulate("floc-faces", Stimulation::Excite);
    assert!(faces.warnings.is_empty(), "{:?}", faces.warnings);
    let rise = change_of_face(&faces);
    assert!(rise.low > 0.1, "driven face areas: {:?}", faces.probes);
    assert_eq!(faces.probes[0].sentence, FACE, "the face rises most: {:?}", faces.probes);
    assert!(faces.probes[1..].iter().all(|probe| probe.change.high < rise.low), "{:?}", faces.probes);
    let places = change_of_face(&stimulate("floc-places", Stimulation::Excite));
    assert!(places.high < rise.low, "driven place areas: {places:?}");
    let silenced = change_of_face(&stimulate("floc-faces", Stimulation::Silence));
    assert!(silenced.high < rise.low, "silenced face areas: {silenced:?}");
}
