"""Reads a tiny phantom with the packages of the field and compares it with what the writer meant to write."""
import ast, csv, glob, json, os, sys
import contextlib, io
import h5py, nibabel, numpy as np, scipy.io
from PIL import Image
from pycocotools.coco import COCO

root, intent = sys.argv[1], json.load(open(sys.argv[2]))
subject = f"subj{intent['subject']:02d}"
path = lambda *parts: os.path.join(root, *parts)
func = path("nsddata/ppdata", subject, "func1pt8mm")
beta_dir = path("nsddata_betas/ppdata", subject, "func1pt8mm/betas_fithrf_GLMdenoise_RR")

# The design, as plain scipy shows it.
design = scipy.io.loadmat(path("nsddata/experiments/nsd/nsd_expdesign.mat"))
shapes = {"masterordering": (1, 30000), "subjectim": (8, 10000), "sharedix": (1, 1000), "basiccnt": (3, 40), "stimpattern": (40, 12, 75)}
for name, shape in shapes.items():
    assert design[name].shape == shape and design[name].dtype == np.float64, (name, design[name].shape)
order = design["masterordering"][0].astype(int)
assert (np.bincount(order)[1:] == 3).all() and order[:1500].tolist() == intent["master_ordering"]
images = design["subjectim"].astype(int)
assert images[:, [0, 999, 1000, 9999]].tolist() == intent["subject_images"]
assert (images[:, :1000] == design["sharedix"][0]).all()
assert sorted(set(images.ravel())) == list(range(1, 73001))
assert design["stimpattern"].sum(2).tolist() == [[63, 62] * 6] * 40
assert (design["basiccnt"] * [[1], [2], [3]]).sum(0).tolist() == [750] * 40
trials = images[intent["subject"] - 1][order[:750] - 1] - 1

# The stimulus table.
with open(path("nsddata/experiments/nsd/nsd_stim_info_merged.csv"), newline="") as file:
    rows = list(csv.reader(file))
header, rows = rows[0], rows[1:]
assert len(rows) == 73000 and len(header) == 41 and header[0] == "" and all(len(row) == 41 for row in rows)
assert header[1:10] == ["cocoId", "cocoSplit", "cropBox", "loss", "nsdId", "flagged", "BOLD5000", "shared1000", "subject1"]
assert header[17:19] == ["subject1_rep0", "subject1_rep1"] and header[40] == "subject8_rep2"
column = {name: i for i, name in enumerate(header)}
assert all(int(row[0]) == int(row[column["nsdId"]]) == i for i, row in enumerate(rows))
assert {row[column["shared1000"]] for row in rows} == {"True", "False"}
assert sum(row[column["shared1000"]] == "True" for row in rows) == 1000
assert {row[column["cocoSplit"]] for row in rows} == {"train2017", "val2017"}
for s in range(8):
    for rep in range(3):
        for place in (0, 500, 999, 1000, 5000, 9999):
            trial = int(rows[images[s, place] - 1][column[f"subject{s + 1}_rep{rep}"]])
            assert order[trial - 1] == place + 1
    assert sum(row[column[f"subject{s + 1}"]] == "1" for row in rows) == 10000
used = sorted(set(trials))
for image in used:
    top, bottom, left, right = ast.literal_eval(rows[image][column["cropBox"]])
    assert min(top, bottom, left, right) >= 0 and (top == bottom == 0 or left == right == 0)
    w, h = (640, 480) if top == bottom == 0 and left + right > 0 else (480, 640)
    assert round(w * (1 - left - right)) == round(h * (1 - top - bottom)) == 480

# The stimuli.
with h5py.File(path("nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5")) as file:
    brick = file["imgBrick"]
    assert brick.shape == (73000, 425, 425, 3) and brick.dtype == np.uint8 and brick.chunks == (1, 425, 425, 3)
    for image, picture in intent["pictures"].items():
        assert (brick[int(image)] == np.asarray(Image.open(picture))).all(), image
    unseen = next(i for i in range(73000) if i not in set(used))
    assert not brick[unseen].any() and all(brick[i].any() for i in used[:20])

# Regions.
def volume(name, dtype, tr):
    loaded = nibabel.load(name)
    header = loaded.header
    grid = intent["grid"]
    assert list(loaded.shape[:3]) == grid and header.get_data_dtype() == dtype, (name, header.get_data_dtype())
    # nibabel shows "do not scale" as NaN.
    assert np.isnan(header["scl_slope"]) or header["scl_slope"] == 0
    assert int(header["qform_code"]) == 0 and int(header["sform_code"]) == 1
    assert np.allclose(header["pixdim"][1:5], [1.8, 1.8, 1.8, tr])
    assert np.allclose(loaded.affine, np.array([[1.8, 0, 0, 0], [0, 1.8, 0, 0], [0, 0, 1.8, 0], [0, 0, 0, 1]]) + np.array([[0] * 3 + [-(n - 1) / 2 * 1.8] for n in grid] + [[0] * 4]))
    return np.asarray(loaded.dataobj)

