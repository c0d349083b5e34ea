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
        let mut again = job.clone();
        let mut request = job.request().map_err(Trouble::hopeless)?;
        if request.may_be_tag_object {
            let peel = async |github: &GitHub| github.peel(&request.repository, &request.commit).await;
            let peeled = self.ask_github(peel).await;
            request.commit = peeled.map_err(|cause| Trouble::passing(cause, Job::Start(job.clone())))?;
            (again.commit, again.may_be_tag_object) = (request.commit.to_string(), false);
        }
        let StartRequest { pipeline, repository, commit, .. } = &request;
        let token = ClientRequestToken::from_queue(job.token.clone());
        let tried_before = received_before || message.retry.is_some();
        // Where GitHub does not answer, or asked not to be called, the pipeline is started all the same, and reported on
        // later.
        let shown = match job.waits_for_github(self.clock.now()) {
            Some(wait) => Err(GitHubError::RateLimited { wait, why: "as it said before".to_owned() }.into()),
            None => self.shown(repository, commit).await,
        };
        let known = shown.as_ref().ok().and_then(|shown| shown.execution_of_push(token.mark()));
        // A run that is shown as pending may be followed by nobody: its first wake-up could not be sent, and looks have told of
        // it since. So it is followed again, and a second chain meets the first. Where an end is told, a new chain would know
        // less of the rollout than the one that told it.
        let own = shown.as_ref().ok().and_then(|shown| shown.get(&execution_context(pipeline)));
        let is_pending = own.is_some_and(|own| own.state == State::Pending && own.execution.as_deref() == known);
        if let Some(execution) = known.filter(|_| !tried_before && !is_pending) {
            tracing::info!(delivery = message.delivery, pipeline, execution, "this push was delivered before");
            let since = self.clock.now().as_millis();
            let (pipeline, execution) = (pipeline.clone(), execution.to_owned());
            let look = Look { pipeline, execution, happening: Happening::OfExecution, since, come_back: false };
            if self.look(message, &look).await? {
                return Ok(());
            }
            // Its source failed, so that AWS does not say what it was to build. The push does.
        }
        let begun = match known {
            Some(execution) => Ok(execution.to_owned()),
            None => self.begin(message, &request, &token, tried_before, shown.as_ref().ok()).await,
        };
        let execution = match begun {
            Ok(execution) => execution,
            Err(error) => return self.not_started(again, &request, error, shown).await,
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

    /// Tells GitHub why nothing has started. What may pass is tried again, and soon, however long GitHub asked not to be
    /// called; what has to be mended is told on the commit, and the message is done with.
    async fn not_started(
        &self,
        mut again: Start,
        request: &StartRequest,
        error: PipelineError,
        shown: Result<ShownStatuses, Cause>,
    ) -> Result<(), Trouble> {
        let pipeline = &request.pipeline;
        let (what, mending) = match &error {
            PipelineError::Unavailable(_) => {
                let told = match shown {
                    Ok(shown) => self.tell_that_it_is_queued(request, &shown).await,
                    Err(cause) => Err(cause),
                };
                let wait = told.err().and_then(|cause| cause.githubs_wait());
                again.github_not_before = wait.map(|wait| (self.clock.now() + wait).as_millis());
                return Err(Trouble::passing(error, Job::Start(again)));
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
        let shown = shown.map_err(|cause| Trouble::passing(cause, Job::Start(again.clone())))?;
        // What an execution of the commit says stands: it may be the very one that an earlier try has started.
        let speaks = shown.get(&report.context).is_some_and(|own| own.execution.is_some());
        if shown.shows(&report) || speaks {
            return Ok(());
        }
        let (url, conclusion) = (links::pipeline(&self.region, pipeline), Some(Conclusion::ActionRequired));
        let tale = Tale { url, conclusion, shown: Some(&shown), ..Tale::default() };
        let told = self.tell(&request.repository, &request.commit, &report, tale).await;
        told.map_err(|cause| Trouble::passing(cause, Job::Start(again)))
    }

    /// Shows on a commit without any status of the pipeline that its run waits. It is a courtesy: the next try comes as
    /// soon whether it works out or not.
    async fn tell_that_it_is_queued(&self, request: &StartRequest, shown: &ShownStatuses) -> Result<(), Cause> {
        let report = Report {
            context: execution_context(&request.pipeline),
            state: State::Pending,
            description: text::queued_for("CodePipeline can't start it yet; tried again until it does"),
        };
        if shown.get(&report.context).is_some() {
            return Ok(());
        }
        let url = links::pipeline(&self.region, &request.pipeline);
        let tale = Tale { url, shown: Some(shown), ..Tale::default() };
        self.tell(&request.repository, &request.commit, &report, tale).await.inspect_err(|cause| {
            tracing::warn!(pipeline = request.pipeline, %cause, "GitHub was not told that the run waits");
        })
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
