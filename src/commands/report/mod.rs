//! `mindreader report`: what the runs of a subject found, on one self-contained page.
//!
//! Reads what runs left (`config.toml`, `summary.json`, `evaluation.json`, `metrics.jsonl`, `manifest.json`, pictures). Of a phantom
//! it compares estimates with the truth, as `score` does; else it computes nothing. What is missing is said with the command that makes it.

mod classification;
mod curves;
mod evaluation_curves;
mod finished_run;
mod flattery;
mod gathered;
mod measures;
mod microstimulation;
mod missing;
mod naming;
mod numbers;
mod overview;
mod pictures;
mod provenance;
mod run_files;
mod settings;
mod subject;
mod summary;
#[cfg(test)]
mod tests;
mod truth;
mod verdict;
mod voxels;

use self::flattery::Flattery;
use self::gathered::Gathered;
use self::measures::Findings;
use self::missing::{CONTROL_COMMAND, missing};
use self::pictures::rater_pack;
use self::run_files::json_file;
pub use self::settings::{Preface, ReportSettings};
use self::subject::Subject;
pub use self::summary::{MissingPart, ReportSummary, ShownRun};
use self::verdict::{Evidence, sentences};
use super::encode::EncodeSummary;
use super::score::{self, ScoreSettings, ScoreSummary};
use crate::error::Result;
use crate::files::{file_is_there, write_atomic};
use crate::pipelines::command_line::CommandLine;
use crate::report::{Block, Opening, Page, Section, Table};
use crate::run::progress::Progress;
use crate::run::run_dir::SUMMARY_FILE;

/// Writes the page.
///
/// # Errors
/// No finished run; a file of a run that is missing or malformed; a page that cannot be written.
pub fn run(settings: &ReportSettings, progress: &mut dyn Progress) -> Result<ReportSummary> {
    progress.start("report", 0);
    let gathered = Gathered::find(settings)?;
    let findings = Findings::read(&gathered)?;
    let subject = Subject::find(settings, &gathered)?;
    let material = Material {
        encoded: encoded(&gathered)?,
        score: score(settings, &subject, progress)?,
        has_captions: file_is_there(&settings.project.caption_probabilities())?,
        flattery: Flattery::of(&gathered, findings.judged.as_ref(), subject.signal()),
        commands: CommandLine::new(&settings.project, subject.nsd.as_deref(), &settings.flags),
        settings,
        gathered,
        findings,
        subject,
    };
    let missing = material.missing();
    let verdict = material.verdict();
    let notes = material.notes()?;
    let page = Page {
        title: material.title(),
        lead: material.lead(),
        opening: material.opening(&verdict, &notes)?,
        sections: material.sections(&missing)?,
    };
    let html = page.to_html()?;
    let pack = settings.rater_pack.as_deref();
    pack.map_or(Ok(()), |pack| rater_pack::check(pack, &settings.out, &material.gathered))?;
    write_atomic(&settings.out, html.as_bytes())?;
    let rater_key =
        pack.map(|pack| rater_pack::write(pack, &material.gathered, settings.project.seed)).transpose()?;
    progress.finish(&settings.out.display().to_string());
    let shown = material.gathered.all().into_iter();
    let shown = shown.map(|(part, run)| ShownRun { part, run: run.folder.clone() }).collect();
    Ok(ReportSummary {
        report: settings.out.clone(),
        bytes: html.len(),
        verdict,
        shown,
        notes,
        missing,
        rater_key,
    })
}

fn encoded(gathered: &Gathered) -> Result<Option<EncodeSummary>> {
    let Some(run) = &gathered.encoded else { return Ok(None) };
    Ok(Some(json_file(&run.folder.join(SUMMARY_FILE), "a summary of `encode`")?))
}

/// Estimates beside the truth, where there is one.
fn score(
    settings: &ReportSettings,
    subject: &Subject,
    progress: &mut dyn Progress,
) -> Result<Option<ScoreSummary>> {
    let (Some(root), Some(prepared), Some(_)) = (&subject.nsd, &subject.prepared, &subject.phantom) else {
        return Ok(None);
    };
    if !score::has_truth(root)? {
        return Ok(None);
    }
    let probabilities = settings.project.caption_probabilities();
    let scored =
        ScoreSettings { nsd: root.clone(), prepared: prepared.clone(), probabilities, evaluation: None };
    score::run(&scored, progress).map(Some)
}

/// Everything that goes onto the page.
struct Material<'a> {
    settings: &'a ReportSettings,
    gathered: Gathered,
    findings: Findings,
    subject: Subject,
    encoded: Option<EncodeSummary>,
    score: Option<ScoreSummary>,
    has_captions: bool,
    flattery: Flattery,
    commands: CommandLine,
}

