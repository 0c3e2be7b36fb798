//! From arguments to a command's summary.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Parser;
use clap::error::ErrorKind;
use serde::Serialize;
use serde_json::Value;

use super::args::{
    AblateArgs, Cli, Command, CycleArgs, DemoArgs, GlobalArgs, ImportArgs, ImportWeightsArgs, InitArgs,
    PhantomArgs, PrepareArgs, PretrainGanArgs, ReportArgs, RunArgs, ScoreArgs, SplitArgs, Subjects,
    TrainMapperArgs, WeightsArgs,
};
use super::environment;
use super::every_subject;
use super::exit_code::ExitCode;
use super::layers::Layers;
use super::logging::{self, Display, LogFormat, Verbosity};
use super::render::{self, OutputError};
use super::settings_file::{SETTINGS_FILE, settings_file, with_sizes_of_import};
use super::stopping::{self, WayOn};
use super::terminal::Terminal;
use super::usage_error::UsageError;
use crate::commands::ablate::{self, AblateSettings, AblationTable};
use crate::commands::classify::{self, ClassifySettings, ClassifySummary};
use crate::commands::config::{ProjectConfig, SEED_KEYS, SUBJECT_KEYS};
use crate::commands::cycle::{self, CycleSettings};
use crate::commands::demo::{self, DemoSettings};
use crate::commands::doctor::{self, DoctorSettings};
use crate::commands::encode::{self, EncodeSettings};
use crate::commands::evaluate::{self, EvaluateSettings, EvaluateSummary};
use crate::commands::finetune_gan::{self, FinetuneGanSettings};
use crate::commands::import::{self, ImportSettings};
use crate::commands::init::{self, InitSettings};
use crate::commands::phantom::{self, PhantomSettings};
use crate::commands::prepare::{self, PrepareSettings};
use crate::commands::pretrain_classifier::{self, PretrainClassifierSettings};
use crate::commands::pretrain_clip::{self, PretrainClipSettings};
use crate::commands::pretrain_gan::{self, PretrainGanSettings};
use crate::commands::report::{self, ReportSettings, ReportSummary};
use crate::commands::run::{self as chain, ChainPlan, RunSettings, RunSummary};
use crate::commands::score::{self, EffectTable, ScoreSettings};
use crate::commands::screen_captions::{self, ScreenCaptionsSettings};
use crate::commands::split::{self, SplitSettings};
use crate::commands::train_mapper::both::run_both;
use crate::commands::train_mapper::{self, BetasControl, TrainMapperSettings};
use crate::commands::{compact_weights, import_weights, weights};
use crate::data::prepared::PreparedSubject;
use crate::data::subject::{OwnSubject, SubjectId};
use crate::error::{ErrorClass, FileError};
use crate::files::{InputKind, open_input};
use crate::interrupt;
use crate::models::mapper::MapperTarget;
use crate::pipelines::command_line::CommandLine;
use crate::pipelines::project::Project;
use crate::run::existing_output::ExistingOutput;
use crate::run::interrupt::Interrupted;
use crate::run::progress::Progress;

/// Parses, runs, prints; the whole program.
pub fn main() -> std::process::ExitCode {
    // Before there is a second thread.
    let signals = interrupt::Signals::hold();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused_arguments(&error).into(),
    };
    let requested = logging::requested();
    let display = listen(&cli.global, requested.as_ref().ok().and_then(Option::as_deref));
    let way_on = WayOn::of(&cli.global, &cli.command);
    stopping::listen(signals, way_on.clone());
    let environment =
        environment::check(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()));
    let checked = requested.and(environment).map_err(Into::into);
    let done = checked.and_then(|()| whole(&cli, display));
    interrupt::wait_while_ending();
    ended(done.map_err(|error| match error.class() {
        ErrorClass::Interrupted => {
            let stop = error.downcast_ref::<Interrupted>();
            let hint = way_on.hint(stop.map(|stop| stop.checkpoint.as_path()));
            error.or_hint(hint)
        }
        _ => error,
    }))
    .into()
}

/// Runs the command and prints its summary; where a log lacks lines, that is an error at the end.
fn whole(cli: &Cli, display: Display) -> crate::error::Result<()> {
    let as_json = cli.global.json;
    let summary = run(cli, display)?;
    if !summary.is_null() {
        render::summary(&summary, as_json)?;
    }
    Ok(logging::all_written()?)
}

