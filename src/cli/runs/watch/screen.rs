//! What is shown of an execution: bars on a terminal, lines elsewhere, JSON for programs.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use console::{StyledObject, style};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::told::{Line, Told, log};
use crate::cli::runs::lately::day_and_time;
use crate::domain::execution::{ExecutionSnapshot, Stage};
use crate::domain::listed::{Listed, short_id};
use crate::domain::report::State;
use crate::domain::rollout::{Progress, Rollout};
use crate::domain::template::one_line;
use crate::domain::time::Timestamp;
use crate::github::moment;

/// Lines of a failed build's log that are shown.
const LOG_LINES: usize = 10;

/// So often a spinner turns.
const TURN: Duration = Duration::from_millis(120);

/// Standard output, and on a terminal bars on standard error beside it.
pub(super) struct Screen {
    json: bool,
    /// `None` where one of the two is no terminal.
    bars: Option<Bars>,
    /// Of the heading, whether the commit was in it.
    heading: Option<bool>,
    run: Option<Line>,
    stages: BTreeMap<String, Line>,
    /// It has been said that there is no answer.
    is_without_answer: bool,
}

struct Bars {
    all: MultiProgress,
    stages: BTreeMap<String, ProgressBar>,
}

/// A change, for a program.
#[derive(Serialize)]
struct Change<'a> {
    at: String,
    pipeline: &'a str,
    execution: &'a str,
    commit: Option<&'a str>,
    /// `null` for what is about the execution itself.
    stage: Option<&'a str>,
    state: &'a str,
    description: &'a str,
    /// CodePipeline's status of the execution.
    status: &'a str,
    /// Nothing comes after it.
    r#final: bool,
}

impl Screen {
    pub(super) fn new(json: bool) -> Self {
        let is_terminal = io::stdout().is_terminal() && io::stderr().is_terminal() && !json;
        let bars = is_terminal.then(|| Bars {
            all: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            stages: BTreeMap::new(),
        });
        Self { json, bars, heading: None, run: None, stages: BTreeMap::new(), is_without_answer: false }
    }

    /// Shows what has changed, and at the end what it has come to.
    pub(super) fn show(
        &mut self,
        now: Timestamp,
        listed: &Listed,
        snapshot: &ExecutionSnapshot,
        told: &Told,
        is_over: bool,
    ) -> io::Result<()> {
        self.is_without_answer = false;
        match (self.heading, &told.commit) {
            (None, _) => self.say(&heading(listed, snapshot, told))?,
            (Some(false), Some(commit)) => self.say(&format!("commit {}", commit.short()))?,
            _ => {}
        }
        self.heading = Some(told.commit.is_some());
        for line in &told.stages {
            let Some(name) = &line.stage else { continue };
            let stage = snapshot.stages.iter().find(|stage| stage.name == *name);
            if let Some(bars) = &mut self.bars {
                bars.draw(now, name, line, stage);
            }
            if self.stages.get(name).is_none_or(|before| line.is_news_after(before)) {
                self.change(now, snapshot, told, line, false)?;
                self.stages.insert(name.clone(), line.clone());
            }
        }
        let has_news = self.run.as_ref().is_none_or(|before| told.run.is_news_after(before));
        if !is_over && told.run_has_its_say && has_news {
            self.change(now, snapshot, told, &told.run, false)?;
            if self.bars.is_some() {
                self.say(&format!("  {} {}", mark(told.run.state), told.run.description))?;
            }
            self.run = Some(told.run.clone());
        }
        if is_over { self.end(now, snapshot, told) } else { Ok(()) }
    }

    fn end(&mut self, now: Timestamp, snapshot: &ExecutionSnapshot, told: &Told) -> io::Result<()> {
        self.settle();
        if self.json {
            return self.change(now, snapshot, told, &told.run, true);
        }
        for line in log(snapshot, LOG_LINES) {
            self.say(&style(format!("  | {}", one_line(line))).dim().to_string())?;
        }
        self.say(&format!("{} {}", mark(told.run.state), style(&told.run.description).bold()))?;
        if !snapshot.is_final() {
            let (pipeline, id) = (&snapshot.pipeline, short_id(&snapshot.id));
            let stop = format!("`pipehook stop {pipeline} {id} --abandon` ends that");
            self.say(&format!("CodePipeline still waits for the deploy; {stop}"))?;
        } else if told.is_success(snapshot) && snapshot.is_unconfirmed() {
            self.say("ECS does not confirm the deploy: it tells nothing of it, or may not be asked")?;
        }
        Ok(())
    }

    /// A line for a change; on a terminal the bar shows it.
    fn change(
        &self,
        now: Timestamp,
        snapshot: &ExecutionSnapshot,
        told: &Told,
        line: &Line,
        is_final: bool,
    ) -> io::Result<()> {
        if self.bars.is_some() {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        if self.json {
            let change = Change {
                at: moment::format(now),
                pipeline: &snapshot.pipeline,
                execution: &snapshot.id,
                commit: told.commit.as_ref().map(|commit| commit.as_str()),
                stage: line.stage.as_deref(),
                state: line.state.as_str(),
                description: &line.description,
                status: snapshot.status.as_str(),
                r#final: is_final,
            };
            writeln!(out, "{}", serde_json::to_string(&change)?)?;
        } else {
            let stage = line.stage.as_deref().unwrap_or("-");
            let time = style(time_of_day(now)).dim();
            writeln!(out, "{time}  {} {stage:<10} {}", mark(line.state), line.beside_its_stage())?;
        }
        out.flush()
    }

    /// A line for people, above the bars.
    fn say(&self, line: &str) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        let print = || {
            let mut out = io::stdout().lock();
            writeln!(out, "{line}")?;
            out.flush()
        };
        match &self.bars {
            Some(bars) => bars.all.suspend(print),
            None => print(),
        }
    }

