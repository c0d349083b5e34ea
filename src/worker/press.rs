//! Doing what somebody asked for at GitHub: answering an approval, running again what failed.
//!
//! A press comes signed, and that is all that is believed of it. What the check run shows and who may press is asked of
//! GitHub; what can be approved or retried, of CodePipeline. A press that is about something else than what is there now
//! (it was pressed twice, replayed, or overtaken) does nothing.

use super::Worker;
use super::follow::Run;
use super::tell::{Tale, execution_of, shown_by};
use super::trouble::{Cause, Trouble};
use crate::aws::codepipeline::{PipelineError, Retried};
use crate::config::ReportAs;
use crate::domain::check::{self, Press as Button};
use crate::domain::execution::{ActionKind, ActionRun};
use crate::domain::report::execution_context;
use crate::domain::route::StartRequest;
use crate::github::{CheckRun, CheckState, Conclusion, GitHub, moment};
use crate::links;
use crate::queue::message::{Happening, Job, Look, Message, Press, PressedThing};

/// A press, and what it is about.
struct Pressing<'a> {
    message: &'a Message,
    job: &'a Press,
    request: StartRequest,
    check_run: CheckRun,
    execution: String,
}

impl Worker {
    pub(super) async fn press(&self, message: &Message, job: &Press, received_before: bool) -> Result<(), Trouble> {
        let request = job.start.request().map_err(Trouble::hopeless)?;
        let again = |cause: Cause| Trouble::passing(cause, Job::Press(job.clone()));
        let config = self.config().await.map_err(again)?;
        if config.github.report != ReportAs::Checks {
            tracing::info!(delivery = message.delivery, actor = job.actor, "runs are not reported as check runs");
            return Ok(());
        }
        let Some(check_run) = self.pressed_check_run(job, &request).await.map_err(again)? else {
            return self.stale(message, job, "the check run is not there any more, or shows something else by now");
        };
        let Some(execution) = execution_of(&check_run.external_id).map(str::to_owned) else {
            return self.stale(message, job, "the check run is about no execution");
        };
        let pressing = Pressing { message, job, request, check_run, execution };
        if !self.may_press(&pressing).await.map_err(again)? {
            return self.refuse(&pressing).await.map_err(again);
        }
        match &job.what {
            PressedThing::Button { identifier, .. } => match Button::parse(identifier) {
                Some(button) => self.answer(&pressing, &button).await,
                None => self.stale(message, job, "no button of ours is called so"),
            },
            PressedThing::Rerun { .. } | PressedThing::RerunAll { .. } => self.rerun(&pressing, received_before).await,
        }
    }

    /// The check run that was pressed, if it is still the one that its name shows on the commit, and shows what it did.
    async fn pressed_check_run(&self, job: &Press, request: &StartRequest) -> Result<Option<CheckRun>, Cause> {
        let own = execution_context(&request.pipeline);
        let name = match &job.what {
            PressedThing::Button { name, .. } | PressedThing::Rerun { name, .. } => name,
            PressedThing::RerunAll { .. } => &own,
        };
        let list = async |github: &GitHub| github.check_runs(&request.repository, &request.commit, Some(name)).await;
        let newest = self.ask_github(list).await?.into_iter().find(|run| run.name.eq_ignore_ascii_case(name));
        Ok(newest.filter(|run| match &job.what {
            PressedThing::Button { check_run, .. } => run.id == *check_run,
            // What has been completed again since is not what was pressed.
            PressedThing::Rerun { check_run, completed, .. } => {
                run.id == *check_run && run.completed_at.is_some() && run.completed_at == moment::parse(completed)
            }
            PressedThing::RerunAll { updated } => {
                run.completed_at.zip(moment::parse(updated)).is_some_and(|(completed, pressed)| completed <= pressed)
            }
        }))
    }

    async fn may_press(&self, pressing: &Pressing<'_>) -> Result<bool, Cause> {
        let (repository, actor) = (&pressing.request.repository, &pressing.job.actor);
        if actor.is_empty() {
            return Ok(false);
        }
        self.ask_github(async |github: &GitHub| github.may_write(repository, actor).await).await
    }

    fn stale(&self, message: &Message, job: &Press, why: &str) -> Result<(), Trouble> {
        let (delivery, actor, pipeline) = (&message.delivery, &job.actor, &job.start.pipeline);
        tracing::info!(delivery, actor, pipeline, pressed = ?job.what, why, "a press that does nothing");
        Ok(())
    }

    /// Tells on the check run that whoever pressed may not.
    async fn refuse(&self, pressing: &Pressing<'_>) -> Result<(), Cause> {
        let Pressing { message, job, .. } = pressing;
        let (delivery, actor, pipeline) = (&message.delivery, &job.actor, &job.start.pipeline);
        tracing::warn!(delivery, actor, pipeline, pressed = ?job.what, "refused: no write access to the repository");
        self.note(pressing, &format!("`{actor}` pressed a button here, which takes write access to the repository."))
            .await
    }

