//! `pipehook retry`: what the re-run button of a check run does, from the terminal.

use clap::Args;

use super::outcome::Outcome;
use super::{Pipelines, named};
use crate::aws::codepipeline::Retried;
use crate::cli::Error;
use crate::cli::account::AccountArguments;
use crate::cli::confirm;
use crate::domain::event::CommitSha;
use crate::domain::execution::{ActionKind, ExecutionSnapshot, ExecutionStatus};
use crate::domain::listed::short_id;
use crate::domain::token::ClientRequestToken;

/// What `retry` is told.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pipehook retry node-server\n  pipehook retry node-server 8f3c1a2b --all-actions\n  \
                  pipehook retry node-server 8f3c1a2b --anew --yes\n\n\
                  A retry goes on in the same execution, and its statuses become pending again. CodePipeline lets only a \
                  stage be retried that has failed, and that no newer execution has been through since; --anew works for \
                  any execution.\n\n\
                  Exits with 0 once it has begun, and with 1 where it can't be, or nobody agrees."
)]
pub(in crate::cli) struct Arguments {
    /// The pipeline's name
    pipeline: String,
    /// The execution, by its id or the first characters of it; without it, the newest
    execution: Option<String>,
    /// Run all actions of the stage again, and not only those that failed
    #[arg(long, conflicts_with = "anew")]
    all_actions: bool,
    /// Start a new execution, pinned to the same commit and with the same variables
    #[arg(long)]
    anew: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArguments,
}

impl Arguments {
    pub(in crate::cli) async fn run(&self) -> Result<(), Error> {
        let pipelines = Pipelines::open(&self.account).await?;
        let listed = pipelines.find(&self.pipeline, self.execution.as_deref()).await?;
        let snapshot = pipelines.snapshot(&self.pipeline, &listed.id).await?;
        if self.anew { self.begin_anew(&pipelines, &snapshot).await } else { self.retry(&pipelines, &snapshot).await }
    }

    async fn retry(&self, pipelines: &Pipelines, snapshot: &ExecutionSnapshot) -> Result<(), Error> {
        let which = named(snapshot);
        let anew = || format!("`pipehook retry {} {} --anew` starts a new one", self.pipeline, short_id(&snapshot.id));
        if !snapshot.is_final() {
            return Err(Error::Run(format!("{which} runs: it can be retried once it has failed")));
        }
        let Some(stage) = snapshot.failed_stage().map(|stage| &stage.name) else {
            return Err(Error::Run(match &snapshot.status {
                _ if snapshot.has_failed_rollout() => format!(
                    "{which} can't be retried: CodePipeline takes the deploy that was rolled back for a success; {}",
                    anew()
                ),
                ExecutionStatus::Succeeded => format!("{which} has not failed; {} of the commit", anew()),
                status => format!("{which} can't be retried: it was {}; {}", super::lately::word(status), anew()),
            }));
        };
        let what = if self.all_actions { "all actions of" } else { "what failed in" };
        confirm::ask(&format!("Retry {what} {stage} of {which}?"), self.yes)?;
        let retried = pipelines.pipelines.retry(&self.pipeline, &snapshot.id, stage, self.all_actions).await;
        let why = match retried.map_err(|error| Error::pipeline(format!("retry {stage} of {which}"), error))? {
            Retried::Begun => {
                let outcome = self.outcome("retried", snapshot, &snapshot.id, Some(stage));
                let watch = format!("pipehook watch {} {}", self.pipeline, short_id(&snapshot.id));
                return outcome.print(self.json, &format!("{stage} of {which} runs again; {watch}"));
            }
            Retried::Overtaken => format!("a newer execution has been through {stage} since"),
            Retried::NotRetryable => "CodePipeline does not let it: the pipeline was changed since, say".to_owned(),
        };
        Err(Error::Run(format!("{which} can't be retried: {why}; {}", anew())))
    }

    async fn begin_anew(&self, pipelines: &Pipelines, snapshot: &ExecutionSnapshot) -> Result<(), Error> {
        let which = named(snapshot);
        let Some(commit) = &snapshot.commit else {
            return Err(Error::Run(format!("{which} has not shown its commit, so nothing can be pinned to it")));
        };
        let source_action = source_of(snapshot, commit);
        confirm::ask(&format!("Start {} anew on {}?", self.pipeline, commit.short()), self.yes)?;
        // Each time that somebody asks for it is one of its own; the token is for the SDK's repetitions.
        let token = ClientRequestToken::from_queue(format!("pipehook-anew-{:032x}", fastrand::u128(..)));
        let started = pipelines.pipelines.start_anew(&self.pipeline, &snapshot.id, source_action, commit, &token).await;
        let execution = started
            .map_err(|error| Error::pipeline(format!("start {} anew on {}", self.pipeline, commit.short()), error))?;
        let outcome = self.outcome("started", snapshot, &execution, None);
        let (id, commit) = (short_id(&execution), commit.short());
        outcome.print(
            self.json,
            &format!("{id} of {} is started on {commit}; pipehook watch {} {id}", self.pipeline, self.pipeline),
        )
    }

    fn outcome<'a>(
        &'a self,
        done: &'static str,
        snapshot: &'a ExecutionSnapshot,
        execution: &'a str,
        stage: Option<&'a str>,
    ) -> Outcome<'a> {
        let commit = snapshot.commit.as_ref().map(|commit| commit.as_str());
        Outcome { done, pipeline: &self.pipeline, execution, commit, stage }
    }
}

/// The source action that has told this commit, or else the first one.
fn source_of<'a>(snapshot: &'a ExecutionSnapshot, commit: &CommitSha) -> Option<&'a str> {
    let sources = || {
        let actions = snapshot.stages.iter().flat_map(|stage| &stage.actions);
        actions.filter(|action| action.kind == ActionKind::Source)
    };
    let told = sources().find(|action| action.source_commit.as_deref() == Some(commit.as_str()));
    told.or_else(|| sources().next()).map(|action| action.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::execution::{ActionRun, ActionStatus, Ending, Stage, StageStatus};

    #[test]
    fn the_source_action_is_pinned_that_the_commit_is_from() {
        let source = |name: &str, sha: &str| ActionRun {
            source_commit: Some(sha.to_owned()),
            ..ActionRun::sample("Source", name, ActionKind::Source, ActionStatus::Succeeded)
        };
        let (ours, others) = ("a1".repeat(20), "b2".repeat(20));
        let actions = vec![source("Infra", &others), source("Source", &ours)];
        let snapshot = ExecutionSnapshot {
            pipeline: "node-server".to_owned(),
            id: "x1".to_owned(),
            status: ExecutionStatus::Failed,
            status_summary: None,
            is_rollback: false,
            commit: CommitSha::parse(&ours),
            repository: None,
            stages: vec![Stage { name: "Source".to_owned(), status: StageStatus::Succeeded, actions, attempts: 1 }],
            waiting: None,
            newer_waiting: 0,
            ending: Ending::default(),
        };
        assert_eq!(source_of(&snapshot, &CommitSha::parse(&ours).unwrap()), Some("Source"));
        assert_eq!(source_of(&snapshot, &CommitSha::parse(&others).unwrap()), Some("Infra"));
    }
}
