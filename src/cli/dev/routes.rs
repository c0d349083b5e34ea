//! The routes that `dev` runs with, and the pipelines that they need.

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use toml::{Table, Value};

use crate::cli::Error;
use crate::config::{Config, ConfigError};
use crate::domain::route::{Decision, Route};
use crate::local::sample;
use crate::standin::{ActionSpec, PipelineSpec, PipelineType, ServiceSpec, StageSpec, World};
use crate::webhook::payload;

/// The cluster that the pipelines deploy to.
const CLUSTER: &str = "staging";

/// What a pipeline can have besides its three stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Extra {
    /// An approval that the deploy waits for
    Approval,
    /// A batch of builds in place of the one
    Batch,
    /// A load balancer before the service
    LoadBalancer,
}

/// A configuration, as it was read and as it was written, and what its pipelines have besides.
pub(super) struct Routes {
    config: Config,
    table: Table,
    extras: Vec<Extra>,
}

impl Routes {
    /// Reads a configuration, or takes the sample repository's.
    pub(super) fn read(file: Option<&Path>, extras: Vec<Extra>) -> Result<Self, Error> {
        let path = file.unwrap_or(Path::new("the sample configuration"));
        let text = match file {
            Some(path) => {
                std::fs::read_to_string(path).map_err(|cause| Error::Read { path: path.to_owned(), cause })?
            }
            None => sample::ROUTES.to_owned(),
        };
        let wrong = |cause| Error::Config { path: path.to_owned(), cause };
        let config = Config::parse(&text).map_err(wrong)?;
        let table = text.parse().map_err(|error: toml::de::Error| wrong(ConfigError::Parse(error.to_string())))?;
        Ok(Self { config, table, extras })
    }

    fn has(&self, extra: Extra) -> bool {
        self.extras.contains(&extra)
    }

    /// The configuration, with the stand-in in GitHub's place.
    pub(super) fn with_api_url(&self, api_url: &str) -> String {
        let mut table = self.table.clone();
        let github = table.entry("github").or_insert_with(|| Value::Table(Table::new())).as_table_mut();
        if let Some(github) = github {
            github.insert("api_url".to_owned(), Value::String(api_url.to_owned()));
        }
        table.to_string()
    }

    /// Creates the repositories, which take any commit, and the pipelines.
    pub(super) fn set_up(&self, world: &mut World) {
        for repository in self.repositories() {
            world.github().add_repository(repository, "main");
            world.github().accept_any_commit(repository, true);
        }
        for name in self.pipelines() {
            if let Some(spec) = self.pipeline(name) {
                world.pipelines().create(spec);
            }
            if self.has(Extra::LoadBalancer) {
                world.services().create(ServiceSpec::new(CLUSTER, name).behind_load_balancer(80));
            }
        }
    }

    /// Each repository once, in alphabetical order without regard to case.
    pub(super) fn repositories(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.config.routes.0.iter().map(|route| route.repository.as_str()).collect();
        names.sort_unstable_by_key(|name| name.to_ascii_lowercase());
        names.dedup_by_key(|name| name.to_ascii_lowercase());
        names
    }

