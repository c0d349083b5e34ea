//! `pipehook explain`: what a delivery would start, and what keeps it from starting the rest.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use console::style;
use serde::Serialize;

use super::Error;
use super::delivery::Delivery;
use super::places::{self, RoutePlace};
use crate::config::Config;
use crate::domain::event::{ChangedFiles, Event, EventKind, Pressed, Ref};
use crate::domain::route::{Branches, Decision, Route, StartRequest};
use crate::domain::template::one_line;
use crate::webhook::Delivered;

/// What `explain` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pipehook explain events/push-main.json --config pipehook.example.toml\n  \
                  pipehook explain push.json --event push --json\n  \
                  gh api repos/OWNER/NAME/hooks/1/deliveries/2 | pipehook explain -\n\n\
                  Nothing is sent anywhere. Exits with 0 whatever the delivery would start, and with 1 where it or the \
                  configuration can't be read.")]
pub(super) struct Arguments {
    /// The delivery: GitHub's payload, what Lambda hands to a function, or what GitHub's API tells of a delivery; - for
    /// standard input
    #[arg(value_name = "EVENT.json")]
    delivery: PathBuf,
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "pipehook.toml")]
    config: PathBuf,
    /// The event, where the delivery does not name it: push, pull_request, check_run, check_suite, ping
    #[arg(long, value_name = "NAME")]
    event: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<(), Error> {
        let delivery = Delivery::read(&self.delivery, self.event.as_deref())?;
        let text =
            std::fs::read_to_string(&self.config).map_err(|cause| Error::Read { path: self.config.clone(), cause })?;
        let config = Config::parse(&text).map_err(|cause| Error::Config { path: self.config.clone(), cause })?;
        let delivered = Delivered::read(&delivery.0, &delivery.id())
            .map_err(|rejection| Error::Delivery { path: self.delivery.clone(), problem: rejection.to_string() })?;
        let explanation = Explanation::of(&delivered, &config, &text);
        let mut out = io::stdout().lock();
        let written = if self.json {
            serde_json::to_string(&explanation).map_err(io::Error::from).and_then(|json| writeln!(out, "{json}"))
        } else {
            write!(out, "{}", Shown { explanation: &explanation, config: &self.config })
        };
        written.map_err(Error::Output)
    }
}

/// What each route makes of a delivery.
#[derive(Debug, Serialize)]
struct Explanation {
    event: String,
    /// The delivery in words.
    delivery: String,
    /// In the order of the configuration.
    routes: Vec<Verdict>,
}

/// What a route makes of it.
#[derive(Debug, Serialize)]
struct Verdict {
    pipeline: String,
    repository: String,
    /// The line where the route begins.
    line: usize,
    decision: Outcome,
    reason: String,
    /// The lines of the route that decide.
    lines: Vec<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Start>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Starts,
    /// GitHub is told a success with the reason.
    Skipped,
    Ignored,
    /// Another route decides for the pipeline.
    Overruled,
}

#[derive(Debug, Serialize)]
struct Line {
    line: usize,
    text: String,
}

#[derive(Debug, Serialize)]
struct Start {
    commit: String,
    #[serde(rename = "ref")]
    git_ref: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_action: Option<String>,
    variables: BTreeMap<String, String>,
}

impl From<StartRequest> for Start {
    fn from(request: StartRequest) -> Self {
        Self {
            commit: request.commit.to_string(),
            git_ref: request.git_ref.to_string(),
            source_action: request.source_action,
            variables: request.variables.into_iter().collect(),
        }
    }
}

