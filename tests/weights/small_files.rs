//! The smallest valid file of each container; hostile files start from their parts.

use crate::assembler::{Pickle, View, ZipEntry, zip};

/// Six floats as two rows.
pub const ROWS: View<'_> = View { offset: 0, shape: &[2, 3], strides: &[3, 1] };

/// 1, 2, … 6 as f32.
pub fn floats() -> Vec<u8> {
    (1..=6_u8).flat_map(|value| f32::from(value).to_le_bytes()).collect()
}

/// A tensor of a zip archive whose storage is entry `data/0`.
pub fn zip_tensor(pickle: Pickle) -> Pickle {
    pickle.tensor(&ROWS, |pickle| pickle.storage("FloatStorage", "0", 6, false))
}

/// A state dict `{"w": value}`.
pub fn state_dict(value: impl FnOnce(Pickle) -> Pickle) -> Vec<u8> {
    value(Pickle::new().empty_dict().text("w")).set_item().stop()
}

/// An archive with this `data.pkl` and one storage of six floats.
pub fn torch_zip(data_pkl: Vec<u8>) -> Vec<u8> {
    zip(&zip_entries(data_pkl))
}

pub fn zip_entries(data_pkl: Vec<u8>) -> Vec<ZipEntry> {
    vec![
        ZipEntry::stored("archive/data.pkl", data_pkl),
        ZipEntry::stored("archive/byteorder", *b"little"),
        ZipEntry::stored("archive/data/0", floats()),
        ZipEntry::stored("archive/version", *b"3\n"),
    ]
}

/// A module of TorchScript with one tensor and one number.
pub fn torch_script() -> Vec<u8> {
    let inner = |pickle: Pickle| {
        let pickle = pickle.global("__torch__.net", "Inner").empty_tuple().new_object().empty_dict();
        zip_tensor(pickle.text("w")).set_item().build()
    };
    let root = Pickle::new().global("__torch__.net", "Net").empty_tuple().new_object().empty_dict();
    let root = root.mark().text("training").boolean(false).text("inner").then(inner).set_items().build();
    let mut entries = zip_entries(root.stop());
    entries.push(ZipEntry::deflated("archive/code/__torch__/net.py", b"class Net"));
    entries.push(ZipEntry::stored("archive/constants.pkl", Pickle::new().empty_tuple().stop()));
    zip(&entries)
}

/// The first three pickles of a legacy stream.
pub fn legacy_start(protocol: i64, is_little_endian: bool) -> Vec<u8> {
    let magic =
        Pickle::new().raw(&[0x8a, 10]).raw(&[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]);
    let system = Pickle::new().empty_dict().text("little_endian").boolean(is_little_endian).set_item();
    [magic.stop(), Pickle::new().int(protocol).stop(), system.stop()].concat()
}

/// A legacy stream of this object with these storages: key, count, bytes.
pub fn legacy(object: Vec<u8>, storages: &[(&str, i64, &[u8])]) -> Vec<u8> {
    let mut keys = Pickle::new().empty_list().mark();
    for (key, ..) in storages {
        keys = keys.text(key);
    }
    let mut stream = [legacy_start(1001, true), object, keys.appends().stop()].concat();
    for (_, count, bytes) in storages {
        stream.extend(count.to_le_bytes());
        stream.extend(*bytes);
    }
    stream
}

/// The bare storage that network pickles hold.
pub fn legacy_storage() -> Vec<u8> {
    let object = Pickle::new().storage("FloatStorage", "0", 6, true).stop();
    legacy(object, &[("0", 6, &floats())])
}

/// A state dict in a legacy stream.
pub fn torch_legacy() -> Vec<u8> {
    let object =
        state_dict(|pickle| pickle.tensor(&ROWS, |pickle| pickle.storage("FloatStorage", "0", 6, true)));
    legacy(object, &[("0", 6, &floats())])
}

/// A call of `_load_from_bytes`.
pub fn pickled_storage(pickle: Pickle, stream: &[u8]) -> Pickle {
    pickle.global("torch.storage", "_load_from_bytes").bytes(stream).tuple1().reduce()
}

/// The description of a persistent object, around its state.
pub fn persistent(pickle: Pickle, version: i64, state: impl FnOnce(Pickle) -> Pickle) -> Pickle {
    let meta = pickle.global("torch_utils.persistence", "_reconstruct_persistent_obj").empty_dict().mark();
    let meta =
        meta.text("type").text("class").text("version").int(version).text("class_name").text("Generator");
    let meta = meta.text("module_src").text("raise SystemExit").text("state");
    state(meta).set_items().tuple1().reduce()
}

/// The state of a module: parameters from `fill`, which adds entries to a dict.
pub fn module_state(pickle: Pickle, table: &str, fill: impl FnOnce(Pickle) -> Pickle) -> Pickle {
    let state = pickle.empty_dict().mark().text("training").boolean(false);
    let state = if table == "_parameters" { state } else { state.text("_parameters").empty_dict() };
    fill(state.text(table).empty_dict()).set_items()
}

/// A network pickle whose `G_ema` has this state.
pub fn network(state: impl FnOnce(Pickle) -> Pickle) -> Vec<u8> {
    let pickle = Pickle::protocol(4).empty_dict().text("G_ema");
    persistent(pickle, 6, state).set_item().stop()
}

/// A network pickle with one parameter.
pub fn network_pickle() -> Vec<u8> {
    network(|pickle| {
        module_state(pickle, "_parameters", |pickle| {
            let tensor =
                |pickle: Pickle| pickle.tensor(&ROWS, |pickle| pickled_storage(pickle, &legacy_storage()));
            let pickle = pickle.text("w").global("torch._utils", "_rebuild_parameter").mark();
            tensor(pickle).boolean(true).none().tuple().reduce().set_item()
        })
    })
}

/// A safetensors file with this header and these bytes of data.
pub fn safetensors_of(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

pub fn safetensors() -> Vec<u8> {
    let header =
        r#"{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#;
    safetensors_of(header, &floats())
}

/// One valid file of each container.
pub fn all() -> [(&'static str, Vec<u8>); 5] {
    [
        ("safetensors", safetensors()),
        ("torch-zip", torch_zip(state_dict(zip_tensor))),
        ("torch-legacy", torch_legacy()),
        ("torch-script", torch_script()),
        ("network-pickle", network_pickle()),
    ]
}

#[test]
fn they_are_valid() {
    for (format, bytes) in all() {
        let (found, networks) = mindreader::weights::readers::parse_foreign(&bytes)
            .unwrap_or_else(|fault| panic!("{format}: {fault}"));
        assert_eq!(serde_json::to_value(found).unwrap(), format);
        let network = networks.values().next().unwrap();
        let (name, tensor) = network.tensors.first_key_value().unwrap();
        assert_eq!(name, if format == "torch-script" { "inner.w" } else { "w" });
        assert_eq!((&tensor.shape[..], tensor.to_f32()), (&[2, 3][..], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    }
}
