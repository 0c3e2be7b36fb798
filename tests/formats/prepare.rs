//! `prepare` against a few lines of numpy that read the same tree.

use mindreader::commands::doctor::{self, DoctorSettings};
use mindreader::commands::prepare::{self, PrepareSettings};
use mindreader::data::nsd::tree::Hemisphere;
use mindreader::data::prepared::{self, PreparedSubject};
use mindreader::data::standardize::Standardization;
use mindreader::data::subject::Resolution;
use mindreader::run::existing_output::ExistingOutput;
use mindreader::run::progress::Silent;

use crate::python;
use crate::small_tree::{SESSIONS, SmallTree, stored};

/// The same result in numpy: mask transposed to (z, y, x), boolean index, z-score per session, ddof 0.
const CHECK: &str = r#"
import h5py, json, nibabel as nib, numpy as np, scipy.io
roi = lambda name: nib.load(f'nsd/nsddata/ppdata/subj03/func1pt8mm/roi/{name}.nii.gz').get_fdata()
betas_dir = 'nsd/nsddata_betas/ppdata/subj03/func1pt8mm/betas_fithrf_GLMdenoise_RR/betas_session'
mask = (roi('nsdgeneral') > 0).T
expected = []
for session in (1, 2, 4):
    if session == 2:
        betas = np.asanyarray(nib.load(f'{betas_dir}02.nii.gz').dataobj).T
    else:
        betas = h5py.File(f'{betas_dir}{session:02d}.hdf5')['betas'][:]
    x = betas[:, mask].astype(np.float64) / 300
    sd = x.std(0)
    expected.append(np.where(sd > 0, (x - x.mean(0)) / np.where(sd > 0, sd, 1), 0))
