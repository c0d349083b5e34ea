//! `pipehook explain`: what a delivery would start, and what keeps it from starting the rest.

mod shown;
mod words;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::Error;
use super::delivery::Delivery;
use super::places::{self, RoutePlace};
use crate::config::Config;
use crate::domain::event::{Event, EventKind};
use crate::domain::route::{Decision, Route, StartRequest};
use crate::domain::template::one_line;
use crate::webhook::Delivered;
use shown::Shown;

/// What `explain` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pipehook explain events/push-main.json --config pipehook.example.toml\n  \
                  pipehook explain push.json --event push --json\n  \
                  gh api repos/OWNER/NAME/hooks/1/deliveries/2 | pipehook explain -\n\n\
                  Nothing is sent anywhere. Exits with 0 whatever the delivery would start, with 1 where it or the\n\
                  configuration can't be read, and with 2 where it is called wrongly.")]
pub(super) struct Arguments {
    /// The delivery, as GitHub or Lambda hands it over or as GitHub's API tells it; - for standard input
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
        let text = std::fs::read_to_string(&self.config)
            .map_err(|cause| Error::ReadConfig { path: self.config.clone(), cause })?;
        let config = Config::parse(&text).map_err(|cause| Error::Config { path: self.config.clone(), cause })?;
        let delivered = Delivered::read(&delivery.0, &delivery.id())
            .map_err(|rejection| Error::Delivery { path: self.delivery.clone(), problem: rejection.to_string() })?;
        let explanation = Explanation::of(delivered.event_name, &delivered.event, &config, &text);
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
    /// Whether routes have a say in it: they have none in a ping, or in an event that is not handled.
    #[serde(skip)]
    is_for_routes: bool,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Starts,
    /// The worker asks GitHub and CodePipeline what the press of a button is to do.
    Asked,
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

impl From<&StartRequest> for Start {
    fn from(request: &StartRequest) -> Self {
        Self {
            commit: request.commit.to_string(),
            git_ref: one_line(&request.git_ref.to_string()),
            source_action: request.source_action.clone(),
            variables: request.variables.iter().cloned().collect(),
        }
    }
}

impl Explanation {
    fn of(event_name: &str, event: &Event, config: &Config, text: &str) -> Self {
        let routes = &config.routes.0;
        let places = places::of_routes(text);
        let place = |index: usize| places.get(index).unwrap_or(&NOWHERE);
        let decisions: Vec<Decision> = routes.iter().map(|route| route.decide(event)).collect();
        let verdict = |(index, decision): (usize, &Decision)| {
            let route = &routes[index];
            let winner = decides_for(&decisions, route, routes).filter(|winner| *winner != index);
            let (outcome, reason, keys): (_, _, &[_]) = match (decision, winner) {
                (Decision::Ignore(reason), _) => {
                    (Outcome::Ignored, words::of_reason(reason, event, route), reason.keys())
                }
                (_, Some(winner)) => {
                    (Outcome::Overruled, format!("the route in line {} decides for it", place(winner).line), &[])
                }
                (Decision::Skip { reason, .. }, None) => {
                    (Outcome::Skipped, words::of_reason(reason, event, route), reason.keys())
                }
                (Decision::Start(_), None) => {
                    let (reason, keys) = words::of_start(event, route);
                    (Outcome::Starts, reason, keys)
                }
                (Decision::Press(..), None) => {
                    let (reason, keys) = words::of_start(event, route);
                    (Outcome::Asked, reason, keys)
                }
            };
            let start = match decision {
                Decision::Start(request) if outcome == Outcome::Starts => Some(Start::from(request.as_ref())),
                _ => None,
            };
            Verdict {
                pipeline: route.pipeline.clone(),
                repository: route.repository.to_string(),
                line: place(index).line,
                decision: outcome,
                reason,
                lines: lines(text, place(index), keys),
                start,
            }
        };
        Self {
            event: event_name.to_owned(),
            delivery: words::of_event(event),
            is_for_routes: !matches!(event.kind, EventKind::Nothing(_)),
            routes: decisions.iter().enumerate().map(verdict).collect(),
        }
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

/// The lines of those keys that are there; where none of them is, the line where the route begins.
fn lines(text: &str, place: &RoutePlace, keys: &[&str]) -> Vec<Line> {
    let found = keys.iter().filter_map(|key| place.lines_of(key)).flatten();
    let mut numbers: Vec<usize> = found.collect();
    // Keys of a route that is written as one line stand in one line.
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.is_empty() && !keys.is_empty() {
        numbers.push(place.line);
    }
    let line = |number: usize| {
        let text = text.lines().nth(number.checked_sub(1)?)?;
        Some(Line { line: number, text: text.trim_end().replace(|c: char| c.is_control() && c != '\t', "\u{fffd}") })
    };
    numbers.into_iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests;
