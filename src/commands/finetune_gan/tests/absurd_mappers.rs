//! Mappers whose weights are numbers and whose predictions are none, and mappers of another brain.

use ndarray::Array2;

use super::*;
use crate::commands::fixtures::linear_brain::{Brain, write_brain};
use crate::models::mapper::{AnyMapperSnapshot, LinearMapper, LinearMapperConfig, MapperNetworkConfig};

/// A mapper as the one in `like`, of another target, whose every prediction overflows.
fn overflowing(root: &Path, like: &Path, target: MapperTarget) -> PathBuf {
    let file = Snapshot::open(like, "mapper").unwrap();
    let snapshot: AnyMapperSnapshot = file.config().unwrap();
    let sizes = LinearMapperConfig { num_voxels: 40, embed_dim: 8 };
    let snapshot = snapshot.with_network(MapperNetworkConfig::Ridge(sizes));
    let snapshot = AnyMapperSnapshot { target, padding_left: 0, ..snapshot };
    // Every voxel with every sign: some sum is beyond all numbers, whatever the betas are.
    let weights = Array2::from_shape_fn((40, 8), |(voxel, output)| {
        if voxel == output { f32::MAX } else { f32::MAX * if (voxel + output) % 3 == 0 { -1.0 } else { 1.0 } }
    });
    let network = LinearMapper::<Base>::of_coefficients(weights.view(), &[f32::MAX; 8], &cpu());
    let path = root.join(format!("overflowing-{target}.safetensors"));
    save_snapshot(&path, "mapper", &snapshot, file.provenance(), &network).unwrap();
    path
}

#[test]
fn predictions_that_are_no_numbers_are_refused_by_all_that_draw() {
    let folder = tempfile::tempdir().unwrap();
    let (mapper, mut settings) = scene(folder.path());
    let (_, networks) = finetuned_on_captions(&mut settings, &mapper);
    settings.finetune_gan.condition = ConditionSource::Both;
    for target in [MapperTarget::Image, MapperTarget::Caption] {
        let path = overflowing(folder.path(), &settings.image_mapper, target);
        let (mut networks, mut settings) = (networks.clone(), settings.clone());
        match target {
            MapperTarget::Image => {
                (networks.image_mapper, settings.image_mapper) = (path.clone(), path);
            }
            _ => (networks.second_mapper, settings.second_mapper) = (path.clone(), path),
        }
        let expected = format!(
            "overflowing-{target}.safetensors`: embeddings that it predicts: found NaN or an infinity"
        );
        let drawn = draw(&settings, &networks, |_| ()).unwrap_err().to_string();
        let stimulated = stimulate(&settings, networks, |_| ()).unwrap_err().to_string();
        let finetuned = run(&settings, &mut Silent).unwrap_err().to_string();
        for error in [drawn, stimulated, finetuned] {
            assert!(error.contains(&expected), "{error}");
        }
    }
}

#[test]
fn mappers_of_another_region_are_refused_by_all_that_draw() {
    let folder = tempfile::tempdir().unwrap();
    let (mapper, mut settings) = scene(folder.path());
    let (_, networks) = finetuned_on_captions(&mut settings, &mapper);
    write_brain(&settings.prepared, Brain { region: "V1", first_voxel: 3, ..Brain::default() });
    let drawn = draw(&settings, &networks, |_| ()).unwrap_err().to_string();
    let stimulated = stimulate(&settings, networks, |_| ()).unwrap_err().to_string();
    let finetuned = run(&settings, &mut Silent).unwrap_err().to_string();
    for error in [drawn, stimulated, finetuned] {
        assert!(
            error.contains("regions: found `V1`, expected `nsdgeneral` as the mapper was trained on"),
            "{error}"
        );
    }
}
