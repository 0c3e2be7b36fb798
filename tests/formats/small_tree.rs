//! A subject of 120 voxels in NSD's layout: sessions 1 (HDF5), 2 (NIfTI) and 4 (HDF5), session 3 missing.

use mindreader::commands::prepare::{PrepareConfig, PrepareSettings};
use mindreader::data::formats::csv::{Delimiter, write_table};
use mindreader::data::formats::mat5::write_arrays;
use mindreader::data::formats::nifti::{ElementType, Frame, NiftiWriter, write_volume};
use mindreader::data::nsd::betas::write_session;
use mindreader::data::nsd::tree::{DEFAULT_BETAS_VERSION, Hemisphere, NsdTree};
use mindreader::data::subject::{NsdSubject, Resolution};
use mindreader::run::existing_output::ExistingOutput;
use ndarray::Array2;

pub const GRID: [usize; 3] = [6, 5, 4];
pub const NUM_GRID_VOXELS: usize = 120;
pub const SESSIONS: [u16; 3] = [1, 2, 4];
const RESOLUTION: Resolution = Resolution::Func1pt8mm;

pub struct SmallTree {
    pub folder: tempfile::TempDir,
    pub tree: NsdTree,
    pub subject: NsdSubject,
}

/// Stored beta; voxel 8 is 0 throughout session 2.
pub fn stored(session: u16, trial: usize, voxel: usize) -> i16 {
    if session == 2 && voxel == 8 {
        return 0;
    }
    let mixed = (trial * 7919 + voxel * 104_729 + usize::from(session) * 1_299_709) % 4001;
    mixed as i16 - 2000 + (voxel as i16) * 10
}

/// `nsdgeneral`: every third voxel; −1 where x is 5.
fn general(voxel: usize) -> f64 {
    match voxel {
        voxel if voxel % 6 == 5 => -1.0,
        voxel if voxel % 3 == 2 => 1.0,
        _ => 0.0,
    }
}

fn faces(voxel: usize) -> f64 {
    if general(voxel) < 0.0 { -1.0 } else { (voxel % 4) as f64 }
}

impl SmallTree {
    pub fn write() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let written = Self {
            tree: NsdTree::new(folder.path().join("nsd")),
            folder,
            subject: NsdSubject::new(3).unwrap(),
        };
        written.write_design();
        written.write_rois();
        written.write_stim_info(3000);
        for session in SESSIONS {
            written.write_betas(session);
        }
        written
    }

    pub fn settings(&self) -> PrepareSettings {
        PrepareSettings {
            nsd_root: self.tree.root().to_path_buf(),
            subject: self.subject,
            resolution: RESOLUTION,
            prepare: PrepareConfig::default(),
            out: self.folder.path().join("prepared.h5"),
            existing: ExistingOutput::Refuse,
        }
    }

    pub fn betas_path(&self, session: u16) -> std::path::PathBuf {
        match session {
            2 => self.tree.betas_nifti(self.subject, RESOLUTION, DEFAULT_BETAS_VERSION, session),
            _ => self.tree.betas_hdf5(self.subject, RESOLUTION, DEFAULT_BETAS_VERSION, session),
        }
    }

    pub fn roi_path(&self, name: &str) -> std::path::PathBuf {
        self.tree.roi(self.subject, RESOLUTION, name, None)
    }

    fn write_design(&self) {
        let master: Vec<f64> = (0..30_000_u32).map(|trial| f64::from(trial * 7 % 1200 + 1)).collect();
        let images: Vec<f64> =
            (0..1200).flat_map(|column| (0..8).map(move |row| f64::from(1 + column * 2 + row % 2))).collect();
        let shared: Vec<f64> = (0..100).map(|index| f64::from(1 + index * 2)).collect();
        let arrays: [(&str, &[usize], &[f64]); 3] = [
            ("masterordering", &[1, 30_000], &master),
            ("subjectim", &[8, 1200], &images),
            ("sharedix", &[1, 100], &shared),
        ];
        write_arrays(&self.tree.experiment_design(), &arrays).unwrap();
    }

    pub fn write_volume(&self, name: &str, hemisphere: Option<Hemisphere>, labels: &[f64]) {
        let path = self.tree.roi(self.subject, RESOLUTION, name, hemisphere);
        write_volume(&path, &GRID, Frame::F64(labels), 1.8, 1.0).unwrap();
    }

    fn write_rois(&self) {
        type Labels = fn(usize) -> f64;
        for (name, label) in [("nsdgeneral", general as Labels), ("floc-faces", faces as Labels)] {
            let labels: Vec<f64> = (0..NUM_GRID_VOXELS).map(label).collect();
            self.write_volume(name, None, &labels);
            for side in [Hemisphere::Left, Hemisphere::Right] {
                let is_here = |voxel: usize| (voxel % 6 < 3) == (side == Hemisphere::Left);
                let labels: Vec<f64> = (0..NUM_GRID_VOXELS)
                    .map(|voxel| if is_here(voxel) { label(voxel) } else { -1.0 })
                    .collect();
                self.write_volume(name, Some(side), &labels);
            }
        }
        let table = &self.tree.label_tables(self.subject, "floc-faces")[0];
        std::fs::create_dir_all(table.parent().unwrap()).unwrap();
        std::fs::write(table, "0 Unknown\n1 OFA\t    \n2 FFA-1\n3 FFA-2\n").unwrap();
    }

    pub fn write_stim_info(&self, num_images: usize) {
        let header =
            ["", "cocoId", "cocoSplit", "cropBox", "loss", "nsdId", "flagged", "BOLD5000", "shared1000"];
        let rows = (0..num_images).map(|image| {
            let coco_id = 500_000 - image;
            let row =
                format!("{image}|{coco_id}|train2017|(0, 0, 0.125, 0.125)|0.1|{image}|False|False|True");
            row.split('|').map(String::from).collect::<Vec<_>>()
        });
        write_table(&self.tree.stim_info(), Delimiter::Comma, &header, rows).unwrap();
    }

    fn write_betas(&self, session: u16) {
        let path = self.betas_path(session);
        let betas =
            Array2::from_shape_fn((750, NUM_GRID_VOXELS), |(trial, voxel)| stored(session, trial, voxel));
        if session != 2 {
            let voxels: Vec<usize> = (0..NUM_GRID_VOXELS).collect();
            return write_session(&path, GRID, &voxels, &betas).unwrap();
        }
        let dims = [GRID[0], GRID[1], GRID[2], 750];
        let mut writer = NiftiWriter::create(&path, &dims, ElementType::I16, 1.8, 4.0 / 3.0).unwrap();
        for frame in betas.rows() {
            writer.write_frame(Frame::I16(frame.as_slice().unwrap())).unwrap();
        }
        writer.finish().unwrap();
    }
}