/// Shows the error, if there is one.
fn ended(done: crate::error::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::Success,
        Err(error) => {
            render::error(&error);
            error.class().into()
        }
    }
}

/// Help on request as clap writes it; arguments that are wrong in one line, like every other error.
fn refused_arguments(error: &clap::Error) -> ExitCode {
    let prints_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    logging::init(Verbosity::Normal, LogFormat::Text, std::io::stderr().is_terminal(), None);
    if !error.use_stderr() || prints_help {
        let printed = ended(render::help(error).map_err(Into::into));
        return if prints_help { ExitCode::BadInput } else { printed };
    }
    render::error(&UsageError::of_arguments(&error.render().to_string()).into());
    ExitCode::BadInput
}

/// Sets up who hears what, as the flags ask for it.
fn listen(flags: &GlobalArgs, requested: Option<&str>) -> Display {
    let verbosity = if flags.quiet { Verbosity::Quiet } else { Verbosity::Normal };
    logging::init(verbosity, flags.log_format, std::io::stderr().is_terminal(), requested)
}

/// The settings of the arguments: flags over `--set` over the file over defaults; for one of several subjects, its name over
/// them all.
fn configuration(cli: &Cli, subject: Option<SubjectId>) -> crate::error::Result<ProjectConfig> {
    let mut layers = Layers::default();
    if let Command::Demo(_) = &cli.command {
        layers = layers.text::<ProjectConfig>("the demo's configuration", demo::CONFIGURATION)?;
    }
    if let Some(path) = settings_file(cli)? {
        layers = layers.file::<ProjectConfig>(&path)?;
    }
    let mut layers = cli.command.layers(cli.global.layers(layers)?)?;
    if let Some(subject) = subject {
        layers = match subject {
            SubjectId::Nsd(subject) => layers.value("subject", i64::from(subject.number()))?,
            SubjectId::Own(name) => layers.value("subject", name.name())?,
        };
    }
    let layers = with_sizes_of_import(&cli.command, layers)?.inherit("seed", SEED_KEYS)?;
    // A phantom stands for a subject of NSD: the name of another says nothing to it.
    let is_own = layers.text_of("subject").is_some_and(|name| name.parse::<OwnSubject>().is_ok());
    let layers = if is_own { layers } else { layers.inherit("subject", SUBJECT_KEYS)? };
    let config: ProjectConfig = layers.clone().resolve(ProjectConfig::validate)?;
    if config.subject.is_own()
        && !layers.has("split.rule")
        && PreparedSubject::has_given_split(&config.project().prepared())
    {
        // What came with the data decides, unless the user does.
        return Ok(layers.value("split.rule", "given")?.resolve(ProjectConfig::validate)?);
    }
    Ok(config)
}

fn run(cli: &Cli, display: Display) -> crate::error::Result<Value> {
    if cli.global.subject != Some(Subjects::All) {
        return run_once(cli, None, display);
    }
    let subjects = every_subject::subjects(&cli.command, &configuration(cli, None)?.project())?;
    every_subject::run(cli, &subjects, &mut |subject| run_once(cli, Some(subject), display))
}

/// The command for one subject, which is named where it is one of several.
fn run_once(cli: &Cli, subject: Option<SubjectId>, display: Display) -> crate::error::Result<Value> {
    let config = configuration(cli, subject)?;
    stopping::note_settings(&cli.command, &config);
    check_resumed(&cli.command)?;
    every_subject::require_imported(&cli.command, &config.project())?;
    let mut terminal = Terminal::new(display);
    if let Some(subject) = subject {
        terminal.note(&subject.to_string());
    }
    let project = config.project();
    let flags = flags_of_the_same_settings(cli)?;
    let session =
        Session { project, config, global: &cli.global, flags, heading: subject, progress: &mut terminal };
    session.run(&cli.command)
}

/// The flags that give another command the same settings as this call has, its own short names of keys among them.
fn flags_of_the_same_settings(cli: &Cli) -> Result<Vec<String>, UsageError> {
    let own = cli.command.layers(Layers::default())?.assignments();
    // That long work is accepted belongs to this call.
    let own = own.into_iter().filter(|assignment| !assignment.starts_with("run.accept_long="));
    let own = own.flat_map(|assignment| ["--set".to_string(), assignment]);
    Ok(cli.global.configuring().into_iter().chain(own).collect())
}