mask = volume(os.path.join(func, "brainmask.nii.gz"), np.int16, 4 / 3)
assert sorted(np.unique(mask)) == [0, 1]
for name, labels in intent["rois"].items():
    both, lh, rh = (volume(os.path.join(func, "roi", f"{prefix}{name}.nii.gz"), np.float64, 1) for prefix in ("", "lh.", "rh."))
    assert (both == np.where(lh != -1, lh, rh)).all() and not ((lh != -1) & (rh != -1)).any()
    assert both.min() == -1 and both.max() <= len(labels["names"]) and (both == both.round()).all()
    counts = [int((both == label + 1).sum()) for label in range(len(labels["names"]))]
    assert counts == labels["counts"], (name, counts)
    assert not (both[mask == 0] != -1).any()
    half = intent["grid"][0] / 2
    assert np.argwhere(lh != -1)[:, 0].max() < half <= np.argwhere(rh != -1)[:, 0].min() + 0.5
    table = [line.split() for line in open(path("nsddata/freesurfer", subject, "label", f"{name}.mgz.ctab"))]
    assert table == [["0", "Unknown"]] + [[str(i + 1), label] for i, label in enumerate(labels["names"])]
nsdgeneral = volume(os.path.join(func, "roi", "nsdgeneral.nii.gz"), np.float64, 1)
assert (nsdgeneral > 0).sum() == 300

# Betas, both formats, and the maps beside them.
with h5py.File(os.path.join(beta_dir, "betas_session01.hdf5")) as file:
    assert list(file) == ["betas"]
    dataset = file["betas"]
    assert dataset.shape == (750, *reversed(intent["grid"])) and dataset.dtype == np.dtype("<i2")
    assert dataset.chunks == (750, 1, 1, 1) and dataset.compression is None and dataset.maxshape == dataset.shape
    betas = dataset[()].transpose(3, 2, 1, 0)
assert (volume(os.path.join(beta_dir, "betas_session01.nii.gz"), np.int16, 4 / 3) == betas).all()
valid = volume(os.path.join(func, "valid_session01.nii.gz"), np.int16, 4 / 3)
assert not betas[mask == 0].any() and not betas[valid == 0].any()
assert (betas[valid == 1].std(1) > 0).all() and (valid <= mask).all()
assert 0 < ((mask == 1) & (valid == 0)).sum() < 0.2 * mask.sum()
assert (betas == 32767).any() and (betas == -32768).any()
visual = betas[(nsdgeneral > 0) & (valid == 1)] / 300.0
assert 0.5 < np.median(visual.std(1)) < 5 and np.abs(visual).max() < 60
assert (volume(os.path.join(func, "valid.nii.gz"), np.float32, 4 / 3) == valid).all()
for name in ("meanbeta", "meanbeta_session01"):
    means = volume(os.path.join(beta_dir, f"{name}.nii.gz"), np.float32, 4 / 3)
    assert np.allclose(means, betas.mean(3), rtol=1e-5, atol=1e-4)
ncsnr = volume(os.path.join(beta_dir, "ncsnr.nii.gz"), np.float32, 4 / 3)
assert (np.isnan(ncsnr) == (valid == 0)).all()
z = betas[valid == 1].astype(float)
z = (z - z.mean(1, keepdims=True)) / z.std(1, keepdims=True)
noise = np.mean([z[:, trials == image].var(1, ddof=1) for image in used], 0)
expected = np.sqrt(np.maximum(1 - noise, 0)) / np.sqrt(noise)
assert np.allclose(ncsnr[valid == 1], expected, atol=2e-3), np.abs(ncsnr[valid == 1] - expected).max()

