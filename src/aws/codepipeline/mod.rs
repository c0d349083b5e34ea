//! CodePipeline, mapped to the domain's types at once.

mod map;
#[cfg(feature = "tool")]
mod people;

use std::cmp::Reverse;
use std::collections::HashSet;

use aws_sdk_codepipeline::Client;
use aws_sdk_codepipeline::config::Builder;
use aws_sdk_codepipeline::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_codepipeline::primitives::DateTime;
use aws_sdk_codepipeline::types::{
    ActionExecutionFilter, ApprovalResult, ApprovalStatus, PipelineExecutionStatus, PipelineExecutionSummary,
    PipelineVariable, SourceRevisionOverride, SourceRevisionType, StageDeclaration, StageRetryMode,
};

use map::{actions, commit_of, execution_status, head, token_of, views};

use super::{own_retries, unread};
use crate::domain::event::CommitSha;
use crate::domain::execution::{ActionRun, Ending};
use crate::domain::reading::{
    ExecutionHead, Reading, StageView, needs_definition, needs_ending, needs_newer, needs_stage_views,
};
use crate::domain::route::StartRequest;
use crate::domain::time::Timestamp;
use crate::domain::token::ClientRequestToken;

/// Pages of 100 that are read at most of one list, against an endless one.
const MAX_PAGES: usize = 50;

/// Clocks of GitHub's delivery, the functions and CodePipeline differ by less than this.
const CLOCK_SKEW: std::time::Duration = std::time::Duration::from_secs(5);

/// What went wrong, sorted by what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    #[error("CodePipeline is out of reach, throttles, or fails: {0}")]
    Unavailable(String),
    #[error("CodePipeline knows no such pipeline or execution: {0}")]
    NotFound(String),
    #[error("the function's role may not do this: {0}")]
    Denied(String),
    #[error("CodePipeline refuses the request: {0}")]
    Invalid(String),
}

/// What became of the wish to retry a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    Begun,
    /// It has not failed, or the pipeline was changed since.
    NotRetryable,
    /// A newer execution has been through the stage since.
    Overtaken,
}

#[derive(Clone)]
pub struct CodePipeline {
    client: Client,
}

impl CodePipeline {
    pub fn new(sdk_config: &aws_config::SdkConfig) -> Self {
        let config = Builder::from(sdk_config).retry_partition(own_retries());
        Self { client: Client::from_conf(config.build()) }
    }

    /// Starts an execution, pinned to the commit where the request names a source action, and gives its id. With the
    /// token of an earlier start it gives that one's.
    pub async fn start(&self, request: &StartRequest, token: &ClientRequestToken) -> Result<String, PipelineError> {
        let StartRequest { pipeline, commit, source_action, variables, .. } = request;
        self.start_pinned(pipeline, source_action.as_deref(), commit, variables, token).await
    }

    async fn start_pinned(
        &self,
        pipeline: &str,
        source_action: Option<&str>,
        commit: &CommitSha,
        variables: &[(String, String)],
        token: &ClientRequestToken,
    ) -> Result<String, PipelineError> {
        let mut call = self.client.start_pipeline_execution().name(pipeline).client_request_token(token.as_str());
        if let Some(action) = source_action {
            let revision = SourceRevisionOverride::builder()
                .action_name(action)
                .revision_type(SourceRevisionType::CommitId)
                .revision_value(commit.as_str())
                .build();
            call = call.source_revisions(revision.map_err(|error| PipelineError::Invalid(error.to_string()))?);
        }
        for (name, value) in variables {
            let variable = PipelineVariable::builder().name(name).value(value).build();
            call = call.variables(variable.map_err(|error| PipelineError::Invalid(error.to_string()))?);
        }
        let started = call.send().await.map_err(sort)?;
        started.pipeline_execution_id.ok_or_else(|| nonsense("an execution without an id"))
    }

