//! Arguments of `ablate`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;
use crate::commands::ablate::TABLES;
use crate::files::{InputKind, read_text};

/// A table of the paper.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum PaperTable {
    /// Conditions, sources, losses and mappers of the finetuned GAN
    #[value(name = "1")]
    One,
    /// Clamp, augmentation, captions, losses
    #[value(name = "3")]
    Three,
    /// Combined mappers
    #[value(name = "4")]
    Four,
}

/// Arguments of `ablate`.
#[derive(Debug, Args)]
#[command(after_help = "Example: mindreader ablate --subject 1 --table 3 --config configs/paper/subj01.toml")]
pub struct AblateArgs {
    /// Table of the paper
    #[arg(long, value_enum, required_unless_present = "rows", conflicts_with = "rows")]
    pub table: Option<PaperTable>,
    /// Rows of one's own, written as those in configs/ablations
    #[arg(long, value_name = "FILE")]
    pub rows: Option<PathBuf>,
    /// Only the row of this label; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub only: Vec<String>,
    /// Say what is done and what is to do, train nothing
    #[arg(long)]
    pub list: bool,
    /// CLIP snapshot; by default that of the newest `pretrain-clip`
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// ResNet-50 snapshot, for the rows of ResNet mappers and of the low-level term
    #[arg(long, value_name = "FILE")]
    pub resnet: Option<PathBuf>,
    /// Folder of a GAN that rows start from by its name; may be given several times. `language-free` draws for table 3
    #[arg(long, value_name = "NAME=DIR")]
    pub gan: Vec<String>,
    /// Inception snapshot: with it the distances of tables 1 and 3 are FIDs
    #[arg(long, value_name = "FILE")]
    pub inception: Option<PathBuf>,
    /// Snapshot of `pretrain-classifier`, whose features measure pictures without an Inception
    #[arg(long, value_name = "FILE")]
    pub classifier: Option<PathBuf>,
}

impl AblateArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        let layers = layers.optional_path("paths.clip", self.clip.as_ref())?;
        let layers = layers.optional_path("paths.inception", self.inception.as_ref())?;
        let layers = layers.optional_path("paths.classifier", self.classifier.as_ref())?;
        layers.optional_path("paths.resnet", self.resnet.as_ref())
    }

    /// The GANs by name.
    ///
    /// # Errors
    /// For anything but `NAME=DIR`.
    pub fn gans(&self) -> Result<BTreeMap<String, PathBuf>, UsageError> {
        self.gan
            .iter()
            .map(|text| match text.split_once('=') {
                Some((name, folder)) if !name.is_empty() && !folder.is_empty() => {
                    Ok((name.to_string(), PathBuf::from(folder)))
                }
                _ => Err(UsageError::new(format!("`--gan {text}`: expected NAME=DIR"))),
            })
            .collect()
    }

    /// The file of rows and its content.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn rows(&self) -> Result<(PathBuf, String), UsageError> {
        if let Some(path) = &self.rows {
            let text = read_text(path, InputKind::Text)
                .map_err(|error| UsageError::new(format!("rows `{}`: {error}", path.display())))?;
            return Ok((path.clone(), text));
        }
        let number = match self.table {
            Some(PaperTable::One) => "1",
            Some(PaperTable::Four) => "4",
            Some(PaperTable::Three) | None => "3",
        };
        let known = TABLES.iter().find(|(table, _, _)| *table == number);
        let (_, file, text) = known.ok_or_else(|| UsageError::new(format!("no table {number}")))?;
        Ok((PathBuf::from(file), (*text).to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gans_are_given_by_name_and_folder() {
        let of = |texts: &[&str]| {
            let gan = texts.iter().map(ToString::to_string).collect();
            AblateArgs {
                table: None,
                rows: None,
                only: vec![],
                list: false,
                clip: None,
                resnet: None,
                gan,
                inception: None,
                classifier: None,
            }
            .gans()
        };
        let found = of(&["supervised=a/b", "free=c=d"]).unwrap();
        assert_eq!(found["supervised"], PathBuf::from("a/b"));
        assert_eq!(found["free"], PathBuf::from("c=d"));
        for wrong in ["supervised", "=dir", "name="] {
            let error = of(&[wrong]).unwrap_err().to_string();
            assert!(error.contains(wrong) && error.contains("NAME=DIR"), "{error}");
        }
    }
}