# Behaviour.
table = [line.rstrip("\n").split("\t") for line in open(path("nsddata/ppdata", subject, "behav/responses.tsv"))]
names = "SUBJECT SESSION RUN TRIAL 73KID 10KID TIME ISOLD ISCORRECT RT CHANGEMIND MEMORYRECENT MEMORYFIRST ISOLDCURRENT ISCORRECTCURRENT TOTAL1 TOTAL2 BUTTON MISSINGDATA".split()
assert table[0] == names and len(table) == 751 and all(len(row) == 19 for row in table)
values = {name: np.array([float(row[i]) for row in table[1:]]) for i, name in enumerate(names)}
assert (values["73KID"] - 1 == trials).all() and (values["10KID"] == order[:750]).all()
assert [(values["RUN"] == run).sum() for run in range(1, 13)] == [63, 62] * 6 and (np.diff(values["TIME"]) > 0).all()
seen = {}
for t, image in enumerate(trials):
    earlier = seen.setdefault(image, [])
    assert values["ISOLD"][t] == bool(earlier)
    recent = t - earlier[-1] - 1 if earlier else np.nan
    first = t - earlier[-2] - 1 if len(earlier) > 1 else np.nan
    assert np.array_equal([values["MEMORYRECENT"][t], values["MEMORYFIRST"][t]], [recent, first], equal_nan=True)
    if not np.isnan(values["BUTTON"][t]):
        assert values["ISCORRECT"][t] == ((values["BUTTON"][t] == 2) == bool(earlier))
        assert 250 <= values["RT"][t] <= 4250 and values["TOTAL1"][t] + values["TOTAL2"][t] == 1 + values["CHANGEMIND"][t]
    else:
        assert np.isnan([values[name][t] for name in ("ISCORRECT", "RT", "CHANGEMIND", "ISCORRECTCURRENT")]).all()
        assert values["TOTAL1"][t] + values["TOTAL2"][t] == 0
    earlier.append(t)

# Annotations.
def run_lengths(text):
    counts, value, shift = [], 0, 0
    for letter in text:
        bits = ord(letter) - 48
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value |= -1 << shift
            counts.append(value + counts[-2] if len(counts) > 2 else value)
            value, shift = 0, 0
    return counts

ids = {}
for split in ("train2017", "val2017"):
    loaded = {kind: json.load(open(path("nsddata_stimuli/stimuli/nsd/annotations", f"{kind}_{split}.json"))) for kind in ("captions", "instances", "stuff")}
    own = {image["id"]: image for image in loaded["captions"]["images"]}
    ids[split] = set(own)
    sentences = {image: [] for image in own}
    for annotation in loaded["captions"]["annotations"]:
        sentences[annotation["image_id"]].append(annotation["caption"])
    assert all(len(own_sentences) == 5 for own_sentences in sentences.values())
    assert len(loaded["instances"]["categories"]) == 80 and len(loaded["stuff"]["categories"]) == 92
    for annotation in loaded["instances"]["annotations"]:
        image = own[annotation["image_id"]]
        x, y, w, h = annotation["bbox"]
        assert 0 <= x and x + w <= image["width"] and 0 <= y and y + h <= image["height"] and annotation["area"] <= w * h
        for ring in annotation["segmentation"]:
            assert len(ring) >= 6 and min(ring[::2]) >= x and max(ring[::2]) <= x + w and min(ring[1::2]) >= y and max(ring[1::2]) <= y + h
    areas = {image: 0 for image in own}
    for annotation in loaded["stuff"]["annotations"]:
        image = own[annotation["image_id"]]
        counts = run_lengths(annotation["segmentation"]["counts"])
        assert annotation["segmentation"]["size"] == [image["height"], image["width"]]
        assert sum(counts) == image["width"] * image["height"] and sum(counts[1::2]) == annotation["area"]
        areas[annotation["image_id"]] += annotation["area"]
    assert all(areas[image] == own[image]["width"] * own[image]["height"] for image in own)
assert not ids["train2017"] & ids["val2017"]
for image in used:
    assert int(rows[image][column["cocoId"]]) in ids[rows[image][column["cocoSplit"]]]

# COCO's own tools read the same files.
for kind, tolerance in (("instances", 0.05), ("stuff", 0.0)):
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(path("nsddata_stimuli/stimuli/nsd/annotations", f"{kind}_train2017.json"))
    annotations = coco.loadAnns(coco.getAnnIds(imgIds=sorted(coco.getImgIds())[:20]))
    assert len(annotations) >= 20
    exact = 0
    for annotation in annotations:
        mask, area = float(coco.annToMask(annotation).sum()), annotation["area"]
        slack = tolerance * area + (30 if tolerance else 0)
        # Outlines cannot have holes: what stands in front of the middle of a thing is counted in its polygons, not in its area.
        assert mask >= area - slack, (kind, mask, area)
        exact += mask <= area + slack
    assert exact >= (0.7 if tolerance else 1.0) * len(annotations), (kind, exact, len(annotations))

# The truth, for those who check.
with h5py.File(path("truth.h5")) as file:
    count = len(file["voxels/flat_index"])
    assert file["voxels/kind"].shape == (count,) and file["voxels/channel_weights"].shape == (count, 15)
    assert file["images/nsd_id"][()].tolist() == used
    x, y, z = np.unravel_index(file["voxels/flat_index"][()], intent["grid"], order="F")
    measured = (valid[x, y, z] == 1) & (nsdgeneral[x, y, z] > 0)
    r = np.corrcoef(file["voxels/ncsnr"][()][measured], ncsnr[x, y, z][measured])[0, 1]
    assert r > 0.9, r
print("equal")
