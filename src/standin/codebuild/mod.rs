//! CodeBuild: the builds that CodePipeline starts, and what they write to CloudWatch Logs.
//!
//! A build is a function of the moment at which it is looked at: what it does is settled when it starts, and nothing
//! that CodePipeline does afterwards ends it. An action that is abandoned leaves its build running, as in the service.

mod build;
mod timeline;
mod view;

use std::time::Duration;

pub use build::{Build, BuildPhase};
use serde_json::{Value, json};

use super::account::REGION;
use super::check::{self, Member, Pattern, Shape, must};
use super::codepipeline::Begun;
use super::ids::Ids;
use super::json::texts;
use super::wire::{AwsError, AwsService};
use crate::domain::time::Timestamp;

static ID: Shape = Shape::Text { min: 1, max: usize::MAX, pattern: Pattern::Any };
static BUILD_IDS: Shape = Shape::List { min: 1, max: 100, of: &ID };
static BATCH_IDS: Shape = Shape::List { min: 0, max: 100, of: &ID };
static GET_BUILDS: &[Member] = &[must("ids", &BUILD_IDS)];
static GET_BATCHES: &[Member] = &[must("ids", &BATCH_IDS)];

/// A build, or what a batch has in common with one.
#[derive(Debug)]
struct Run {
    /// `PROJECT:UUID`.
    id: String,
    project: String,
    number: usize,
    started: Timestamp,
    commit: Option<String>,
    initiator: String,
    build: Build,
    /// The batch that it belongs to.
    batch: Option<String>,
}

impl Run {
    /// The name of its log stream.
    fn stream(&self) -> &str {
        self.id.split_once(':').map_or("", |(_, uuid)| uuid)
    }

    /// Under CodePipeline the source is an artifact in its bucket.
    fn source_version(&self) -> String {
        let name = self.initiator.trim_start_matches("codepipeline/");
        let key = self.stream().get(..7).unwrap_or_default();
        format!("arn:aws:s3:::codepipeline-{REGION}-artifacts/{name}/SourceArti/{key}")
    }
}

#[derive(Debug)]
struct Batch {
    run: Run,
    /// When its buildspec begins to be read, and when its builds begin.
    read: Timestamp,
    begun: Timestamp,
    /// Its groups: an identifier and the id of its build.
    groups: Vec<(String, String)>,
}

/// The builds of the account.
#[derive(Debug)]
pub struct CodeBuild {
    runs: Vec<Run>,
    batches: Vec<Batch>,
    ids: Ids,
}

impl CodeBuild {
    pub(crate) fn new(seed: u64) -> Self {
        Self { runs: Vec::new(), batches: Vec::new(), ids: Ids::new(seed, "codebuild") }
    }

    /// An action of CodePipeline starts its build, or its batch of builds.
    pub(crate) fn begin(&mut self, begun: &Begun) {
        let (Some(project), Some(id)) = (begun.setting("ProjectName"), begun.external_id.as_ref()) else {
            return;
        };
        let build = Build::of(begun.outcome.as_ref(), begun.lasting);
        let number = self.runs.iter().filter(|run| run.project == project).count() + 1;
        let run = |id: String, number, started, build, batch| Run {
            id,
            project: project.to_owned(),
            number,
            started,
            commit: begun.commit.clone(),
            initiator: format!("codepipeline/{}", begun.pipeline),
            build,
            batch,
        };
        if begun.setting("BatchEnabled") != Some("true") {
            self.runs.push(run(id.clone(), number, begun.at, build, None));
            return;
        }
        // A twentieth of the batch's time goes into its buildspec, and the rest to its builds.
        let lead = build.after.map_or(Duration::from_secs(5), |after| after / 20);
        let (read, first) = (begun.at + lead / 5, begun.at + lead);
        let names = if build.groups.is_empty() { vec!["build".to_owned()] } else { build.groups.clone() };
        let mut groups = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let mut own = build.of_group(at + 1 == names.len());
            own.after = own.after.map(|after| after.saturating_sub(lead));
            let member = format!("{project}:{}", self.ids.uuid());
            groups.push((name.clone(), member.clone()));
            self.runs.push(run(member, number + at, first, own, Some(id.clone())));
        }
        let number = self.batches.iter().filter(|batch| batch.run.project == project).count() + 1;
        self.batches.push(Batch { run: run(id.clone(), number, begun.at, build, None), read, begun: first, groups });
    }

    pub(crate) fn call(&self, now: Timestamp, operation: &str, body: &Value) -> Result<Value, AwsError> {
        match operation {
            "BatchGetBuilds" => {
                check::check(GET_BUILDS, body).map_err(invalid)?;
                let show = |id: &str| self.run(id).map(|run| view::build(run, now));
                Ok(found("builds", "buildsNotFound", body, show))
            }
            "BatchGetBuildBatches" => {
                check::check(GET_BATCHES, body).map_err(invalid)?;
                let show = |id: &str| {
                    let batch = self.batches.iter().find(|batch| batch.run.id == id)?;
                    let groups = batch.groups.iter().filter_map(|(name, id)| Some((name.as_str(), self.run(id)?)));
                    Some(view::batch(batch, &groups.collect::<Vec<_>>(), now))
                };
                Ok(found("buildBatches", "buildBatchesNotFound", body, show))
            }
            other => Err(AwsService::CodeBuild.unknown(other)),
        }
    }

    fn run(&self, id: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.id == id)
    }

    /// What a build has written to its log stream until now; `None` where there is no such group, and an inner `None`
    /// where the group has no such stream, which begins with the machine.
    pub(crate) fn log(&self, now: Timestamp, group: &str, stream: &str) -> Option<Option<Vec<(Timestamp, String)>>> {
        let mut of_group = self.runs.iter().filter(|run| view::log_group(&run.project) == group).peekable();
        of_group.peek()?;
        let run = of_group.find(|run| run.stream() == stream);
        let log = run.map(|run| run.build.written(run.started, now));
        Some(log.filter(|log| !log.is_empty()))
    }

    /// The ids of a project's builds, oldest first.
    pub fn builds(&self, project: &str) -> Vec<&str> {
        self.runs.iter().filter(|run| run.project == project).map(|run| run.id.as_str()).collect()
    }
}

/// CodeBuild's model has one error for whatever is wrong with an input.
fn invalid(error: AwsError) -> AwsError {
    let code = if error.code == "ValidationException" { "InvalidInputException" } else { error.code };
    AwsError { code, ..error }
}

fn found(known: &str, unknown: &str, body: &Value, show: impl Fn(&str) -> Option<Value>) -> Value {
    let mut shown = Vec::new();
    let mut missing = Vec::new();
    for id in texts(&body["ids"]) {
        match show(id) {
            Some(value) => shown.push(value),
            None => missing.push(id),
        }
    }
    json!({known: shown, unknown: missing})
}

#[cfg(test)]
mod tests;