    pub(super) fn pipelines(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.config.routes.0.iter().map(|route| route.pipeline.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// A pipeline as its routes would have it: pinned by the source action that they name, with the variables that they
    /// set.
    fn pipeline(&self, name: &str) -> Option<PipelineSpec> {
        let first = self.config.routes.of_pipeline(name).next()?;
        let kind = match first.source_action {
            Some(_) => PipelineType::V2,
            None => PipelineType::V1,
        };
        let source_action = first.source_action.as_deref().unwrap_or("Source");
        let source = ActionSpec::github_source(source_action, first.repository.as_str(), "main");
        let build = ActionSpec::code_build("Build", name);
        let build = if self.has(Extra::Batch) { build.with("BatchEnabled", "true") } else { build };
        let approval = self.has(Extra::Approval).then(|| ActionSpec::approval("Approve"));
        let deploy = ActionSpec::ecs_deploy("Deploy", CLUSTER, name).run_order(1 + u32::from(approval.is_some()));
        let spec = PipelineSpec::new(name)
            .kind(kind)
            .stage(StageSpec::new("Source", [source.lasting(Duration::from_secs(5))]))
            .stage(StageSpec::new("Build", [build]))
            .stage(StageSpec::new("Staging", approval.into_iter().chain([deploy])));
        let variables = self.config.routes.of_pipeline(name).flat_map(|route| &route.variables);
        let mut names: Vec<_> = variables.map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        // A value that comes out empty is left out of the start, and then the variable needs a default.
        Some(names.into_iter().fold(spec, |spec, name| spec.variable(name, Some("unset"))))
    }

    /// One line for each route, for people.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let routes = self.config.routes.0.iter();
        routes.map(|Route { repository, pipeline, .. }| format!("{repository} -> {pipeline}"))
    }

    /// The payload of a push that a route takes, with its repository and its commit.
    pub(super) fn push(&self, message: &str) -> Option<(String, String, String)> {
        let entries = self.table.get("route")?.as_array()?;
        entries.iter().find_map(|entry| {
            let full_ref = full_ref(entry)?;
            let file = first(entry, "paths").unwrap_or_else(|| "src/server.js".to_owned());
            let repository = entry.get("repository")?.as_str()?;
            let (owner, name) = repository.split_once('/')?;
            let mut push = sample::push_to(&full_ref, message, &[&file]);
            push["repository"]["full_name"] = repository.into();
            push["repository"]["name"] = name.into();
            push["repository"]["owner"]["name"] = owner.into();
            push["repository"]["owner"]["login"] = owner.into();
            let push = push.to_string();
            // What was made up may miss what a pattern means, so the routes themselves have the last word.
            let event = payload::parse("push", "", push.as_bytes()).ok()?;
            let decisions = self.config.routes.plan(&event);
            let starts = decisions.iter().any(|decision| matches!(decision, Decision::Start(_)));
            starts.then(|| (push, repository.to_owned(), sample::sha(message)))
        })
    }
}

/// A ref that the patterns of a route may match.
fn full_ref(entry: &Value) -> Option<String> {
    if entry.get("branches").is_none() {
        return Some("refs/heads/main".to_owned());
    }
    let branch = first(entry, "branches").map(|branch| format!("refs/heads/{branch}"));
    branch.or_else(|| Some(format!("refs/tags/{}", first(entry, "tags")?)))
}

/// A name that the first pattern of a list matches, unless that is too clever a one.
fn first(entry: &Value, patterns: &str) -> Option<String> {
    let pattern = entry.get(patterns)?.as_array()?.first()?.as_str()?;
    Some(pattern.replace("**", "sample").replace('*', "sample").replace('?', "x"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(text: &str) -> Routes {
        let config = Config::parse(text).expect("a configuration");
        Routes { config, table: text.parse().expect("TOML"), extras: Vec::new() }
    }

    #[test]
    fn a_push_is_made_up_that_the_patterns_of_a_route_take() {
        let takes = |lines: &str| {
            let routes = routes(&format!("[[route]]\nrepository = \"Octo-Org/api\"\npipeline = \"api\"\n{lines}"));
            let (payload, repository, sha) = routes.push("Say hello")?;
            assert_eq!((repository.as_str(), sha), ("Octo-Org/api", sample::sha("Say hello")));
            let payload: serde_json::Value = serde_json::from_str(&payload).expect("JSON");
            Some(payload["ref"].as_str().expect("a ref").to_owned())
        };
        assert_eq!(takes("").as_deref(), Some("refs/heads/main"));
        assert_eq!(
            takes("branches = [\"release/*\"]\npaths = [\"src/**/*.rs\"]").as_deref(),
            Some("refs/heads/release/sample")
        );
        assert_eq!(takes("branches = []\ntags = [\"v?.*\"]").as_deref(), Some("refs/tags/vx.sample"));
        assert_eq!(takes("branches = [\"[a-c]\"]"), None);
        assert_eq!(takes("branches = []"), None);
    }

    #[test]
    fn the_stand_in_takes_githubs_place_whatever_the_file_says() {
        for github in ["", "[github]\napi_url = \"https://ghe.example/api/v3\"\nreport = \"statuses\"\n"] {
            let text = routes(&format!("{github}{}", sample::ROUTES)).with_api_url("http://127.0.0.1:1/github");
            let config = Config::parse(&text).expect("still a configuration");
            assert_eq!(config.github.api_url, "http://127.0.0.1:1/github");
            assert_eq!(config.routes.0.len(), 1);
        }
    }
}
