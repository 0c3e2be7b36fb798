//! `nsd_stim_info_merged.csv`: for every NSD image its COCO id, split, crop and flags.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::error::DataError;
use crate::data::formats::csv::{Column, Delimiter, Table};
pub use crate::data::image::crop::CropBox;
use crate::data::trial::{CocoId, NsdId};

/// Part of COCO 2017 an image is from; decides which annotation file describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CocoSplit {
    /// `train2017`
    #[serde(rename = "train2017")]
    Train,
    /// `val2017`
    #[serde(rename = "val2017")]
    Validation,
}

impl CocoSplit {
    /// As in the table and in the names of the annotation files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train2017",
            Self::Validation => "val2017",
        }
    }
}

/// What NSD's table says of one image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StimRow {
    /// The photograph it was cut from.
    pub coco_id: CocoId,
    /// COCO split whose files annotate that photograph.
    pub coco_split: CocoSplit,
    /// Shares of the photograph cut off at its four sides.
    pub crop: CropBox,
    /// Content was judged questionable (violent, salacious).
    pub flagged: bool,
    /// Seen by all eight subjects.
    pub shared1000: bool,
}

/// The table, by image.
#[derive(Clone, Debug, PartialEq)]
pub struct StimInfo {
    rows: Vec<StimRow>,
    path: std::path::PathBuf,
}

impl StimInfo {
    /// Reads the table and checks that row and `nsdId` agree.
    ///
    /// # Errors
    /// [`DataError::missing`], [`DataError::unreadable`], or [`DataError::Invalid`] naming column and row.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let table = Table::read(path, Delimiter::Comma, "the COCO photograph behind every image")?;
        let columns = Columns::find(&table)?;
        let rows = (0..table.num_rows()).map(|row| columns.read(&table, row)).collect::<Result<_, _>>()?;
        Ok(Self { rows, path: path.to_path_buf() })
    }

    /// Number of images described (73 000 in NSD).
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no image is described.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row of an image.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when the table ends before it.
    pub fn row(&self, image: NsdId) -> Result<&StimRow, DataError> {
        self.rows.get(image.row()).ok_or_else(|| {
            let expected = format!("at least {}", image.row() + 1);
            DataError::invalid(&self.path, "number of rows", expected, self.rows.len())
        })
    }

    /// All images in order.
    pub fn iter(&self) -> impl Iterator<Item = (NsdId, &StimRow)> {
        (0_u32..).map(NsdId).zip(&self.rows)
    }
}

struct Columns {
    nsd_id: Column,
    coco_id: Column,
    coco_split: Column,
    crop: Column,
    flagged: Column,
    shared1000: Column,
}

impl Columns {
    fn find(table: &Table) -> Result<Self, DataError> {
        Ok(Self {
            nsd_id: table.column("nsdId")?,
            coco_id: table.column("cocoId")?,
            coco_split: table.column("cocoSplit")?,
            crop: table.column("cropBox")?,
            flagged: table.column("flagged")?,
            shared1000: table.column("shared1000")?,
        })
    }

    fn read(&self, table: &Table, row: usize) -> Result<StimRow, DataError> {
        let wrong = |column, expected: &str| match table.text(row, column) {
            Ok(found) => table.wrong(row, column, expected, found),
            Err(error) => error,
        };
        // Rows are looked up by image number: a sorted or filtered table would mislead silently.
        if table.count(row, self.nsd_id)? != row as u64 {
            return Err(wrong(self.nsd_id, &format!("{row}, the number of the row")));
        }
        let coco_split = match table.text(row, self.coco_split)? {
            "train2017" => CocoSplit::Train,
            "val2017" => CocoSplit::Validation,
            _ => return Err(wrong(self.coco_split, "train2017 or val2017")),
        };
        let crop = table
            .text(row, self.crop)?
            .parse()
            .map_err(|_| wrong(self.crop, "(top, bottom, left, right), fractions from 0 to 1"))?;
        Ok(StimRow {
            coco_id: CocoId(table.count(row, self.coco_id)?),
            coco_split,
            crop,
            flagged: table.flag(row, self.flagged)?,
            shared1000: table.flag(row, self.shared1000)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = ",cocoId,cocoSplit,cropBox,loss,nsdId,flagged,BOLD5000,shared1000,subject1\n";

    fn read(rows: &str) -> Result<StimInfo, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nsd_stim_info_merged.csv");
        std::fs::write(&path, format!("{HEADER}{rows}")).unwrap();
        StimInfo::read(&path)
    }

    #[test]
    fn the_documented_first_row_is_read() {
        let info =
            read("0,532481,val2017,\"(0, 0, 0.1671875, 0.1671875)\",0.1,0,False,False,True,0\n").unwrap();
        let row = info.row(NsdId(0)).unwrap();
        assert_eq!((row.coco_id, row.coco_split), (CocoId(532_481), CocoSplit::Validation));
        assert_eq!(row.crop, CropBox { top: 0.0, bottom: 0.0, left: 0.1671875, right: 0.1671875 });
        assert!(row.shared1000 && !row.flagged);
        assert!(
            info.row(NsdId(1)).unwrap_err().to_string().contains("number of rows is 1, expected at least 2")
        );
    }

    #[test]
    fn every_wrong_cell_is_named() {
        for (row, needle) in [
            ("0,1,val2017,\"(0, 0, 0, 0)\",0,1,False,False,True,0\n", "column `nsdId`, row 1 is `1`"),
            ("0,x,val2017,\"(0, 0, 0, 0)\",0,0,False,False,True,0\n", "column `cocoId`, row 1 is `x`"),
            ("0,1,test,\"(0, 0, 0, 0)\",0,0,False,False,True,0\n", "column `cocoSplit`, row 1 is `test`"),
            ("0,1,val2017,\"(0, 0, 0)\",0,0,False,False,True,0\n", "column `cropBox`, row 1"),
            ("0,1,val2017,\"(0, 0, 0, 0)\",0,0,maybe,False,True,0\n", "column `flagged`, row 1 is `maybe`"),
        ] {
            let error = read(row).unwrap_err().to_string();
            assert!(error.contains(needle), "{error}");
        }
    }
}