    /// Stops an execution: at once, and what runs of it is abandoned, or else once what runs has come to its end. False for
    /// one that is being stopped already, or is over.
    pub async fn stop(
        &self,
        pipeline: &str,
        execution: &str,
        abandon: bool,
        reason: &str,
    ) -> Result<bool, PipelineError> {
        let call = self.client.stop_pipeline_execution().pipeline_name(pipeline).pipeline_execution_id(execution);
        match call.abandon(abandon).reason(reason).send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.code() {
                Some("DuplicatedStopRequestException" | "PipelineExecutionNotStoppableException") => Ok(false),
                _ => Err(sort(error)),
            },
        }
    }

    /// Runs a stage that failed again, in the same execution: what failed in it, or all of its actions.
    pub async fn retry(
        &self,
        pipeline: &str,
        execution: &str,
        stage: &str,
        all_actions: bool,
    ) -> Result<Retried, PipelineError> {
        let mode = if all_actions { StageRetryMode::AllActions } else { StageRetryMode::FailedActions };
        let call = self.client.retry_stage_execution().pipeline_name(pipeline).pipeline_execution_id(execution);
        match call.stage_name(stage).retry_mode(mode).send().await {
            Ok(_) => Ok(Retried::Begun),
            Err(error) => match error.code() {
                Some("StageNotRetryableException" | "StageNotFoundException") => Ok(Retried::NotRetryable),
                Some("NotLatestPipelineExecutionException") => Ok(Retried::Overtaken),
                _ => Err(sort(error)),
            },
        }
    }

    /// Answers an approval that waits. False where it does not wait any more, or not in this execution.
    pub async fn answer(
        &self,
        pipeline: &str,
        execution: &str,
        approval: &ActionRun,
        approve: bool,
        summary: &str,
    ) -> Result<bool, PipelineError> {
        match self.approval_token(pipeline, execution, approval).await? {
            Some(token) => self.answer_with(token, pipeline, approval, approve, summary).await,
            None => Ok(false),
        }
    }

    /// What an answer to an approval has to name, so that it is about the one that waits now; `None` where none does.
    pub async fn approval_token(
        &self,
        pipeline: &str,
        execution: &str,
        approval: &ActionRun,
    ) -> Result<Option<String>, PipelineError> {
        let token = match self.client.get_pipeline_state().name(pipeline).send().await.map_err(sort) {
            Ok(state) => token_of(&state, execution, approval),
            Err(error @ PipelineError::Unavailable(_)) => return Err(error),
            Err(_) => None,
        };
        // In PARALLEL mode there is no state to ask; the action itself names the token.
        Ok(token.or_else(|| approval.external_id.clone()))
    }

    /// Answers the approval of which a token was read. False where it does not wait any more. The summary has at most 512
    /// characters (botocore: `ApprovalSummary`).
    pub async fn answer_with(
        &self,
        token: String,
        pipeline: &str,
        approval: &ActionRun,
        approve: bool,
        summary: &str,
    ) -> Result<bool, PipelineError> {
        let status = if approve { ApprovalStatus::Approved } else { ApprovalStatus::Rejected };
        let result = ApprovalResult::builder().summary(summary).status(status).build();
        let result = result.map_err(|error| PipelineError::Invalid(error.to_string()))?;
        let call = self.client.put_approval_result().pipeline_name(pipeline).stage_name(&approval.stage);
        match call.action_name(&approval.name).token(token).result(result).send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.code() {
                Some("InvalidApprovalTokenException" | "ApprovalAlreadyCompletedException") => Ok(false),
                _ => Err(sort(error)),
            },
        }
    }

    /// The execution as it stands now. Its own status is read first: where that is final, nothing in it moves while
    /// the rest is read.
    pub async fn read(
        &self,
        pipeline: &str,
        execution: &str,
        source_action: Option<&str>,
    ) -> Result<Reading, PipelineError> {
        let head = self.head(pipeline, execution).await?;
        let actions = self.actions(pipeline, execution).await?;
        let mut views = Vec::new();
        if needs_stage_views(&head, &actions) {
            views = self.stage_views(pipeline, execution).await?;
        }
        if views.is_empty() && needs_definition(&head, &actions) {
            views = or_nothing(pipeline, self.definition(pipeline).await)?;
        }
        let mut newer_waiting = 0;
        if needs_newer(&head, &actions) {
            newer_waiting = or_nothing(pipeline, self.newer_waiting(pipeline, execution).await)?;
        }
        let mut ending = Ending::default();
        if needs_ending(&head) {
            ending = or_nothing(pipeline, self.ending(pipeline, execution, source_action).await)?;
        }
        Ok(Reading { head, actions, views, newer_waiting, ending })
    }

    async fn head(&self, pipeline: &str, execution: &str) -> Result<ExecutionHead, PipelineError> {
        let call = self.client.get_pipeline_execution().pipeline_name(pipeline).pipeline_execution_id(execution);
        let answer = call.send().await.map_err(sort)?;
        let read = answer.pipeline_execution.ok_or_else(|| nonsense("no execution"))?;
        head(pipeline, execution, read)
    }

    async fn actions(&self, pipeline: &str, execution: &str) -> Result<Vec<ActionRun>, PipelineError> {
        let filter = ActionExecutionFilter::builder().pipeline_execution_id(execution).build();
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut next = None;
        for _ in 0..MAX_PAGES {
            let call = self.client.list_action_executions().pipeline_name(pipeline).filter(filter.clone());
            let page = call.set_next_token(next).send().await.map_err(sort)?;
            let details = page.action_execution_details.unwrap_or_default().into_iter();
            // The filter is the service's business, but a run of another execution must never be taken for ours.
            let ours =
                details.filter(|detail| detail.pipeline_execution_id.as_deref().is_none_or(|id| id == execution));
            // Pages shift while actions begin, and an entry may then come twice.
            let new =
                ours.filter(|detail| detail.action_execution_id.as_ref().is_none_or(|id| seen.insert(id.clone())));
            found.extend(new);
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                break;
            }
        }
        Ok(actions(found, self.client.config().region().map(|region| region.as_ref())))
    }

    /// The stages as the pipeline's definition has them, of which no execution is shown.
    async fn definition(&self, pipeline: &str) -> Result<Vec<StageView>, PipelineError> {
        let answer = self.client.get_pipeline().name(pipeline).send().await.map_err(sort)?;
        let stages = answer.pipeline.map(|declaration| declaration.stages).unwrap_or_default();
        let view = |stage: StageDeclaration| {
            let actions = stage.actions.into_iter().map(|action| action.name).collect();
            StageView { name: stage.name, actions, status: None, waits: None }
        };
        Ok(stages.into_iter().map(view).collect())
    }

    async fn stage_views(&self, pipeline: &str, execution: &str) -> Result<Vec<StageView>, PipelineError> {
        let state = self.client.get_pipeline_state().name(pipeline).send().await.map_err(sort);
        or_nothing(pipeline, state.map(|state| views(state, execution)))
    }

    /// How many executions that began after this one are not over.
    async fn newer_waiting(&self, pipeline: &str, execution: &str) -> Result<usize, PipelineError> {
        let is_ours = |summary: &PipelineExecutionSummary| summary.pipeline_execution_id() == Some(execution);
        let listed = self.executions(pipeline, |listed| listed.iter().any(is_ours)).await?;
        let newer = listed.iter().take_while(|summary| !is_ours(summary));
        Ok(newer.filter(|newer| newer.status == Some(PipelineExecutionStatus::InProgress)).count())
    }

    async fn ending(
        &self,
        pipeline: &str,
        execution: &str,
        source_action: Option<&str>,
    ) -> Result<Ending, PipelineError> {
        let is_ours = |summary: &PipelineExecutionSummary| summary.pipeline_execution_id() == Some(execution);
        let listed = self.executions(pipeline, |listed| listed.iter().any(is_ours)).await?;
        let Some(place) = listed.iter().position(is_ours) else {
            return Ok(Ending::default());
        };
        // One that had ended before ours did is not the one that replaced it.
        let ended = listed[place].last_update_time;
        let still_ran = |newer: &&PipelineExecutionSummary| {
            let status = newer.status.clone().map(execution_status);
            !status.is_some_and(|status| status.is_final()) || newer.last_update_time >= ended
        };
        let newer = listed[..place].iter().rev().filter(still_ran);
        Ok(Ending {
            stop_reason: listed[place].stop_trigger().and_then(|stop| stop.reason()).map(str::to_owned),
            superseded_by: newer.into_iter().find_map(|newer| commit_of(newer.source_revisions(), source_action)),
        })
    }

    /// The execution of this commit that was started since a message was first sent, as far as AWS shows commits yet,
    /// without those that are known to be another push's.
    pub async fn find_started(
        &self,
        request: &StartRequest,
        since: Timestamp,
        is_anothers: impl Fn(&str) -> bool,
    ) -> Result<Option<String>, PipelineError> {
        let since = since.before(CLOCK_SKEW);
        let began = |summary: &PipelineExecutionSummary| summary.start_time.map(timestamp).unwrap_or_default();
        let listed = self.executions(&request.pipeline, |listed| listed.last().is_some_and(|last| began(last) < since));
        let is_it = |summary: &&PipelineExecutionSummary| {
            let commits = summary.source_revisions().iter().filter_map(|revision| revision.revision_id());
            let is_ours = summary.pipeline_execution_id().is_some_and(|execution| !is_anothers(execution));
            began(summary) >= since && is_ours && commits.into_iter().any(|commit| commit == request.commit.as_str())
        };
        let listed = listed.await?;
        // The earliest: a later one of the same commit is somebody else's.
        Ok(listed.iter().rev().find(is_it).and_then(|summary| summary.pipeline_execution_id.clone()))
    }

    /// Those of the other executions that began after this one.
    pub async fn newer_than(
        &self,
        pipeline: &str,
        execution: &str,
        others: &[String],
    ) -> Result<Vec<String>, PipelineError> {
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let is_ours = |summary: &PipelineExecutionSummary| summary.pipeline_execution_id() == Some(execution);
        let listed = self.executions(pipeline, |listed| listed.iter().any(is_ours)).await?;
        let newer = listed.iter().take_while(|summary| !is_ours(summary));
        let newer: Vec<&str> = newer.filter_map(|summary| summary.pipeline_execution_id()).collect();
        Ok(others.iter().filter(|other| newer.contains(&other.as_str())).cloned().collect())
    }

    /// Names of the pipeline's stages, in its order.
    pub async fn stages(&self, pipeline: &str) -> Result<Vec<String>, PipelineError> {
        Ok(self.definition(pipeline).await?.into_iter().map(|stage| stage.name).collect())
    }

    /// The pipeline's executions, newest first, until `enough` says that no further page is needed.
    async fn executions(
        &self,
        pipeline: &str,
        enough: impl Fn(&[PipelineExecutionSummary]) -> bool,
    ) -> Result<Vec<PipelineExecutionSummary>, PipelineError> {
        let mut executions = Vec::new();
        let mut next = None;
        for _ in 0..MAX_PAGES {
            let call = self.client.list_pipeline_executions().pipeline_name(pipeline).set_next_token(next);
            let page = call.send().await.map_err(sort)?;
            executions.extend(page.pipeline_execution_summaries.unwrap_or_default());
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() || enough(&executions) {
                break;
            }
        }
        // That the newest come first is nowhere promised.
        executions.sort_by_key(|execution| Reverse(execution.start_time));
        Ok(executions)
    }
}

