//! `pipehook approve` and `pipehook reject`.

use clap::Args;

use super::outcome::Outcome;
use super::{Pipelines, consent};
use crate::cli::Error;
use crate::cli::account::AccountArguments;
use crate::domain::execution::{ActionKind, ActionRun, ExecutionSnapshot};
use crate::domain::listed::short_id;

/// CodePipeline takes a summary of at most so many characters (botocore: `ApprovalSummary`).
const LONGEST_COMMENT: usize = 512;

/// Approvals are looked for in so many of the executions that run, newest first.
const MOST_READ: usize = 20;

/// What `approve` and `reject` are told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pipehook approve node-server\n  pipehook approve node-server --comment 'seen on \
                  staging' --yes\n  pipehook reject node-server --execution 8f3c1a2b --stage Production\n\n\
                  The answer is for the approval that was shown: one that has been answered or has begun anew since is \
                  left alone.\n\n\
                  Exits with 0 once CodePipeline has taken the answer, and with 1 where nothing waits, several do, or \
                  nobody agrees.")]
pub(in crate::cli) struct Arguments {
    /// The pipeline's name
    pipeline: String,
    /// The execution, by its id or the first characters of it; without it, the one that waits
    #[arg(long, value_name = "ID")]
    execution: Option<String>,
    /// The stage, where several wait
    #[arg(long, value_name = "NAME")]
    stage: Option<String>,
    /// The action, where several of a stage wait
    #[arg(long, value_name = "NAME")]
    action: Option<String>,
    /// Why, for the execution's page
    #[arg(long, value_name = "TEXT", value_parser = comment)]
    comment: Option<String>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArguments,
}

fn comment(text: &str) -> Result<String, String> {
    match text.chars().count() {
        0..=LONGEST_COMMENT => Ok(text.to_owned()),
        _ => Err(format!("it must have at most {LONGEST_COMMENT} characters")),
    }
}

/// An approval that waits, and the execution in which it does.
struct Waiting {
    snapshot: ExecutionSnapshot,
    approval: ActionRun,
}

impl Arguments {
    pub(in crate::cli) async fn run(&self, approve: bool) -> Result<(), Error> {
        let pipelines = Pipelines::open(&self.account).await?;
        let Waiting { snapshot, approval } = self.only_waiting(&pipelines).await?;
        let doing = format!("read what waits for approval in {}", self.pipeline);
        let token = pipelines.pipelines.approval_token(&self.pipeline, &snapshot.id, &approval).await;
        let token = token.map_err(|error| Error::pipeline(doing, error))?.ok_or_else(|| self.stale(&approval))?;
        consent::ask(&question(&snapshot, &approval, approve), self.yes)?;
        let (verb, done) = if approve { ("approve", "approved") } else { ("reject", "rejected") };
        let summary = match self.comment.as_deref() {
            Some(comment) if !comment.trim().is_empty() => comment.to_owned(),
            _ => format!("{} with pipehook", if approve { "Approved" } else { "Rejected" }),
        };
        let answered = pipelines.pipelines.answer_with(token, &self.pipeline, &approval, approve, &summary).await;
        let doing = format!("{verb} {} of {}", approval.stage, self.pipeline);
        if !answered.map_err(|error| Error::pipeline(doing, error))? {
            return Err(self.stale(&approval));
        }
        let outcome = Outcome {
            done,
            pipeline: &self.pipeline,
            execution: &snapshot.id,
            commit: snapshot.commit.as_ref().map(|commit| commit.as_str()),
            stage: Some(&approval.stage),
        };
        outcome.print(self.json, &format!("{done} {}", what(&snapshot, &approval)))
    }

    fn stale(&self, approval: &ActionRun) -> Error {
        Error::Run(format!(
            "{} of {} does not wait any more: it has been answered, or the run has moved on",
            approval.stage, self.pipeline
        ))
    }

    /// The approval that is meant, where there is no doubt about it.
    async fn only_waiting(&self, pipelines: &Pipelines) -> Result<Waiting, Error> {
        let mut waiting = self.waiting(pipelines).await?;
        let place = || match (&self.execution, &self.stage) {
            (Some(execution), Some(stage)) => format!(" in {stage} of {execution}"),
            (Some(execution), None) => format!(" in {execution}"),
            (None, Some(stage)) => format!(" in {stage}"),
            (None, None) => String::new(),
        };
        match waiting.len() {
            0 => Err(Error::Run(format!("nothing of {} waits for approval{}", self.pipeline, place()))),
            1 => Ok(waiting.remove(0)),
            _ => {
                let each = waiting.iter().map(|Waiting { snapshot, approval }| {
                    format!(
                        "\n  --execution {} --stage {} --action {}",
                        short_id(&snapshot.id),
                        approval.stage,
                        approval.name
                    )
                });
                Err(Error::Run(format!(
                    "several approvals of {} wait; say which one:{}",
                    self.pipeline,
                    each.collect::<String>()
                )))
            }
        }
    }

    async fn waiting(&self, pipelines: &Pipelines) -> Result<Vec<Waiting>, Error> {
        let executions = match &self.execution {
            Some(given) => vec![pipelines.find(&self.pipeline, Some(given)).await?.id],
            None => {
                let listed = pipelines.newest(&self.pipeline, 100).await?;
                let running = listed.into_iter().filter(|listed| !listed.status.is_final());
                running.take(MOST_READ).map(|listed| listed.id).collect()
            }
        };
        let mut waiting = Vec::new();
        for execution in executions {
            let snapshot = pipelines.snapshot(&self.pipeline, &execution).await?;
            if snapshot.is_final() {
                continue;
            }
            let is_meant = |action: &&ActionRun| {
                action.kind == ActionKind::Approval
                    && action.is_running()
                    && self.stage.as_ref().is_none_or(|stage| *stage == action.stage)
                    && self.action.as_ref().is_none_or(|name| *name == action.name)
            };
            let actions = snapshot.stages.iter().flat_map(|stage| &stage.actions);
            let found: Vec<_> = actions.filter(is_meant).cloned().collect();
            waiting.extend(found.into_iter().map(|approval| Waiting { snapshot: snapshot.clone(), approval }));
        }
        Ok(waiting)
    }
}

/// `abc1234 in Staging of node-server (8f3c1a2b)`.
fn what(snapshot: &ExecutionSnapshot, approval: &ActionRun) -> String {
    let commit = snapshot.commit.as_ref().map_or("the run", |commit| commit.short());
    format!("{commit} in {} of {} ({})", approval.stage, snapshot.pipeline, short_id(&snapshot.id))
}

/// `Approve abc1234 in Staging of node-server (8f3c1a2b)? 2 newer commits wait.`
fn question(snapshot: &ExecutionSnapshot, approval: &ActionRun, approve: bool) -> String {
    let newer = match snapshot.newer_waiting {
        0 => String::new(),
        1 => " 1 newer commit waits.".to_owned(),
        newer => format!(" {newer} newer commits wait."),
    };
    format!("{} {}?{newer}", if approve { "Approve" } else { "Reject" }, what(snapshot, approval))
}