    /// Says once that AWS gives no answer, until it does again.
    pub(super) fn no_answer(&mut self, now: Timestamp, why: &str) -> io::Result<()> {
        if std::mem::replace(&mut self.is_without_answer, true) {
            return Ok(());
        }
        self.beside(&format!("{}  no answer, asking again: {}", time_of_day(now), crate::cli::account::plain(why)))
    }

    /// The end before the end.
    pub(super) fn leave(&mut self, why: &str) -> io::Result<()> {
        self.settle();
        self.beside(&format!("pipehook: {why}"))
    }

    /// On standard error, above the bars.
    fn beside(&self, line: &str) -> io::Result<()> {
        let print = || writeln!(io::stderr().lock(), "{}", one_line(line));
        match &self.bars {
            Some(bars) => bars.all.suspend(print),
            None => print(),
        }
    }

    /// Leaves what the bars have shown last as it stands. What is said from now on comes below.
    pub(super) fn settle(&mut self) {
        for bar in self.bars.take().iter().flat_map(|bars| bars.stages.values()) {
            bar.disable_steady_tick();
            bar.abandon();
        }
    }
}

/// `node-server 8f3c1a2b, commit abc1234 "Say hello", begun 2026-01-24 22:00:01 UTC by role deployer`.
fn heading(listed: &Listed, snapshot: &ExecutionSnapshot, told: &Told) -> String {
    let commit = match (&told.commit, listed.subject()) {
        (Some(commit), subject) if subject.is_empty() => format!(", commit {}", commit.short()),
        (Some(commit), subject) => format!(", commit {} \"{subject}\"", commit.short()),
        (None, _) => String::new(),
    };
    let by = match listed.begun_by() {
        nobody if nobody.is_empty() => String::new(),
        somebody => format!(" by {somebody}"),
    };
    let id = style(format!("{} {}", snapshot.pipeline, short_id(&listed.id))).bold();
    format!("{id}{commit}, begun {} UTC{by}", day_and_time(listed.started))
}

/// `22:03:44`.
fn time_of_day(at: Timestamp) -> String {
    let secs = at.as_secs();
    format!("{:02}:{:02}:{:02}", secs / 3600 % 24, secs / 60 % 60, secs % 60)
}

fn sign(state: State) -> &'static str {
    match state {
        State::Success => "✓",
        State::Failure => "✗",
        State::Error => "!",
        State::Pending => "…",
    }
}

fn mark(state: State) -> StyledObject<&'static str> {
    let sign = style(sign(state));
    match state {
        State::Success => sign.green(),
        State::Failure | State::Error => sign.red(),
        State::Pending => sign.yellow(),
    }
}

impl Bars {
    /// The bar of a stage: it turns while the stage is at work, counts the tasks of a rollout, and stands still at its end.
    fn draw(&mut self, now: Timestamp, name: &str, line: &Line, stage: Option<&Stage>) {
        let began = stage.and_then(|stage| stage.actions.iter().map(|action| action.started).min());
        let all = &self.all;
        let bar = self.stages.entry(name.to_owned()).or_insert_with(|| {
            let lasted = now.since(began.unwrap_or(now));
            let bar = all.add(ProgressBar::new_spinner()).with_prefix(name.to_owned()).with_elapsed(lasted);
            bar.enable_steady_tick(TURN);
            bar
        });
        let rolling =
            |rollout: &&Rollout| matches!(rollout.progress, Progress::Rolling { .. }) && rollout.tasks.desired > 0;
        let rollout = stage.into_iter().flat_map(Stage::rollouts).find(rolling);
        if let Some(rollout) = rollout {
            bar.set_length(u64::from(rollout.tasks.desired));
            bar.set_position(u64::from(rollout.tasks.running.min(rollout.tasks.desired)));
        }
        let end = sign(line.state);
        let template = match (line.state, rollout) {
            (State::Pending, Some(_)) => {
                "  {spinner:.yellow} {prefix:10} {bar:10.cyan/dim} {wide_msg} {elapsed:.dim}".to_owned()
            }
            (State::Pending, None) => "  {spinner:.yellow} {prefix:10} {wide_msg} {elapsed:.dim}".to_owned(),
            (State::Success, _) => format!("  \u{1b}[32m{end}\u{1b}[0m {{prefix:10}} {{wide_msg}}"),
            _ => format!("  \u{1b}[31m{end}\u{1b}[0m {{prefix:10}} {{wide_msg}}"),
        };
        // The templates parse; were one ever to stop doing so, the plain look does.
        let look = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_spinner());
        bar.set_style(look.progress_chars("━╸─"));
        bar.set_message(line.beside_its_stage().to_owned());
        if line.state.is_final() {
            bar.disable_steady_tick();
            bar.tick();
        } else {
            bar.enable_steady_tick(TURN);
        }
    }
}
