//! Collections of images in archives of Python's `zipfile`, with features that Python's `json` writes.

use mindreader::data::image_collection::ImageCollection;

use crate::python;

const WRITE: &str = r#"
import json, zipfile
import numpy as np
from PIL import Image

rng = np.random.default_rng(0)
pictures = [rng.integers(0, 256, (5, 7, 3), dtype=np.uint8) for _ in range(3)]
names = ["00000/img00000000.png", "00000/img00000001.png", "00001/é.png"]
image = rng.standard_normal((3, 4)).astype(np.float32)
text = [rng.standard_normal((count, 4)).astype(np.float32) for count in (1, 3, 2)]
dataset = {
    "labels": None,
    "clip_img_features": [[n, f.tolist()] for n, f in zip(names, image)],
    "clip_txt_features": [[n, f.tolist()] for n, f in zip(names, text)],
}
for name, method in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
    with zipfile.ZipFile(f"{name}.zip", "w", method) as archive:
        archive.comment = b"a comment PK\x05\x06 behind the end record"
        for n, p in zip(names, pictures):
            # Sizes in 64-bit fields.
            with archive.open(n, "w", force_zip64=True) as file:
                Image.fromarray(p).save(file, "png")
            archive.writestr(n.replace(".png", ".txt"), f"caption of {n}\n")
        archive.writestr("dataset.json", json.dumps(dataset))
with zipfile.ZipFile("many.zip", "w") as archive:
    for number in range(70000):
        archive.writestr(f"{number}.txt", "")
    archive.write("first.png") if Image.fromarray(pictures[0]).save("first.png") is None else None
with zipfile.ZipFile("bzip2.zip", "w", zipfile.ZIP_BZIP2) as archive:
    archive.write("first.png")
np.save("pictures.npy", np.stack(pictures))
print(" ".join(str(v) for v in image.ravel()))
print(" ".join(str(v) for v in np.concatenate(text).ravel()))
print(" ".join(str(v) for v in pictures[2].ravel()))
"#;

#[test]
fn archives_of_pythons_zipfile_are_read() {
    let Some(python) = python::find("archives_of_pythons_zipfile_are_read") else { return };
    let folder = tempfile::tempdir().unwrap();
    let printed = python::run(python, folder.path(), WRITE);
    let numbers: Vec<Vec<f32>> = printed
        .lines()
        .map(|line| line.split_whitespace().map(|value| value.parse().unwrap()).collect())
        .collect();
    for name in ["stored.zip", "deflated.zip"] {
        let images = ImageCollection::open(&folder.path().join(name)).unwrap();
        assert_eq!(images.len(), 3, "{name}");
        assert_eq!(images.captions(1).unwrap(), ["caption of 00000/img00000001.png"]);
        let pixels: Vec<f32> = images.image(2).unwrap().into_raw().into_iter().map(f32::from).collect();
        assert_eq!(pixels, numbers[2], "{name}");
        let features = images.stored_features(4).unwrap();
        assert_eq!(features.image.unwrap().into_raw_vec_and_offset().0, numbers[0]);
        let text = features.text.unwrap();
        assert_eq!(text.rows.into_raw_vec_and_offset().0, numbers[1]);
        assert_eq!(text.image_of_row, [0, 1, 1, 1, 2, 2]);
        let error = images.stored_features(5).unwrap_err().to_string();
        assert!(error.contains("dataset.json") && error.contains("4 numbers, expected 5"), "{error}");
    }
    // More entries than 16 bits count.
    let many = ImageCollection::open(&folder.path().join("many.zip")).unwrap();
    assert_eq!((many.len(), many.image(0).unwrap().dimensions()), (1, (7, 5)));
    let packed = ImageCollection::open(&folder.path().join("bzip2.zip")).unwrap();
    let error = packed.image(0).unwrap_err().to_string();
    assert!(error.contains("first.png") && error.contains("method 12"), "{error}");
}