expected = np.concatenate(expected)
with h5py.File('prepared.h5') as f:
    assert f['betas'].shape == expected.shape and f['betas'].dtype == np.float32
    assert f['betas'].chunks == (1, expected.shape[1])
    worst = np.abs(f['betas'][:] - expected).max()
    assert worst < 2e-6, worst
    design = scipy.io.loadmat('nsd/nsddata/experiments/nsd/nsd_expdesign.mat')
    t = np.concatenate([np.arange(750) + 750 * (s - 1) for s in (1, 2, 4)])
    ids = design['subjectim'][2, design['masterordering'][0, t].astype(int) - 1].astype(int) - 1
    assert np.array_equal(f['nsd_id'][:], ids)
    assert np.array_equal(f['session'][:], t // 750 + 1)
    seen, repeat = {}, []
    for image in design['subjectim'][2, design['masterordering'][0, :3000].astype(int) - 1]:
        seen[image] = seen.get(image, -1) + 1
        repeat.append(seen[image])
    assert np.array_equal(f['repeat'][:], np.array(repeat)[t])
    assert np.array_equal(f['coco_id'][:], 500000 - ids)
    assert np.array_equal(f['shared1000'][:] != 0, np.isin(ids + 1, design['sharedix'][0]))
    flat = np.flatnonzero(mask.ravel())
    assert np.array_equal(f['flat_index'][:], flat)
    assert np.array_equal(f['rois/floc-faces'][:], roi('floc-faces').T.ravel()[flat])
    assert json.loads(f['rois/floc-faces'].attrs['names']) == {'1': 'OFA', '2': 'FFA-1', '3': 'FFA-2'}
    assert np.array_equal(f['hemisphere'][:], np.where(flat % 6 < 3, 1, 2))
    assert f.attrs['voxel_order'] == 'x fastest, then y, then z'
    sources = json.loads(f.attrs['sources'])
    names = [s['path'].split('/')[-1] for s in sources]
    assert names[:3] == ['betas_session01.hdf5', 'betas_session02.nii.gz', 'betas_session04.hdf5'], names
    assert all(s['bytes'] > 0 and s['modified_unix_secs'] > 1e9 for s in sources)
print(worst)
"#;

#[test]
fn a_prepared_subject_equals_numpys() {
    let Some(python) = python::find("prepare::a_prepared_subject_equals_numpys") else { return };
    let small = SmallTree::write();
    prepare::run(&small.settings(), &mut Silent).unwrap();
    let worst = python::run(python, small.folder.path(), CHECK);
    println!("largest difference from numpy: {}", worst.trim());
}

#[test]
fn the_summary_counts_what_was_prepared() {
    let small = SmallTree::write();
    let summary = prepare::run(&small.settings(), &mut Silent).unwrap();
    assert_eq!((&summary.sessions[..], &summary.missing_sessions[..]), (&SESSIONS[..], &[3][..]));
    // Session 2 is a NIfTI, which says where the voxels lie.
    let position = PreparedSubject::open(&summary.out).unwrap().provenance().position.clone().unwrap();
    assert!(position.is_of_betas && position.source.ends_with("betas_session02.nii.gz"), "{position:?}");
    assert!(
        (position.affine.rows[0][0] - 1.8).abs() < 1e-6 && (position.affine.rows[2][3] + 2.7).abs() < 1e-6
    );
    assert_eq!((summary.num_trials, summary.num_voxels, summary.num_images), (2250, 20, 1200));
    // Voxel 8 is 0 throughout session 2. The grid is not subject 3's, so no published count applies.
    assert_eq!((summary.num_constant_voxels, summary.expected_voxels), (1, None));
    assert!(summary.has_coco_ids);
    let faces = &summary.rois["floc-faces"];
    assert_eq!(faces.voxels, faces.regions.values().sum::<usize>());
    assert_eq!(summary.rois["nsdgeneral"].regions["nsdgeneral"], 20);
}

#[test]
fn unions_limits_and_plain_percent_are_settings() {
    let small = SmallTree::write();
    let mut settings = small.settings();
    settings.prepare.roi = vec!["lh.nsdgeneral".to_string(), "FFA-1".to_string()];
    settings.prepare.sessions = Some(3);
    settings.prepare.standardization = Standardization::None;
    let summary = prepare::run(&settings, &mut Silent).unwrap();
    assert_eq!(summary.sessions, [1, 2]);
    let subject = PreparedSubject::open(&settings.out).unwrap();
    let wanted = |voxel: &usize| {
        let x = voxel % 6;
        x != 5 && ((voxel % 3 == 2 && x < 3) || voxel % 4 == 2)
    };
    let voxels: Vec<usize> = (0..120).filter(wanted).collect();
    assert_eq!(subject.flat_index(), voxels);
    let betas = subject.betas().unwrap();
    for row in [0, 749, 750, 1499] {
        let session = if row < 750 { 1 } else { 2 };
        for (column, voxel) in voxels.iter().enumerate() {
            assert_eq!(betas[[row, column]], f32::from(stored(session, row % 750, *voxel)) / 300.0);
        }
    }
    let name = prepared::file_name(subject.subject(), Resolution::Func1pt8mm, &settings.prepare.choice());
    assert_eq!(name, "subj03-lh.nsdgeneral+FFA-1-func1pt8mm-sessions03-unscaled.h5");
}

#[cfg(unix)]
#[test]
fn a_session_behind_a_link_that_leads_nowhere_is_not_left_out() {
    let small = SmallTree::write();
    let path = small.betas_path(4);
    let aside = path.with_extension("aside");
    std::fs::rename(&path, &aside).unwrap();
    std::os::unix::fs::symlink("gone.hdf5", &path).unwrap();
    let error = prepare::run(&small.settings(), &mut Silent).unwrap_err().to_string();
    assert!(error.contains("session04.hdf5` cannot be read: it is a link to `gone.hdf5`"), "{error}");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&aside, &path).unwrap();
    assert_eq!(prepare::run(&small.settings(), &mut Silent).unwrap().sessions, SESSIONS);
}

