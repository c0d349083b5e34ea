//! Starting an execution, once.

use super::Worker;
use super::follow::Run;
use super::tell::Tale;
use super::trouble::{Cause, Trouble};
use crate::aws::codepipeline::PipelineError;
use crate::domain::check::Conclusion;
use crate::domain::report::{Report, Shown, ShownStatuses, State, execution_context};
use crate::domain::route::StartRequest;
use crate::domain::text;
use crate::domain::time::Timestamp;
use crate::domain::token::ClientRequestToken;
use crate::github::{GitHub, GitHubError};
use crate::links;
use crate::queue::message::{Happening, Job, Look, Message, Start};

impl Worker {
    /// Starts the execution that a message asks for, takes the first look at it, and leaves it to a chain of wake-ups.
    pub(super) async fn start(&self, message: &Message, job: &Start, received_before: bool) -> Result<(), Trouble> {
        let again = || Job::Start(job.clone());
        let mut request = job.request().map_err(Trouble::hopeless)?;
        if request.may_be_tag_object {
            let peel = async |github: &GitHub| github.peel(&request.repository, &request.commit).await;
            request.commit = self.ask_github(peel).await.map_err(|cause| Trouble::passing(cause, again()))?;
        }
        let StartRequest { pipeline, repository, commit, .. } = &request;
        let token = ClientRequestToken::from_queue(job.token.clone());
        let tried_before = received_before || message.retry.is_some();
        // Where GitHub does not answer, the pipeline is started all the same, and reported on later.
        let shown = self.shown(repository, commit).await;
        let known = shown.as_ref().ok().and_then(|shown| shown.execution_of_push(token.mark()));
        if let Some(execution) = known.filter(|_| !tried_before) {
            tracing::info!(delivery = message.delivery, pipeline, execution, "this push was delivered before");
            let since = self.clock.now().as_millis();
            let (pipeline, execution) = (pipeline.clone(), execution.to_owned());
            let look = Look { pipeline, execution, happening: Happening::OfExecution, since, come_back: false };
            return self.look(message, &look).await;
        }
        let begun = match known {
            Some(execution) => Ok(execution.to_owned()),
            None => self.begin(message, &request, &token, tried_before, shown.as_ref().ok()).await,
        };
        let execution = match begun {
            Ok(execution) => execution,
            Err(error) => {
                let told = self.tell_that_it_did_not_start(&request, error, shown.as_ref().ok()).await;
                return told.map_err(|cause| Trouble::passing(cause, again()));
            }
        };
        tracing::info!(delivery = message.delivery, pipeline, execution, %repository, %commit, "started");
        let run = Run {
            pipeline: pipeline.clone(),
            execution,
            repository: repository.clone(),
            commit: commit.clone(),
            source_action: request.source_action.clone(),
            options: request.options.clone(),
            push: Some(token.mark().to_owned()),
        };
        let follow = run.into_follow(self.clock.now());
        match shown {
            Err(cause @ Cause::GitHub(GitHubError::RateLimited { .. } | GitHubError::Unavailable(_))) => {
                Err(Trouble::passing(cause, Job::Follow(follow)))
            }
            _ => self.follow(message, follow).await,
        }
    }

    /// The execution's id. Where the message was tried before, that may have started it already, with its answer lost:
    /// then it is looked for first, among the executions of the commit that no other push has started. Where AWS does
    /// not show commits yet, the token alone tells.
    async fn begin(
        &self,
        message: &Message,
        request: &StartRequest,
        token: &ClientRequestToken,
        tried_before: bool,
        shown: Option<&ShownStatuses>,
    ) -> Result<String, PipelineError> {
        if tried_before {
            let since = Timestamp::from_millis(message.first_sent);
            let is_anothers =
                |execution: &str| shown.is_some_and(|shown| shown.is_of_another_push(execution, token.mark()));
            match self.pipelines.find_started(request, since, is_anothers).await {
                Ok(Some(execution)) => return Ok(execution),
                Ok(None) => {}
                Err(error @ PipelineError::Unavailable(_)) => return Err(error),
                // What may not be looked for may be started all the same.
                Err(error) => {
                    tracing::error!(pipeline = request.pipeline, %error, "what was started can't be looked for");
                }
            }
        }
        self.pipelines.start(request, token).await
    }

