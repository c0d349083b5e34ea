//! The configuration as it is written, and how it becomes what the program uses.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::{API_OF_GITHUB, Config, ConfigError, GitHubConfig, ReportAs, check_api_url};
use crate::domain::event::RepositoryName;
use crate::domain::report::RunOptions;
use crate::domain::report::State;
use crate::domain::route::{Branches, Patterns, PullRequests, Route, RouteTable};
use crate::domain::template::Template;

/// CodePipeline takes at most this many variables with a start (botocore: `PipelineVariableList`).
const MAX_VARIABLES: usize = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    github: GitHub,
    #[serde(default, rename = "route")]
    routes: Vec<RouteEntry>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct GitHub {
    api_url: Option<Spanned<String>>,
    report: Option<Spanned<String>>,
    deployments: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteEntry {
    repository: Spanned<String>,
    branches: Option<Vec<Spanned<String>>>,
    tags: Option<Vec<Spanned<String>>>,
    paths: Option<Vec<Spanned<String>>>,
    paths_ignore: Option<Vec<Spanned<String>>>,
    pull_requests: Option<Spanned<PullRequestsEntry>>,
    pipeline: Spanned<String>,
    source_action: Option<Spanned<String>>,
    environment: Option<String>,
    environment_url: Option<Spanned<String>>,
    superseded: Option<Spanned<String>>,
    #[serde(default)]
    stop_failed_rollout: bool,
    #[serde(default)]
    variables: BTreeMap<Spanned<String>, Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "`pull_requests` must be true, false, or { base = [\"main\"] }")]