#[test]
fn doctor_judges_what_prepare_would_read() {
    let small = SmallTree::write();
    let judge = |change: &dyn Fn(&mut prepare::PrepareConfig)| {
        let mut settings = small.settings();
        change(&mut settings.prepare);
        let PrepareSettings { nsd_root, subject, resolution, prepare: config, .. } = settings.clone();
        let report = doctor::run(&DoctorSettings { nsd_root, subject, resolution, prepare: config }).unwrap();
        settings.existing = ExistingOutput::Replace;
        let runs = prepare::run(&settings, &mut Silent).is_ok();
        assert_eq!(report.can_prepare(), runs, "{:?}", report.capabilities[0]);
        let obstacles = report.verdict().map_err(|error| error.to_string());
        (report, obstacles)
    };
    let (report, obstacles) = judge(&|_| ());
    assert_eq!((&report.sessions[..], obstacles), (&SESSIONS[..], Ok(())));
    let (report, obstacles) = judge(&|prepare| prepare.betas_version = "betas_assumehrf".to_string());
    assert!(report.sessions.is_empty());
    let text = obstacles.unwrap_err();
    assert!(text.contains("missing nsddata_betas/") && text.contains("betas_assumehrf"), "{text}");
    let (_, obstacles) = judge(&|prepare| prepare.roi = vec!["V9".to_string()]);
    assert!(obstacles.unwrap_err().contains("unknown ROI `V9`"));
    std::fs::remove_file(small.roi_path("floc-faces")).unwrap();
    assert_eq!(judge(&|prepare| prepare.sessions = Some(1)).0.sessions, [1]);

    // A session that was cut off is found before it is read, unless nobody asks for it.
    let path = small.betas_path(2);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - bytes.len() / 4]).unwrap();
    let (report, obstacles) = judge(&|_| ());
    assert_eq!(report.sessions, [1, 4]);
    assert!(
        obstacles
            .unwrap_err()
            .contains("betas_session02.nii.gz` cannot be read: the file ends inside the values")
    );
    assert_eq!(judge(&|prepare| prepare.sessions = Some(1)).1, Ok(()));
    // Only the other regions are needed where they are asked for.
    std::fs::remove_file(small.roi_path("nsdgeneral")).unwrap();
    for side in [Hemisphere::Left, Hemisphere::Right] {
        let path = small.tree.roi(small.subject, Resolution::Func1pt8mm, "nsdgeneral", Some(side));
        std::fs::remove_file(path).unwrap();
    }
    let faces = |prepare: &mut prepare::PrepareConfig| {
        prepare.sessions = Some(1);
        prepare.roi = vec!["floc-faces".to_string()];
    };
    assert_eq!(judge(&faces).1, Ok(()));
    let text = judge(&|prepare| prepare.sessions = Some(1)).1.unwrap_err();
    assert!(text.contains("missing nsddata/ppdata/subj03/func1pt8mm/roi/nsdgeneral.nii.gz"), "{text}");
}

#[test]
fn a_union_in_one_expression_is_that_of_several() {
    let small = SmallTree::write();
    let mut settings = small.settings();
    settings.existing = ExistingOutput::Replace;
    settings.prepare.sessions = Some(1);
    let mut voxels = |roi: &[&str]| {
        settings.prepare.roi = roi.iter().map(ToString::to_string).collect();
        prepare::run(&settings, &mut Silent).unwrap();
        PreparedSubject::open(&settings.out).unwrap().flat_index().to_vec()
    };
    let union = voxels(&["lh.nsdgeneral+floc-faces:FFA-1"]);
    assert_eq!(union, voxels(&["lh.nsdgeneral", "floc-faces:FFA-1"]));
    assert!(union.len() > voxels(&["lh.nsdgeneral"]).len());
}

#[test]
fn an_existing_file_is_replaced_only_on_request() {
    let small = SmallTree::write();
    let mut settings = small.settings();
    std::fs::write(&settings.out, b"precious").unwrap();
    let error = prepare::run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("it is there already; allow it with `--overwrite`"), "{error}");
    assert_eq!(std::fs::read(&settings.out).unwrap(), b"precious");
    settings.existing = ExistingOutput::Replace;
    prepare::run(&settings, &mut Silent).unwrap();
    assert_eq!(PreparedSubject::open(&settings.out).unwrap().num_trials(), 2250);
}

#[test]
fn sessions_cut_down_to_the_selection_are_accepted() {
    use mindreader::data::formats::hdf5::H5Writer;
    let small = SmallTree::write();
    let mut settings = small.settings();
    settings.prepare.betas_version = "nsdgeneral_zscored".to_string();
    let path = small.tree.betas_hdf5(small.subject, Resolution::Func1pt8mm, "nsdgeneral_zscored", 1);
    let values: Vec<f64> = (0..750 * 20).map(|index| f64::from(index % 97)).collect();
    let writer = H5Writer::create(&path).unwrap();
    drop(writer.write("betas", &[750, 20], &values).unwrap());
    writer.finish().unwrap();
    settings.prepare.standardization = Standardization::None;
    let summary = prepare::run(&settings, &mut Silent).unwrap();
    assert_eq!((summary.num_trials, summary.num_voxels), (750, 20));
    let betas = PreparedSubject::open(&settings.out).unwrap().betas().unwrap();
    assert_eq!(betas[[3, 5]], 65.0);
}
