//! `nsd_expdesign.mat` and `nsd_stim_info_merged.csv`.

use std::collections::HashMap;

use super::super::design::{
    DESIGN_SESSIONS, ExperimentPlan, IMAGES_PER_SUBJECT, NUM_SHARED, RUNS_PER_SESSION, SLOTS_PER_RUN,
};
use super::super::image_features::FeatureTable;
use super::super::scenes::Scene;
use super::super::stimuli::{Stimulus, StimulusSet, crop_of_scene, scene_coco_id, scene_split};
use crate::data::error::DataError;
use crate::data::formats::csv::{Delimiter, write_table};
use crate::data::formats::mat5;
use crate::data::nsd::tree::NsdTree;
use crate::data::subject::{NUM_SUBJECTS, NsdSubject};
use crate::data::trial::{NUM_IMAGES, NsdId};

/// Writes the design: five `double` arrays with MATLAB's shapes.
///
/// # Errors
/// [`DataError::unwritable`].
pub fn write_design(tree: &NsdTree, plan: &ExperimentPlan) -> Result<(), DataError> {
    let doubles = |values: &[u32]| values.iter().map(|value| f64::from(*value)).collect::<Vec<f64>>();
    let ordering = doubles(&plan.master_ordering);
    let shared = doubles(plan.shared_images());
    // MATLAB's first axis is fastest: transpose every array whose last one is here.
    let images: Vec<f64> = (0..IMAGES_PER_SUBJECT)
        .flat_map(|column| plan.subject_images.iter().map(move |row| f64::from(row[column])))
        .collect();
    let counts: Vec<f64> = plan.counts_per_session().into_iter().flatten().map(f64::from).collect();
    let mut slots = Vec::with_capacity(plan.stimulus_slots.len());
    for slot in 0..SLOTS_PER_RUN {
        for run in 0..RUNS_PER_SESSION {
            for session in 0..DESIGN_SESSIONS {
                let at = (session * RUNS_PER_SESSION + run) * SLOTS_PER_RUN + slot;
                slots.push(f64::from(u8::from(plan.stimulus_slots[at])));
            }
        }
    }
    mat5::write_arrays(
        &tree.experiment_design(),
        &[
            ("masterordering", &[1, ordering.len()], &ordering),
            ("basiccnt", &[3, DESIGN_SESSIONS], &counts),
            ("sharedix", &[1, NUM_SHARED], &shared),
            ("stimpattern", &[DESIGN_SESSIONS, RUNS_PER_SESSION, SLOTS_PER_RUN], &slots),
            ("subjectim", &[NUM_SUBJECTS, IMAGES_PER_SUBJECT], &images),
        ],
    )
}

/// Writes the table of all 73,000 images; those that nobody rendered are described as the scene they would be.
///
/// # Errors
/// [`DataError::unwritable`].
pub fn write_stimulus_table(
    tree: &NsdTree,
    seed: u64,
    plan: &ExperimentPlan,
    stimuli: &StimulusSet,
    features: &FeatureTable,
) -> Result<(), DataError> {
    let mut header: Vec<String> =
        ["", "cocoId", "cocoSplit", "cropBox", "loss", "nsdId", "flagged", "BOLD5000", "shared1000"]
            .map(String::from)
            .to_vec();
    let subjects: Vec<NsdSubject> = NsdSubject::all().collect();
    header.extend(subjects.iter().map(|subject| format!("subject{}", subject.number())));
    header.extend(
        subjects.iter().flat_map(|subject| (0..3).map(|rep| format!("subject{}_rep{rep}", subject.number()))),
    );
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let repetitions = repetitions(plan);
    let own: HashMap<NsdId, usize> =
        stimuli.stimuli.iter().enumerate().map(|(index, stimulus)| (stimulus.nsd_id, index)).collect();
    let rows = (0..NUM_IMAGES).map(|row| {
        let nsd_id = NsdId(row as u32);
        let (stimulus, loss) = match own.get(&nsd_id) {
            Some(&index) => (stimuli.stimuli[index].clone(), features.lost(index)),
            None => (unseen(seed, nsd_id), 0.0),
        };
        let trials = &repetitions[row];
        let seen_by = |subject: &NsdSubject| trials[subject.row()][0] > 0;
        let is_shared = subjects.iter().all(seen_by);
        let mut cells = vec![
            row.to_string(),
            stimulus.coco_id.to_string(),
            stimulus.coco_split.clone(),
            crop_text(stimulus.crop),
            loss.to_string(),
            row.to_string(),
            "False".to_string(),
            "False".to_string(),
            if is_shared { "True" } else { "False" }.to_string(),
        ];
        cells.extend(subjects.iter().map(|subject| u8::from(seen_by(subject)).to_string()));
        cells.extend(trials.iter().flatten().map(ToString::to_string));
        cells
    });
    write_table(&tree.stim_info(), Delimiter::Comma, &header, rows)
}

fn unseen(seed: u64, nsd_id: NsdId) -> Stimulus {
    Stimulus {
        nsd_id,
        coco_id: scene_coco_id(nsd_id),
        coco_split: scene_split(nsd_id).to_string(),
        crop: crop_of_scene(&Scene::draw(seed, u64::from(nsd_id.0))),
        origin: super::super::stimuli::Origin::Scene,
        scene: super::super::scene_plan::SceneChoice::own(nsd_id),
    }
}

/// As Python prints the tuple `(top, bottom, left, right)`.
fn crop_text(crop: [f64; 4]) -> String {
    format!("({})", crop.map(|share| share.to_string()).join(", "))
}

/// For each image and subject the 1-based trials of its three presentations, 0 where the subject never sees it.
fn repetitions(plan: &ExperimentPlan) -> Vec<[[u32; 3]; NUM_SUBJECTS]> {
    let mut trials_of = vec![[0_u32; 3]; IMAGES_PER_SUBJECT + 1];
    for (trial, image) in plan.master_ordering.iter().enumerate() {
        // The design has each image exactly three times; the first free slot is the next repetition.
        if let Some(empty) = trials_of[*image as usize].iter_mut().find(|slot| **slot == 0) {
            *empty = trial as u32 + 1;
        }
    }
    let mut table = vec![[[0; 3]; NUM_SUBJECTS]; NUM_IMAGES];
    for (subject, images) in plan.subject_images.iter().enumerate() {
        for (place, id) in images.iter().enumerate() {
            table[*id as usize - 1][subject] = trials_of[place + 1];
        }
    }
    table
}