enum PullRequestsEntry {
    Any(bool),
    Into(BaseEntry),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BaseEntry {
    base: Vec<String>,
}

/// A mistake and where it is.
type Mistake = (Range<usize>, String);

pub(super) fn parse(text: &str) -> Result<Config, ConfigError> {
    let file: File =
        toml::from_str(text).map_err(|error| ConfigError::Parse(error.to_string().trim_end().to_owned()))?;
    resolve(file).map_err(|(place, problem)| ConfigError::Value { line: line_of(text, place.start), problem })
}

/// As [`parse`], of what was parsed already: the place of the first mistake, where the parser tells it, and what it is.
#[cfg(feature = "tool")]
pub(super) fn read(table: Spanned<toml::de::DeTable<'_>>) -> Result<Config, (Option<Range<usize>>, String)> {
    let file = File::deserialize(toml::de::Deserializer::from(table));
    let file = file.map_err(|error| (error.span(), error.message().to_owned()))?;
    resolve(file).map_err(|(place, problem)| (Some(place), problem))
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn resolve(file: File) -> Result<Config, Mistake> {
    let api_url = match &file.github.api_url {
        Some(url) => check_api_url(url.get_ref()).map_err(|problem| (url.span(), problem))?,
        None => API_OF_GITHUB.to_owned(),
    };
    let report = match file.github.report.as_ref().map(|report| (report.get_ref().as_str(), report.span())) {
        None | Some(("statuses", _)) => ReportAs::Statuses,
        Some(("checks", _)) => ReportAs::Checks,
        Some((other, place)) => {
            return Err((place, format!("`report` is \"{other}\"; it can be \"statuses\" or \"checks\"")));
        }
    };
    let deployments = file.github.deployments.unwrap_or(true);
    let routes = file.routes.into_iter().map(resolve_route).collect::<Result<_, _>>()?;
    Ok(Config { github: GitHubConfig { api_url, report, deployments }, routes: RouteTable(routes) })
}

fn resolve_route(entry: RouteEntry) -> Result<Route, Mistake> {
    let repository = RepositoryName::parse(entry.repository.get_ref()).ok_or_else(|| {
        let problem = format!("`repository` must be OWNER/NAME, not \"{}\"", entry.repository.get_ref());
        (entry.repository.span(), problem)
    })?;
    let pipeline = entry.pipeline.get_ref();
    check_name("pipeline", pipeline, 100, |c| matches!(c, '.' | '@' | '-' | '_'))
        .map_err(|problem| (entry.pipeline.span(), problem))?;
    let source_action = match &entry.source_action {
        None => Some("Source".to_owned()),
        Some(name) if name.get_ref().is_empty() => None,
        Some(name) => {
            check_name("source_action", name.get_ref(), 100, |c| matches!(c, '.' | '@' | '-' | '_'))
                .map_err(|problem| (name.span(), problem))?;
            Some(name.get_ref().clone())
        }
    };
    let pull_requests = match entry.pull_requests.as_ref().map(|entry| (entry.get_ref(), entry.span())) {
        None | Some((PullRequestsEntry::Any(false), _)) => PullRequests::None,
        Some((PullRequestsEntry::Any(true), _)) => PullRequests::All,
        Some((PullRequestsEntry::Into(into), place)) => {
            let bases: Vec<_> = into.base.iter().map(|base| Spanned::new(place.clone(), base.clone())).collect();
            PullRequests::Into(patterns("base", &bases)?)
        }
    };
    if let Some(url) = entry.environment_url.as_ref().filter(|url| !is_web_address(url.get_ref())) {
        let problem = "`environment_url` must begin with https:// or http:// and hold no blanks".to_owned();
        return Err((url.span(), problem));
    }
    let superseded = match &entry.superseded {
        None => State::Error,
        Some(state) => match State::parse(state.get_ref()) {
            Some(state) if state.is_final() => state,
            _ => {
                let problem = "`superseded` must be \"error\", \"failure\" or \"success\"".to_owned();
                return Err((state.span(), problem));
            }
        },
    };
    Ok(Route {
        repository,
        branches: match &entry.branches {
            None => Branches::Default,
            Some(branches) => Branches::Matching(patterns("branches", branches)?),
        },
        tags: optional_patterns("tags", entry.tags.as_deref())?.unwrap_or_default(),
        paths: optional_patterns("paths", entry.paths.as_deref())?,
        paths_ignore: optional_patterns("paths_ignore", entry.paths_ignore.as_deref())?.unwrap_or_default(),
        pull_requests,
        pipeline: pipeline.clone(),
        source_action,
        variables: resolve_variables(entry.variables)?,
        options: RunOptions {
            environment: entry.environment,
            superseded,
            environment_url: entry.environment_url.map(Spanned::into_inner),
            stop_failed_rollout: entry.stop_failed_rollout,
        },
    })
}

/// What GitHub takes as the address of an environment.
fn is_web_address(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty()) && !url.contains(char::is_whitespace)
}

fn optional_patterns(key: &str, texts: Option<&[Spanned<String>]>) -> Result<Option<Patterns>, Mistake> {
    texts.map(|texts| patterns(key, texts)).transpose()
}

fn patterns(key: &str, texts: &[Spanned<String>]) -> Result<Patterns, Mistake> {
    let plain: Vec<String> = texts.iter().map(|text| text.get_ref().clone()).collect();
    Patterns::new(&plain).map_err(|(index, error)| {
        let (pattern, place) = texts.get(index).map_or(("", 0..0), |text| (text.get_ref().as_str(), text.span()));
        (place, format!("`{key}` holds \"{pattern}\", which is no glob: {}", error.kind()))
    })
}

fn resolve_variables(entries: BTreeMap<Spanned<String>, Spanned<String>>) -> Result<Vec<(String, Template)>, Mistake> {
    if let Some((name, _)) = entries.iter().nth(MAX_VARIABLES) {
        return Err((name.span(), format!("more than {MAX_VARIABLES} variables")));
    }
    let resolve = |(name, value): (Spanned<String>, Spanned<String>)| {
        check_name("variables", name.get_ref(), 128, |c| matches!(c, '@' | '-' | '_'))
            .map_err(|problem| (name.span(), problem))?;
        let template = Template::parse(value.get_ref()).map_err(|error| (value.span(), error.to_string()))?;
        Ok((name.into_inner(), template))
    };
    entries.into_iter().map(resolve).collect()
}

/// Names in CodePipeline are letters, digits and a few signs (botocore: `PipelineName`, `ActionName`,
/// `PipelineVariableName`).
fn check_name(key: &str, name: &str, longest: usize, sign: impl Fn(char) -> bool) -> Result<(), String> {
    if name.is_empty() || name.len() > longest {
        return Err(format!("`{key}`: a name of 1 to {longest} characters is needed"));
    }
    match name.chars().find(|c| !c.is_ascii_alphanumeric() && !sign(*c)) {
        Some(wrong) => Err(format!("`{key}`: \"{name}\" holds {wrong:?}, which CodePipeline does not take in a name")),
        None => Ok(()),
    }
}