    /// Tells GitHub why nothing has started. What may pass stays an error, so that the start is tried again; what has
    /// to be mended is told on the commit, and the message is done with.
    async fn tell_that_it_did_not_start(
        &self,
        request: &StartRequest,
        error: PipelineError,
        shown: Option<&ShownStatuses>,
    ) -> Result<(), Cause> {
        let pipeline = &request.pipeline;
        let (what, mending) = match &error {
            PipelineError::Unavailable(_) => {
                self.tell_that_it_is_queued(request, shown).await;
                return Err(error.into());
            }
            PipelineError::NotFound(_) => {
                let what = format!("no pipeline {pipeline} in {}", self.region);
                (what, "mend the route's pipeline, or create it".to_owned())
            }
            PipelineError::Denied(_) => {
                let mending = format!("allow codepipeline:StartPipelineExecution on {pipeline}");
                ("the worker's role may not".to_owned(), mending)
            }
            PipelineError::Invalid(why) => {
                let mending = match &request.source_action {
                    Some(_) => "check source_action and variables (V1: source_action = \"\")",
                    None => "check the route's variables",
                };
                (why.clone(), mending.to_owned())
            }
        };
        tracing::error!(pipeline, repository = %request.repository, commit = %request.commit, %error, mending, "can't start");
        crate::metrics::count(&self.clock, "NeedsMending", &[("Pipeline", pipeline)]);
        let report = Report {
            context: execution_context(pipeline),
            state: State::Error,
            description: text::cannot_start(&what, &mending),
        };
        // What an execution of the commit says stands: it may be the very one that an earlier try has started.
        let speaks = |shown: &ShownStatuses| shown.get(&report.context).is_some_and(|own| own.execution.is_some());
        if shown.is_some_and(|shown| shown.shows(&report) || speaks(shown)) {
            return Ok(());
        }
        let conclusion = Some(Conclusion::ActionRequired);
        let tale = Tale { url: links::pipeline(&self.region, pipeline), conclusion, shown, ..Tale::default() };
        self.tell(&request.repository, &request.commit, &report, tale).await
    }

    /// Shows on a commit without any status of the pipeline that its run waits. It is a courtesy: whether it works out
    /// changes nothing about the next try.
    async fn tell_that_it_is_queued(&self, request: &StartRequest, shown: Option<&ShownStatuses>) {
        let report = Report {
            context: execution_context(&request.pipeline),
            state: State::Pending,
            description: text::queued_for("CodePipeline can't start it yet; tried again until it does"),
        };
        if shown.is_none_or(|shown| shown.get(&report.context).is_some()) {
            return;
        }
        let tale = Tale { url: links::pipeline(&self.region, &request.pipeline), shown, ..Tale::default() };
        if let Err(cause) = self.tell(&request.repository, &request.commit, &report, tale).await {
            tracing::warn!(pipeline = request.pipeline, %cause, "GitHub was not told that the run waits");
        }
    }

    /// Ends the pending status of a run that waited to be started, and will not be by itself.
    pub(super) async fn close_queued(&self, job: &Start) -> Result<(), Cause> {
        let request = job.request()?;
        let shown = self.shown(&request.repository, &request.commit).await?;
        let report = Report {
            context: execution_context(&request.pipeline),
            state: State::Error,
            description: text::given_up(),
        };
        let waits = |shown: &Shown| shown.state == State::Pending && shown.execution.is_none();
        if !shown.get(&report.context).is_some_and(waits) {
            return Ok(());
        }
        let (url, conclusion) = (links::pipeline(&self.region, &request.pipeline), Some(Conclusion::ActionRequired));
        let tale = Tale { url, conclusion, shown: Some(&shown), ..Tale::default() };
        self.tell(&request.repository, &request.commit, &report, tale).await
    }
}
