//! Table 2 of the paper: AUC-ROC of subject 1 of NSD (docs/spec/open-questions.md, section D).

use serde::{Deserialize, Serialize};

use super::config::ClassifierInput;

/// Mean and deviation over categories, of things, of stuff and of all; the last column is the share of fMRI's mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaperScores {
    /// Of 80 things.
    pub things: [f64; 2],
    /// Of 91 stuffs.
    pub stuff: [f64; 2],
    /// Of all.
    pub all: [f64; 2],
    /// In per cent of fMRI.
    pub percent_of_fmri: f64,
}

/// The paper's row of an input.
pub(super) fn of_paper(input: ClassifierInput) -> PaperScores {
    let row = |things, stuff, all, percent_of_fmri| PaperScores { things, stuff, all, percent_of_fmri };
    match input {
        ClassifierInput::ClipImage => row([0.9718, 0.0266], [0.8973, 0.0639], [0.9318, 0.0624], 112.36),
        ClassifierInput::Fmri => row([0.8704, 0.0557], [0.7937, 0.0824], [0.8293, 0.0807], 100.0),
        ClassifierInput::ClipMapped => row([0.8468, 0.0604], [0.7817, 0.0733], [0.8119, 0.0748], 97.90),
        ClassifierInput::ResnetImage => row([0.7061, 0.0736], [0.7032, 0.0719], [0.7044, 0.0725], 84.94),
        ClassifierInput::ResnetMapped => row([0.5410, 0.1106], [0.5520, 0.0941], [0.5469, 0.1020], 65.95),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_column_is_the_share_of_fmri() {
        let fmri = of_paper(ClassifierInput::Fmri).all[0];
        for input in ClassifierInput::ALL {
            let row = of_paper(input);
            assert!((100.0 * row.all[0] / fmri - row.percent_of_fmri).abs() < 0.01, "{input:?}");
        }
    }
}
