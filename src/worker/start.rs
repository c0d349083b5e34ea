//! Starting an execution, once.

use super::Worker;
use super::trouble::{Cause, Trouble};
use crate::aws::codepipeline::PipelineError;
use crate::domain::report::{Report, Shown, State, execution_context};
use crate::domain::route::StartRequest;
use crate::domain::text;
use crate::domain::time::Timestamp;
use crate::domain::token::ClientRequestToken;
use crate::github::GitHub;
use crate::links;
use crate::queue::message::{Follow, Job, Message, Options, Start};

impl Worker {
    /// Starts the execution that a message asks for, takes the first look at it, and leaves it to a chain of wake-ups.
    pub(super) async fn start(&self, message: &Message, job: &Start, received_before: bool) -> Result<(), Trouble> {
        let again = || Job::Start(job.clone());
        let mut request = job.request().map_err(Trouble::hopeless)?;
        if request.may_be_tag_object {
            let peel = async |github: &GitHub| github.peel(&request.repository, &request.commit).await;
            request.commit = self
                .ask_github(peel)
                .await
                .map_err(|cause| Trouble::passing(cause, again()))?;
        }
        let started_before = received_before || message.retry.is_some();
        let since = Timestamp::from_millis(message.first_sent);
        let token = ClientRequestToken::from_queue(job.token.clone());
        let execution = match self.begin(&request, &token, started_before.then_some(since)).await {
            Ok(execution) => execution,
            Err(error) => {
                return self
                    .tell_that_it_did_not_start(&request, error)
                    .await
                    .map_err(|cause| Trouble::passing(cause, again()));
            }
        };
        let StartRequest {
            pipeline,
            repository,
            commit,
            ..
        } = &request;
        tracing::info!(delivery = message.delivery, pipeline, execution, %repository, %commit, "started");
        let follow = Follow {
            pipeline: pipeline.clone(),
            execution,
            repository: repository.to_string(),
            commit: commit.to_string(),
            source_action: request.source_action.clone(),
            options: Options::from(&request.options),
            since: self.clock.now().as_millis(),
            reported: Vec::new(),
        };
        self.follow(&message.delivery, message.first_sent, follow, None).await
    }

    /// The execution's id. Where the message was received before, an earlier try may have started it already, with its
    /// answer lost: then it is looked for first. Where AWS does not show commits yet, the token alone tells.
    async fn begin(
        &self,
        request: &StartRequest,
        token: &ClientRequestToken,
        tried_since: Option<Timestamp>,
    ) -> Result<String, PipelineError> {
        if let Some(since) = tried_since
            && let Some(execution) = self.pipelines.find_started(request, since).await?
        {
            return Ok(execution);
        }
        self.pipelines.start(request, token).await
    }

    /// Tells GitHub why nothing has started. What may pass stays an error, so that the start is tried again; what has
    /// to be mended is told on the commit, and the message is done with.
    async fn tell_that_it_did_not_start(&self, request: &StartRequest, error: PipelineError) -> Result<(), Cause> {
        let pipeline = &request.pipeline;
        let (what, mending) = match &error {
            PipelineError::Unavailable(_) => {
                self.tell_that_it_is_queued(request).await;
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
        let shown = self.shown(&request.repository, &request.commit).await;
        // Where GitHub can't be read, an equal status more does no harm.
        if shown.is_ok_and(|shown| shown.shows(&report)) {
            return Ok(());
        }
        let url = links::pipeline(&self.region, pipeline);
        self.post_status(&request.repository, &request.commit, &report, &url)
            .await
    }

    /// Shows on a commit without any status of the pipeline that its run waits. It is a courtesy: whether it works out
    /// changes nothing about the next try.
    async fn tell_that_it_is_queued(&self, request: &StartRequest) {
        let report = Report {
            context: execution_context(&request.pipeline),
            state: State::Pending,
            description: text::queued_for("CodePipeline can't start it yet; tried again until it does"),
        };
        let told = async {
            let shown = self.shown(&request.repository, &request.commit).await?;
            if shown.get(&report.context).is_some() {
                return Ok(());
            }
            let url = links::pipeline(&self.region, &request.pipeline);
            self.post_status(&request.repository, &request.commit, &report, &url)
                .await
        };
        let told: Result<(), Cause> = told.await;
        if let Err(cause) = told {
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
        let url = links::pipeline(&self.region, &request.pipeline);
        self.post_status(&request.repository, &request.commit, &report, &url)
            .await
    }
}