/// A view of the pipeline, or the list of its executions, completes what the execution itself tells; where it may not be
/// read, the run is followed without it.
fn or_nothing<T: Default>(pipeline: &str, read: Result<T, PipelineError>) -> Result<T, PipelineError> {
    match read {
        Err(error) if !matches!(error, PipelineError::Unavailable(_)) => {
            tracing::warn!(pipeline, %error, "what completes a reading of the pipeline can't be read");
            Ok(T::default())
        }
        read => read,
    }
}

fn nonsense(what: &str) -> PipelineError {
    PipelineError::Unavailable(format!("its answer holds {what}"))
}

/// Sorts an error. What is not known to be final is taken to pass: throttling, conflicts, limits, failures, timeouts,
/// expired credentials, and codes that AWS may add.
fn sort<E, R>(error: SdkError<E, R>) -> PipelineError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let text = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        _ => DisplayErrorContext(&error).to_string(),
    };
    match error.code().unwrap_or_default() {
        "PipelineNotFoundException" | "PipelineExecutionNotFoundException" => PipelineError::NotFound(text),
        "AccessDeniedException" | "AccessDenied" => PipelineError::Denied(text),
        "ValidationException" => PipelineError::Invalid(error.message().unwrap_or(&text).to_owned()),
        _ => PipelineError::Unavailable(text),
    }
}

fn timestamp(time: DateTime) -> Timestamp {
    unread::timestamp(&time).unwrap_or_default()
}