impl Explanation {
    fn of(delivered: &Delivered<'_>, config: &Config, text: &str) -> Self {
        let event = &delivered.event;
        let routes = &config.routes.0;
        let places = places::of_routes(text);
        let decisions: Vec<Decision> = routes.iter().map(|route| route.decide(event)).collect();
        let verdict = |(index, decision): (usize, Decision)| {
            let route = &routes[index];
            let place = places.get(index).unwrap_or(&NOWHERE);
            let winner = decides_for(&decisions, route, routes).filter(|winner| *winner != index);
            let (outcome, reason, keys, start) = match decision {
                Decision::Ignore(reason) => (Outcome::Ignored, reason.to_string(), reason.keys().to_vec(), None),
                _ if let Some(winner) = winner => {
                    let line = places.get(winner).unwrap_or(&NOWHERE).line;
                    (Outcome::Overruled, format!("the route in line {line} decides for it"), Vec::new(), None)
                }
                Decision::Skip { reason, .. } => (Outcome::Skipped, reason.to_string(), reason.keys().to_vec(), None),
                Decision::Start(request) | Decision::Press(_, request) => {
                    let (reason, keys) = why_it_starts(event, route);
                    (Outcome::Starts, reason, keys, Some(Start::from(*request)))
                }
            };
            Verdict {
                pipeline: route.pipeline.clone(),
                repository: route.repository.to_string(),
                line: place.line,
                decision: outcome,
                reason,
                lines: lines(text, place, &keys),
                start,
            }
        };
        let verdicts = decisions.iter().cloned().enumerate().map(verdict).collect();
        Self { event: delivered.event_name.to_owned(), delivery: in_words(event), routes: verdicts }
    }
}

/// The place of a route that stands nowhere in the text.
static NOWHERE: RoutePlace = RoutePlace::nowhere();

/// The route that decides for a route's pipeline: the first that starts it, or else the first that skips it.
fn decides_for(decisions: &[Decision], route: &Route, routes: &[Route]) -> Option<usize> {
    let same = |index: &usize| {
        let other = &routes[*index];
        other.pipeline == route.pipeline && other.repository == route.repository
    };
    let starts = |index: &usize| matches!(decisions[*index], Decision::Start(_) | Decision::Press(..));
    let skips = |index: &usize| matches!(decisions[*index], Decision::Skip { .. });
    let indices = || (0..decisions.len()).filter(same);
    indices().find(starts).or_else(|| indices().find(skips))
}

/// Why a route starts its pipeline, and the keys that say so.
fn why_it_starts(event: &Event, route: &Route) -> (String, Vec<&'static str>) {
    match &event.kind {
        EventKind::Push(push) => {
            let filters = ["paths", "paths_ignore"];
            let unknown = match &push.changed {
                ChangedFiles::Unknown(why) if route.paths.is_some() || !route.paths_ignore.is_empty() => {
                    format!("; the path filters are left aside, for {why}")
                }
                _ => String::new(),
            };
            let (taken, key) = match (&push.git_ref, &route.branches) {
                (Ref::Branch(branch), Branches::Default) => {
                    (format!("the route takes the default branch, {branch}"), "branches")
                }
                (Ref::Branch(branch), Branches::Matching(_)) => {
                    (format!("the route takes branch {branch}"), "branches")
                }
                (Ref::Tag(tag), _) => (format!("the route takes tag {tag}"), "tags"),
            };
            (taken + &unknown, [&[key][..], &filters].concat())
        }
        EventKind::PullRequest(pull) => {
            (format!("the route takes pull requests into {}", pull.base_branch), vec!["pull_requests"])
        }
        EventKind::Press(press) => {
            let reason = format!("the check run is one of its own; whether {} may, GitHub is asked", press.actor);
            (reason, vec!["pipeline"])
        }
        EventKind::Nothing(why) => (why.clone(), Vec::new()),
    }
}

/// The lines of those keys that are there; where none of them is, the line where the route begins.
fn lines(text: &str, place: &RoutePlace, keys: &[&str]) -> Vec<Line> {
    let found = keys.iter().filter_map(|key| place.lines_of(key)).flatten();
    let mut numbers: Vec<usize> = found.collect();
    if numbers.is_empty() && !keys.is_empty() {
        numbers.push(place.line);
    }
    let line = |number: usize| {
        let text = text.lines().nth(number.checked_sub(1)?)?;
        Some(Line { line: number, text: text.trim_end().to_owned() })
    };
    numbers.into_iter().filter_map(line).collect()
}