/// Refuses a checkpoint that is none before images are read for it.
fn check_resumed(command: &Command) -> Result<(), FileError> {
    let Some(checkpoint) = command.resumed() else { return Ok(()) };
    open_input(checkpoint, InputKind::Weights)
        .map(drop)
        .map_err(|error| FileError::from_io(checkpoint, "`--resume`", &error))
}

/// One call of the program: its settings, its flags, and where it says how far it is.
pub(super) struct Session<'a> {
    pub(super) config: ProjectConfig,
    pub(super) project: Project,
    global: &'a GlobalArgs,
    /// Those that give another command the same settings, beside paths and subject.
    flags: Vec<String>,
    /// Whose results these are, where they are one of several.
    heading: Option<SubjectId>,
    pub(super) progress: &'a mut dyn Progress,
}

impl Session<'_> {
    /// Runs a command; its summary, or null where that was printed in a form of its own.
    fn run(self, command: &Command) -> crate::error::Result<Value> {
        match command {
            Command::Config => self.config(),
            Command::Demo(args) => self.demo(args),
            Command::Init(args) => self.init(args),
            Command::Run(args) => self.chain(args),
            Command::Doctor => self.doctor(),
            Command::Phantom(args) => self.phantom(args),
            Command::Prepare(args) => self.prepare(args),
            Command::Import(args) => self.import(args),
            Command::ImportWeights(args) => self.import_weights(args),
            Command::Weights(args) => self.weights(args),
            Command::CompactWeights(args) => {
                value(compact_weights::run(&args.settings()).map_err(Into::into))
            }
            Command::PretrainClip(args) => self.pretrain_clip(args.resume.clone()),
            Command::PretrainClassifier(args) => self.pretrain_classifier(args.resume.clone()),
            Command::ScreenCaptions(_) => self.screen_captions(),
            Command::Classify(_) => self.classify(),
            Command::Cycle(args) => self.cycle(args),
            Command::Encode(args) => self.encode(args.resume.clone()),
            Command::Score(args) if !args.microstim.is_empty() => self.microstim_effects(args),
            Command::Score(args) => self.score(args.evaluation.clone()),
            Command::Split(args) => self.split(args),
            Command::Report(args) => self.report(args),
            Command::TrainMapper(args) => self.train_mapper(args),
            Command::Evaluate(args) => self.evaluate(args.mappers.clone()),
            Command::Ablate(args) => self.ablate(args),
            Command::PretrainGan(args) => self.pretrain_gan(args),
            Command::FinetuneGan(args) => self.finetune_gan(args.resume.clone()),
            Command::Reconstruct(_) => self.reconstruct(),
            Command::EvaluateImages(args) => self.evaluate_images(args.run.clone()),
            Command::Interpolate(_) => self.interpolate(),
            Command::Microstim(_) => self.microstim(),
        }
    }

    /// The summary as JSON where that is wanted; else its text is printed.
    pub(super) fn as_text<T: Serialize>(
        &self,
        summary: T,
        text: impl FnOnce(&T) -> String,
    ) -> crate::error::Result<Value> {
        if self.global.json {
            return value(Ok(summary));
        }
        self.print(&text(&summary))?;
        Ok(Value::Null)
    }

    /// A result in a form of its own, under the name of the subject where there are several.
    fn print(&self, text: &str) -> Result<(), OutputError> {
        if let Some(subject) = self.heading {
            render::to_stdout(&subject.to_string())?;
        }
        render::to_stdout(text)
    }

    fn config(self) -> crate::error::Result<Value> {
        if self.global.json {
            return Ok(serde_json::to_value(&self.config)?);
        }
        render::to_stdout(toml::to_string(&self.config)?.trim_end())?;
        Ok(Value::Null)
    }

    fn demo(self, args: &DemoArgs) -> crate::error::Result<Value> {
        let networks = args.networks();
        value(demo::run(
            &DemoSettings { config: self.config, networks, out: args.out.clone() },
            self.progress,
        ))
    }

    fn init(self, args: &InitArgs) -> crate::error::Result<Value> {
        let is_named = self.global.subject.is_some();
        value(init::run(&InitSettings {
            file: PathBuf::from(SETTINGS_FILE),
            look: std::iter::once(PathBuf::from(".")).chain(args.look.iter().cloned()).collect(),
            subject: is_named.then_some(self.project.subject),
            project: self.project,
            prepare: self.config.prepare,
            existing: ExistingOutput::of_overwrite_flag(args.overwrite),
        }))
    }

    fn chain(self, args: &RunArgs) -> crate::error::Result<Value> {
        let (config, flags) = (self.config.clone(), self.flags.clone());
        let settings = RunSettings { config, selection: args.selection()?, flags };
        if args.dry_run {
            return self.as_text(chain::plan(&settings)?, ChainPlan::text);
        }
        let summary = chain::run(&settings, &mut *self.progress)?;
        self.as_text(summary, RunSummary::text)
    }

    /// The state of the NSD tree; as text it has a form of its own.
    fn doctor(self) -> crate::error::Result<Value> {
        let report = doctor::run(&DoctorSettings::resolve(&self.project, &self.config.prepare)?)?;
        if self.global.json {
            render::summary(&serde_json::to_value(&report)?, true)?;
        } else {
            render::doctor(&report)?;
        }
        report.verdict().map(|()| Value::Null)
    }

    fn phantom(self, args: &PhantomArgs) -> crate::error::Result<Value> {
        let existing = ExistingOutput::of_overwrite_flag(args.overwrite);
        let settings = PhantomSettings::resolve(&self.project, &self.config.phantom, existing)?;
        value(phantom::run(&settings, self.progress))
    }

    fn prepare(self, args: &PrepareArgs) -> crate::error::Result<Value> {
        if args.check {
            return self.doctor();
        }
        let existing = ExistingOutput::of_overwrite_flag(args.overwrite);
        let settings = PrepareSettings::resolve(&self.project, &self.config.prepare, existing)?;
        value(prepare::run(&settings, self.progress))
    }

    fn import(self, args: &ImportArgs) -> crate::error::Result<Value> {
        let existing = ExistingOutput::of_overwrite_flag(args.overwrite);
        let settings = ImportSettings::resolve(&self.project, &self.config.import, existing)?;
        value(import::run(&settings, self.progress))
    }

    fn import_weights(self, args: &ImportWeightsArgs) -> crate::error::Result<Value> {
        let settings = args.settings(&self.project, self.global.subject.is_some());
        value(import_weights::run(&settings, self.progress))
    }

    fn weights(self, args: &WeightsArgs) -> crate::error::Result<Value> {
        let files = weights::run(&args.settings())?;
        if self.global.json {
            return value(Ok(files));
        }
        render::weights(&files)?;
        Ok(Value::Null)
    }

    fn pretrain_clip(self, resume: Option<PathBuf>) -> crate::error::Result<Value> {
        let settings = PretrainClipSettings::resolve(&self.project, &self.config.pretrain_clip, resume)?;
        value(pretrain_clip::run(&settings, self.progress))
    }

    fn pretrain_classifier(self, resume: Option<PathBuf>) -> crate::error::Result<Value> {
        let settings =
            PretrainClassifierSettings::resolve(&self.project, &self.config.pretrain_classifier, resume)?;
        value(pretrain_classifier::run(&settings, self.progress))
    }

    fn screen_captions(self) -> crate::error::Result<Value> {
        let settings = ScreenCaptionsSettings::resolve(&self.project, &self.config.screen_captions)?;
        value(screen_captions::run(&settings, self.progress))
    }

    fn classify(self) -> crate::error::Result<Value> {
        let ProjectConfig { classify, train_mapper, .. } = &self.config;
        let settings = ClassifySettings::resolve(&self.project, classify, train_mapper)?;
        let summary = classify::run(&settings, &mut *self.progress)?;
        self.as_text(summary, ClassifySummary::text)
    }

    fn encode(self, resume: Option<PathBuf>) -> crate::error::Result<Value> {
        let Self { project, config, progress, .. } = self;
        let settings = EncodeSettings::resolve(&project, &config.encode, &config.train_mapper, resume)?;
        value(encode::run(&settings, progress))
    }

    fn cycle(self, args: &CycleArgs) -> crate::error::Result<Value> {
        let (images, encoder) = (args.images.clone(), args.encoder.clone());
        let settings = CycleSettings::resolve(&self.project, &self.config.cycle, images, encoder)?;
        value(cycle::run(&settings, self.progress))
    }

    fn microstim_effects(self, args: &ScoreArgs) -> crate::error::Result<Value> {
        self.as_text(score::microstim_effects(&args.microstim)?, EffectTable::text)
    }

    fn score(self, evaluation: Option<PathBuf>) -> crate::error::Result<Value> {
        let settings = ScoreSettings::resolve(&self.project, evaluation)?;
        let mut summary = score::run(&settings, self.progress)?;
        if let Some(table) = summary.decoding_table().filter(|_| !self.global.json) {
            summary.decoding.clear();
            if let Some(subject) = self.heading {
                render::to_stdout(&subject.to_string())?;
            }
            render::summary(&serde_json::to_value(&summary)?, false)?;
            render::to_stdout(&table)?;
            return Ok(Value::Null);
        }
        value(Ok(summary))
    }

    fn split(self, args: &SplitArgs) -> crate::error::Result<Value> {
        let existing = ExistingOutput::of_overwrite_flag(args.overwrite);
        let (making, space) = (args.making()?, args.space());
        let config = &self.config.train_mapper;
        let settings = SplitSettings::resolve(&self.project, config, making, space, existing)?;
        value(split::run(&settings, self.progress))
    }

    fn report(self, args: &ReportArgs) -> crate::error::Result<Value> {
        let mut settings = ReportSettings::resolve(&self.project, args.runs.clone(), args.out.clone());
        settings.rater_pack.clone_from(&args.rater_pack);
        settings.flags.clone_from(&self.flags);
        let summary = report::run(&settings, &mut *self.progress)?;
        self.as_text(summary, ReportSummary::text)
    }

    fn train_mapper(self, args: &TrainMapperArgs) -> crate::error::Result<Value> {
        let betas = if args.shuffle_betas { BetasControl::Shuffled } else { BetasControl::Measured };
        let (resume, config) = (args.resume.clone(), &self.config.train_mapper);
        let Some(target) = args.single_target()? else { return self.both_mappers(betas) };
        let mut settings = TrainMapperSettings::resolve(&self.project, config, target, betas, resume)?;
        settings.init_from.clone_from(&args.init_from);
        let summary = train_mapper::run(&settings, &mut *self.progress)?;
        self.as_text(summary, |found| found.text(betas, &self.commands()))
    }

    /// Command lines with the files and settings of this call.
    fn commands(&self) -> CommandLine {
        CommandLine::new(&self.project, None, &self.flags)
    }

    fn both_mappers(self, betas: BetasControl) -> crate::error::Result<Value> {
        let (project, config) = (&self.project, &self.config);
        let first = MapperTarget::Image;
        let settings = TrainMapperSettings::resolve(project, &config.train_mapper, first, betas, None)?;
        let screening = ScreenCaptionsSettings::of_unscreened(project, &config.screen_captions)?;
        let summary = run_both(&settings, screening.as_ref(), &mut *self.progress)?;
        self.as_text(summary, |found| found.text(betas, &self.commands()))
    }

    fn evaluate(self, mappers: Vec<PathBuf>) -> crate::error::Result<Value> {
        let ProjectConfig { evaluate, train_mapper, .. } = &self.config;
        let settings = EvaluateSettings::resolve(&self.project, evaluate, train_mapper, mappers)?;
        let summary = evaluate::run(&settings, &mut *self.progress)?;
        self.as_text(summary, EvaluateSummary::table)
    }

    fn ablate(self, args: &AblateArgs) -> crate::error::Result<Value> {
        let (path, text) = args.rows()?;
        let gans = args.gans()?;
        let settings = AblateSettings::resolve(&self.config, path, text, args.only.clone(), gans)?;
        if args.list {
            return value(ablate::list(&settings));
        }
        let table = ablate::run(&settings, &mut *self.progress)?;
        self.as_text(table, AblationTable::text)
    }

    fn pretrain_gan(self, args: &PretrainGanArgs) -> crate::error::Result<Value> {
        let mut settings =
            PretrainGanSettings::resolve(&self.project, &self.config.pretrain_gan, args.resume.clone())?;
        settings.init_from.clone_from(&args.init_from);
        value(pretrain_gan::run(&settings, self.progress))
    }

    fn finetune_gan(self, resume: Option<PathBuf>) -> crate::error::Result<Value> {
        let settings = FinetuneGanSettings::resolve(&self.project, &self.config.finetune_gan, resume)?;
        value(finetune_gan::run(&settings, self.progress))
    }
}

/// The summary as JSON.
///
/// # Errors
/// The command's own.
pub(super) fn value<T: Serialize>(summary: crate::error::Result<T>) -> crate::error::Result<Value> {
    Ok(serde_json::to_value(summary?)?)
}