impl Material<'_> {
    fn title(&self) -> String {
        let title = &self.settings.preface.title;
        if title.is_empty() { format!("{}, decoded", self.settings.project.subject) } else { title.clone() }
    }

    fn lead(&self) -> String {
        let lead = &self.settings.preface.lead;
        if !lead.is_empty() {
            return lead.clone();
        }
        let whose = if self.subject.phantom.is_some() { "a phantom's" } else { "a subject's" };
        format!("What mindreader decoded from {whose} betas, beside chance and controls.")
    }

    fn missing(&self) -> Vec<MissingPart> {
        let judged = self.findings.judged.as_ref();
        missing(&self.gathered, &self.subject, judged, self.has_captions, &self.commands)
    }

    fn verdict(&self) -> Vec<String> {
        let mapper = self.findings.mappers.first();
        sentences(&Evidence {
            subject: self.settings.project.subject.to_string(),
            held_out: mapper.map(|(_, summary)| summary.num_validation_trials).or_else(|| {
                let counted = self.findings.evaluation.as_ref().or(self.findings.folds.as_ref());
                counted.map(|summary| summary.num_trials)
            }),
            measures: &self.findings.measures,
            encoding: self.encoded.as_ref().map(|summary| (summary.all.accuracy, summary.all.ceiling)),
            control_command: self.commands.line(CONTROL_COMMAND),
            first_command: self.commands.line("train-mapper --target image"),
        })
    }

    /// What a reader must know of the runs that are shown.
    fn notes(&self) -> Result<Vec<String>> {
        let mut notes = self.gathered.notes.clone();
        notes.extend(self.findings.other_splits());
        notes.extend(provenance::warnings(&self.gathered)?);
        Ok(notes)
    }

    fn opening(&self, verdict: &[String], notes: &[String]) -> Result<Opening> {
        let mut blocks = Vec::new();
        if let Some(drawn) = &self.gathered.drawn {
            blocks.push(pictures::grid(drawn, &self.gathered, self.findings.judged.as_ref())?);
        }
        let flattery = self.flattery.pictures.as_ref().or(self.flattery.counts.as_ref());
        blocks.extend(flattery.into_iter().chain(notes).map(|text| Block::Text(text.clone())));
        let chart = overview::chart(&self.findings.measures);
        // A number and its unit stay on one line.
        let verdict = verdict.iter().map(|sentence| sentence.replace(" %", "\u{a0}%")).collect();
        Ok(Opening { verdict, chart, blocks })
    }

    fn sections(&self, missing: &[MissingPart]) -> Result<Vec<Section>> {
        let Self { gathered, findings, flattery, .. } = self;
        let mut sections: Vec<Section> = not_here(missing, &self.commands).into_iter().collect();
        sections.push(self.subject.section(self.settings, findings));
        if !findings.mappers.is_empty() || findings.evaluation.is_some() || findings.folds.is_some() {
            let section = numbers::retrieval(findings);
            sections.push(with_caveat(section, flattery.counts.as_ref()));
        }
        sections.extend(evaluation_curves::section(gathered.curves.as_ref())?);
        sections.extend(classification::section(self.settings)?);
        if let Some(judged) = &findings.judged {
            let measured = pictures::picture_numbers(findings).map(|found| {
                let identification = numbers::identification(judged, &found);
                [Some(identification), naming::class_section(judged, &found), naming::naming(judged, &found)]
            });
            let pictures = flattery.pictures.as_ref();
            sections.extend(
                measured.into_iter().flatten().flatten().map(|section| with_caveat(section, pictures)),
            );
        }
        sections.extend(gathered.way.as_ref().map(|run| pictures::way::section(&run.folder)).transpose()?);
        if !gathered.stimulated.is_empty() {
            sections.push(microstimulation::section(&gathered.stimulated)?);
        }
        if let Some((run, summary)) = gathered.encoded.as_ref().zip(self.encoded.as_ref()) {
            sections.push(voxels::section(&run.folder, summary)?);
        }
        sections.extend(self.score.as_ref().map(truth::section));
        sections.extend(curves::section(gathered, findings)?);
        if self.has_captions {
            sections.push(numbers::captions(&self.settings.project.caption_probabilities())?);
        }
        sections.push(provenance::section(self.settings, gathered)?);
        Ok(sections)
    }
}

/// What is missing, each with its command.
fn not_here(missing: &[MissingPart], commands: &CommandLine) -> Option<Section> {
    let rows = missing.iter().map(|MissingPart { part, command }| vec![part.clone(), command.clone()]);
    let table = Table {
        head: ["missing", "command that makes it"].map(String::from).to_vec(),
        rows: rows.collect(),
        caption: format!("Then `{}` again.", commands.line("report")),
    };
    (!missing.is_empty()).then(|| Section::new("Not on this page yet").with(Block::Table(table)))
}

/// The section with the sentence below its numbers.
fn with_caveat(section: Section, caveat: Option<&String>) -> Section {
    match caveat {
        Some(caveat) => section.text(caveat.clone()),
        None => section,
    }
}
