//! `pipehook stop`.

use clap::Args;

use super::outcome::Outcome;
use super::{Pipelines, consent, named};
use crate::cli::Error;
use crate::cli::account::AccountArguments;
use crate::domain::execution::ExecutionSnapshot;
use crate::domain::listed::{Listed, short_id};

/// CodePipeline takes a reason of at most so many characters (botocore: `StopPipelineExecutionReason`).
const LONGEST_REASON: usize = 200;

/// What `stop` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pipehook stop node-server\n  pipehook stop node-server 8f3c1a2b --abandon \
                  --reason 'wrong branch' --yes\n\n\
                  Without --abandon, actions that run come to their end first. With it they are left to themselves: ECS \
                  goes on with a rollout that has begun.\n\n\
                  Exits with 0 once CodePipeline stops it, and with 1 where it does not, or nobody agrees.")]
pub(in crate::cli) struct Arguments {
    /// The pipeline's name
    pipeline: String,
    /// The execution, by its id or the first characters of it; without it, the one that runs
    execution: Option<String>,
    /// Do not wait for actions that run
    #[arg(long)]
    abandon: bool,
    /// Why, for the execution's page and the commit's status
    #[arg(long, value_name = "TEXT", default_value = "Stopped with pipehook", value_parser = reason)]
    reason: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArguments,
}

fn reason(text: &str) -> Result<String, String> {
    match text.chars().count() {
        1..=LONGEST_REASON => Ok(text.to_owned()),
        _ => Err(format!("it must have 1 to {LONGEST_REASON} characters")),
    }
}

impl Arguments {
    pub(in crate::cli) async fn run(&self) -> Result<(), Error> {
        let pipelines = Pipelines::open(&self.account).await?;
        let listed = match &self.execution {
            Some(given) => pipelines.find(&self.pipeline, Some(given)).await?,
            None => only_running(&pipelines, &self.pipeline).await?,
        };
        let snapshot = pipelines.snapshot(&self.pipeline, &listed.id).await?;
        if snapshot.is_final() {
            let status = super::lately::word(&snapshot.status);
            return Err(Error::Run(format!("{} does not run: it has {status}", named(&snapshot))));
        }
        consent::ask(&self.question(&snapshot), self.yes)?;
        let stopped = pipelines.pipelines.stop(&self.pipeline, &snapshot.id, self.abandon, &self.reason).await;
        let doing = format!("stop {}", named(&snapshot));
        if !stopped.map_err(|error| Error::pipeline(doing, error))? {
            return Err(Error::Run(format!(
                "{} is being stopped already, or has come to its end in the meantime; --abandon does not wait for its \
                 actions",
                named(&snapshot)
            )));
        }
        let stage = running_stage(&snapshot);
        let outcome = Outcome {
            done: "stopping",
            pipeline: &self.pipeline,
            execution: &snapshot.id,
            commit: snapshot.commit.as_ref().map(|commit| commit.as_str()),
            stage,
        };
        let until = if self.abandon { "" } else { ", once its actions have come to their end" };
        outcome.print(self.json, &format!("CodePipeline stops {}{until}", named(&snapshot)))
    }

    /// `Stop 8f3c1a2b of node-server, commit abc1234, in Build?`
    fn question(&self, snapshot: &ExecutionSnapshot) -> String {
        let stage = running_stage(snapshot).map(|stage| format!(", in {stage}")).unwrap_or_default();
        let what = if self.abandon { "Stop and abandon" } else { "Stop" };
        format!("{what} {}{stage}?", named(snapshot))
    }
}

fn running_stage(snapshot: &ExecutionSnapshot) -> Option<&str> {
    snapshot.stages.iter().rev().find(|stage| stage.is_running()).map(|stage| stage.name.as_str())
}

/// The execution that runs, where it is the only one.
async fn only_running(pipelines: &Pipelines, pipeline: &str) -> Result<Listed, Error> {
    let listed = pipelines.newest(pipeline, 100).await?;
    let running: Vec<_> = listed.into_iter().filter(|listed| !listed.status.is_final()).collect();
    match running.as_slice() {
        [] => Err(Error::Run(format!("nothing of {pipeline} runs"))),
        [one] => Ok(one.clone()),
        several => {
            let ids: Vec<_> =
                several.iter().map(|one| format!("{} ({})", short_id(&one.id), one.short_commit())).collect();
            Err(Error::Run(format!("several executions of {pipeline} run; say which one: {}", ids.join(", "))))
        }
    }
}