    /// Adds a line to the page of the check run that was pressed. What it shows stays as it is, whatever can be read now:
    /// it may rest on what ECS has forgotten since.
    async fn note(&self, pressing: &Pressing<'_>, line: &str) -> Result<(), Cause> {
        let Pressing { request, check_run, execution, .. } = pressing;
        let run = pressing.run();
        let extras = self.extras(&run, false).await;
        let read = self.read(&request.pipeline, execution, request.source_action.as_deref(), &[], extras).await?;
        let (report, conclusion) = shown_by(check_run);
        let mut page = check::page(&read.snapshot(run.source()), &report, &request.commit);
        page.summary = format!("{line}\n\n{}", page.summary);
        let (url, execution) = (check_run.details_url.clone().unwrap_or_default(), Some(execution.as_str()));
        let tale = Tale { url, execution, page: Some(page), conclusion, shown: None };
        self.tell(&request.repository, &request.commit, &report, tale).await
    }

    /// Approves or rejects the approval that waits, if it is the one that the button was for.
    async fn answer(&self, pressing: &Pressing<'_>, button: &Button) -> Result<(), Trouble> {
        let Pressing { message, job, request, execution, .. } = pressing;
        let Button::Answer { approve, began } = button;
        let again = |cause: Cause| Trouble::passing(cause, Job::Press((*job).clone()));
        let pipeline = &request.pipeline;
        let read = match self.pipelines.read(pipeline, execution, request.source_action.as_deref()).await {
            Err(PipelineError::NotFound(_)) => return self.stale(message, job, "the execution is gone"),
            read => read.map_err(|error| again(error.into()))?,
        };
        let snapshot = read.snapshot(pressing.run().source());
        let waits = |action: &&ActionRun| {
            action.kind == ActionKind::Approval && action.is_running() && action.started == *began
        };
        let mut actions = snapshot.stages.iter().flat_map(|stage| &stage.actions);
        let Some(approval) = actions.find(waits).filter(|_| !snapshot.is_final()) else {
            return self.stale(message, job, "that approval does not wait any more");
        };
        let word = if *approve { "Approved" } else { "Rejected" };
        let summary = format!("{word} by {} on the check run at GitHub", job.actor);
        let answered = self.pipelines.answer(pipeline, execution, approval, *approve, &summary).await;
        if !answered.map_err(|error| again(error.into()))? {
            return self.stale(message, job, "that approval does not wait any more");
        }
        let (delivery, actor, stage) = (&message.delivery, &job.actor, &approval.stage);
        tracing::info!(delivery, actor, pipeline, execution, stage, action = approval.name, word, "pressed");
        self.look_at_pressed(pressing, Happening::OfExecution).await
    }

    /// Retries the stage that failed; where that can't be, the run begins anew, pinned to the same commit.
    async fn rerun(&self, pressing: &Pressing<'_>, received_before: bool) -> Result<(), Trouble> {
        let Pressing { message, job, request, check_run, execution } = pressing;
        let again = |cause: Cause| Trouble::passing(cause, Job::Press((*job).clone()));
        let (delivery, actor, pipeline) = (&message.delivery, &job.actor, &request.pipeline);
        if matches!(check_run.state, Some(CheckState::Completed(Conclusion::Success | Conclusion::Skipped))) {
            return self.stale(message, job, "it has not failed");
        }
        let source_action = request.source_action.as_deref();
        let read = match self.pipelines.read(pipeline, execution, source_action).await {
            Err(PipelineError::NotFound(_)) => return self.stale(message, job, "the execution is gone"),
            read => read.map_err(|error| again(error.into()))?,
        };
        let snapshot = read.snapshot(pressing.run().source());
        if !snapshot.is_final() {
            self.stale(message, job, "the execution runs")?;
            return self.look_at_pressed(pressing, Happening::ExecutionResumed).await;
        }
        if let Some(stage) = snapshot.failed_stage().map(|stage| &stage.name) {
            let retried = self.pipelines.retry(pipeline, execution, stage, false).await;
            if retried.map_err(|error| again(error.into()))? == Retried::Begun {
                tracing::info!(delivery, actor, pipeline, execution, stage, "pressed: the stage is retried");
                return self.look_at_pressed(pressing, Happening::ExecutionResumed).await;
            }
        }
        tracing::info!(delivery, actor, pipeline, execution, commit = %request.commit, "pressed: begun anew");
        self.start(message, &job.start, received_before).await
    }

    async fn look_at_pressed(&self, pressing: &Pressing<'_>, happening: Happening) -> Result<(), Trouble> {
        let Pressing { message, request, execution, .. } = pressing;
        let since = self.clock.now().as_millis();
        let (pipeline, execution) = (request.pipeline.clone(), execution.clone());
        self.look(message, &Look { pipeline, execution, happening, since, come_back: false }).await.map(|_| ())
    }
}

impl Pressing<'_> {
    fn run(&self) -> Run {
        let Self { request, check_run, execution, .. } = self;
        let author = check_run.details_url.as_deref().and_then(links::author_of);
        Run {
            pipeline: request.pipeline.clone(),
            execution: execution.clone(),
            repository: request.repository.clone(),
            commit: request.commit.clone(),
            source_action: request.source_action.clone(),
            options: request.options.clone(),
            push: author.and_then(|author| author.push),
        }
    }
}
