//! Mappers: archive, legacy stream, and double precision inside a network pickle.

use burn::module::Module;
use mindreader::models::mapper::{Mapper, MapperSnapshot};
use mindreader::run::snapshot::Snapshot;
use mindreader::tensor_ops::backend::{Base, cpu};
use serde_json::json;

use crate::arrived::assert_arrived;
use crate::made::{Made, describe};

const ORIGIN: [&str; 4] = ["--subject", "2", "--num-voxels", "40"];

#[test]
fn state_dicts_of_both_containers() {
    let Some(made) = Made::new("mappers", "mappers", "torch") else { return };
    for (name, num_down, container) in [("mapper", 1, "torch-zip"), ("mapper_legacy", 2, "torch-legacy")] {
        let arguments = [&ORIGIN[..], &["--target", "caption"]].concat();
        let (path, summary) = made.import(&format!("{name}.pth"), &arguments);
        assert_eq!((&summary["kind"], &summary["container"]), (&json!("mapper"), &json!(container)));
        assert_arrived(&made, name, &path);
        let file = Snapshot::open(&path, "mapper").unwrap();
        let snapshot: MapperSnapshot = file.config().unwrap();
        assert_eq!(snapshot.network.num_down, num_down);
        assert_eq!((snapshot.network.signal_len, snapshot.num_voxels, snapshot.padding_left), (64, 40, 12));
        assert_eq!((snapshot.subject.as_str(), snapshot.roi.as_str()), ("subj02", "nsdgeneral"));
        assert_eq!(snapshot.target.to_string(), "caption");
        let mapper: Mapper<Base> = file.load_into(snapshot.network.init(0, &cpu()).unwrap()).unwrap();
        made.assert_close(name, "embedding", mapper.forward(made.tensor::<2>(name, "betas")), 1e-5);
    }
}

#[test]
fn double_precision_of_a_network_pickle() {
    let Some(made) = Made::new("mappers of a pickle", "network_pickle", "numpy") else { return };
    let described = describe(&made.path("snapshot.pkl"), &[]);
    assert_eq!(described["container"], "network-pickle");
    let (path, summary) = made.import("snapshot.pkl", &[&ORIGIN[..], &["--network", "fmri_vec2"]].concat());
    assert_arrived(&made, "fmri_vec2", &path);
    assert_eq!(summary["config"]["target"], "caption", "the second mapper of the published files");
    let not_imported = summary["not_imported"].as_array().unwrap();
    assert!(not_imported.contains(&json!("G_ema (generator)")), "{not_imported:?}");
    let (path, _) =
        made.import("snapshot.pkl", &[&ORIGIN[..], &["--kind", "mapper", "--overwrite"]].concat());
    assert_arrived(&made, "fmri_vec", &path);
    let config: MapperSnapshot = Snapshot::open(&path, "mapper").unwrap().config().unwrap();
    assert!(config.network.init::<Base>(0, &cpu()).unwrap().num_params() > 0);
}
