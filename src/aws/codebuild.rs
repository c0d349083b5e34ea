//! CodeBuild: what a build is at, and what it failed in.

use aws_sdk_codebuild::Client;
use aws_sdk_codebuild::config::Builder;
use aws_sdk_codebuild::types::{self, PhaseContext, StatusType};

use super::own_retries;
pub use super::unread::Unread;
use super::unread::{sort, timestamp};
use crate::domain::build::{Build, Failure, Log, Phase, reason_of};
use crate::domain::time::Timestamp;

#[derive(Clone)]
pub struct CodeBuild {
    client: Client,
}

impl CodeBuild {
    pub fn new(sdk_config: &aws_config::SdkConfig) -> Self {
        let config = Builder::from(sdk_config).retry_partition(own_retries());
        Self { client: Client::from_conf(config.build()) }
    }

    /// A build as it stands now.
    pub async fn build(&self, id: &str, now: Timestamp) -> Result<Build, Unread> {
        let answer = self.client.batch_get_builds().ids(id).send().await.map_err(sort)?;
        let found = answer.builds.unwrap_or_default().into_iter().next();
        found
            .map(|build| of_build(&build, now))
            .ok_or_else(|| Unread::ForGood(format!("CodeBuild knows no build {id}")))
    }

    /// A batch of builds: its own phase, and where a build of it has failed, that build's failure.
    pub async fn batch(&self, id: &str, now: Timestamp) -> Result<Build, Unread> {
        let answer = self.client.batch_get_build_batches().ids(id).send().await.map_err(sort)?;
        let found = answer.build_batches.unwrap_or_default().into_iter().next();
        let batch = found.ok_or_else(|| Unread::ForGood(format!("CodeBuild knows no batch {id}")))?;
        let groups = batch.build_groups();
        let failed = groups.iter().filter(|group| !group.ignore_failure).find_map(|group| {
            let summary = group.current_build_summary.as_ref()?;
            let id = summary.arn.as_deref()?.rsplit('/').next()?;
            has_failed(summary.build_status.as_ref()).then(|| (group.identifier.clone(), id.to_owned()))
        });
        let Some((identifier, id)) = failed else {
            return Ok(of_batch(&batch, now));
        };
        let mut build = self.build(&id, now).await?;
        if let (Some(failure), Some(identifier)) = (&mut build.failure, identifier) {
            failure.phase = format!("{identifier}, {}", failure.phase);
        }
        build.phase = None;
        Ok(build)
    }
}

/// Phases also end as `CLIENT_ERROR`, which the model does not name.
fn has_failed(status: Option<&StatusType>) -> bool {
    !matches!(status, None | Some(StatusType::Succeeded | StatusType::InProgress))
}

fn of_build(build: &types::Build, now: Timestamp) -> Build {
    let phases = build.phases().iter().map(|phase| Entry {
        name: phase.phase_type.as_ref().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        has_failed: has_failed(phase.phase_status.as_ref()),
        began: phase.start_time.as_ref().and_then(timestamp),
        contexts: phase.contexts(),
    });
    let logs = build.logs.as_ref();
    Build {
        phase: phase(build.current_phase.as_deref().filter(|_| !build.build_complete), phases.clone(), now),
        failure: failure(phases, build.build_status.as_ref()),
        log: Log {
            url: logs.and_then(|logs| logs.deep_link.clone()),
            group: logs.and_then(|logs| logs.group_name.clone()),
            stream: logs.and_then(|logs| logs.stream_name.clone()),
            ..Log::default()
        },
    }
}

fn of_batch(batch: &types::BuildBatch, now: Timestamp) -> Build {
    let phases = batch.phases().iter().map(|phase| Entry {
        name: phase.phase_type.as_ref().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        has_failed: has_failed(phase.phase_status.as_ref()),
        began: phase.start_time.as_ref().and_then(timestamp),
        contexts: phase.contexts(),
    });
    Build {
        phase: phase(batch.current_phase.as_deref().filter(|_| !batch.complete), phases.clone(), now),
        failure: failure(phases, batch.build_batch_status.as_ref()),
        log: Log::default(),
    }
}

/// A phase of a build or of a batch.
struct Entry<'a> {
    name: String,
    has_failed: bool,
    began: Option<Timestamp>,
    contexts: &'a [PhaseContext],
}

fn phase<'a>(current: Option<&str>, phases: impl Iterator<Item = Entry<'a>>, now: Timestamp) -> Option<Phase> {
    let name = current.filter(|name| *name != "COMPLETED")?;
    let since = phases.filter(|phase| phase.name == name).find_map(|phase| phase.began).unwrap_or(now);
    Some(Phase { name: name.to_owned(), since, lasted: now.since(since) })
}

/// The first phase that failed; later ones run all the same, and fail because of it.
fn failure<'a>(mut phases: impl Iterator<Item = Entry<'a>>, status: Option<&StatusType>) -> Option<Failure> {
    let failed = phases.find(|phase| phase.has_failed)?;
    let told =
        failed.contexts.iter().find_map(|context| context.message.as_deref().filter(|message| !message.is_empty()));
    let reason = match (told, status) {
        (Some(message), _) => Some(reason_of(message)),
        (None, Some(StatusType::TimedOut)) => Some("timed out".to_owned()),
        (None, Some(StatusType::Stopped)) => Some("stopped".to_owned()),
        (None, _) => None,
    };
    Some(Failure { phase: failed.name, reason })
}