/// `push of branch main to octo-org/node-server by octocat: 5de842e "Say hello", 2 files changed`.
fn in_words(event: &Event) -> String {
    let first_line = |text: &str| one_line(text.lines().next().unwrap_or_default());
    match &event.kind {
        EventKind::Push(push) => {
            let git_ref = match &push.git_ref {
                Ref::Branch(branch) => format!("branch {branch}"),
                Ref::Tag(tag) => format!("tag {tag}"),
            };
            let changed = match &push.changed {
                ChangedFiles::Known(files) if files.len() == 1 => "1 file changed".to_owned(),
                ChangedFiles::Known(files) => format!("{} files changed", files.len()),
                ChangedFiles::Unknown(why) => format!("it is not known which files changed: {why}"),
            };
            let (repository, actor, commit) = (&push.repository, &push.actor, push.commit.short());
            let message = first_line(&push.message);
            one_line(&format!("push of {git_ref} to {repository} by {actor}: {commit} \"{message}\", {changed}"))
        }
        EventKind::PullRequest(pull) => {
            let (number, repository, actor, commit) = (pull.number, &pull.repository, &pull.actor, pull.commit.short());
            let (title, head, base) = (first_line(&pull.title), &pull.head_branch, &pull.base_branch);
            let fork = if pull.from_fork { ", from a fork" } else { "" };
            one_line(&format!(
                "pull request #{number} of {repository} by {actor}: {commit} \"{title}\", {head} into {base}{fork}"
            ))
        }
        EventKind::Press(press) => {
            let what = match &press.what {
                Pressed::Button { name, .. } => format!("a button of {name}"),
                Pressed::Rerun { name, .. } => format!("re-run of {name}"),
                Pressed::RerunAll { .. } => "re-run of all check runs".to_owned(),
            };
            let (repository, actor, commit) = (&press.repository, &press.actor, press.commit.short());
            one_line(&format!("{what}, pressed by {actor} on {commit} of {repository}"))
        }
        EventKind::Nothing(why) => one_line(why),
    }
}

/// An explanation as a person reads it.
struct Shown<'a> {
    explanation: &'a Explanation,
    config: &'a Path,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explanation { delivery, routes, .. } = self.explanation;
        writeln!(f, "{}\n", style(delivery).bold())?;
        for verdict in routes {
            let Verdict { pipeline, decision, reason, lines, start, line, .. } = verdict;
            let (mark, says) = match decision {
                Outcome::Starts => (style("✓").green(), "starts"),
                Outcome::Skipped => (style("–").yellow(), "is skipped, and told as a success"),
                Outcome::Ignored => (style("✗").red(), "does not start"),
                Outcome::Overruled => (style("·").dim(), "is not decided here"),
            };
            let place = style(format!("{}:{line}", self.config.display())).dim();
            writeln!(f, "{mark} {} {says}: {reason}  {place}", style(pipeline).bold())?;
            for Line { line, text } in lines {
                writeln!(f, "  {} {text}", style(format!("{line:>4} |")).dim())?;
            }
            if let Some(start) = start {
                start.fmt(f)?;
            }
        }
        let started = routes.iter().filter(|verdict| verdict.decision == Outcome::Starts).count();
        match (routes.len(), started) {
            (0, _) => writeln!(f, "The configuration has no routes."),
            (_, 0) => writeln!(f, "\nNothing would start."),
            (_, 1) => writeln!(f, "\n1 pipeline would start."),
            (_, started) => writeln!(f, "\n{started} pipelines would start."),
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source_action {
            Some(action) => writeln!(f, "       pinned to {} in its action {action}", self.commit)?,
            None => writeln!(f, "       not pinned: it takes the head of its branch")?,
        }
        for (name, value) in &self.variables {
            writeln!(f, "       {name} = {}", one_line(value))?;
        }
        Ok(())
    }
}
