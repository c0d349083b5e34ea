//! Telling GitHub that a filter left a pipeline out.

use super::Worker;
use super::tell::Tale;
use super::trouble::Trouble;
use crate::aws::codepipeline::PipelineError;
use crate::domain::check::Conclusion;
use crate::domain::report::{Report, State, execution_context, stage_context};
use crate::domain::text;
use crate::links;
use crate::queue::message::{self, Job, Skip};

impl Worker {
    /// Reports success with the reason in the execution's context and in each stage's, so that a required check does
    /// not hang. What an execution of the same commit has reported stands.
    pub(super) async fn skip(&self, job: &Skip) -> Result<(), Trouble> {
        let again = || Job::Skip(job.clone());
        let repository = message::repository(&job.repository).map_err(Trouble::hopeless)?;
        let commit = message::commit(&job.commit).map_err(Trouble::hopeless)?;
        let stages = match self.pipelines.stages(&job.pipeline).await {
            Ok(stages) => stages,
            Err(error @ PipelineError::Unavailable(_)) => return Err(Trouble::passing(error, again())),
            Err(error) => {
                tracing::warn!(pipeline = job.pipeline, %error, "the pipeline's stages can't be read; only its own context is told");
                Vec::new()
            }
        };
        let shown = self.shown(&repository, &commit).await.map_err(|cause| Trouble::passing(cause, again()))?;
        let stages = stages.iter().map(|stage| stage_context(&job.pipeline, stage));
        let url = links::pipeline(&self.region, &job.pipeline);
        for context in std::iter::once(execution_context(&job.pipeline)).chain(stages) {
            let report = Report { context, state: State::Success, description: text::left_out(&job.reason) };
            let of_execution = shown.get(&report.context).is_some_and(|shown| shown.execution.is_some());
            if !of_execution && !shown.shows(&report) {
                let tale = Tale {
                    url: url.clone(),
                    conclusion: Some(Conclusion::Skipped),
                    shown: Some(&shown),
                    ..Tale::default()
                };
                let posted = self.tell(&repository, &commit, &report, tale).await;
                posted.map_err(|cause| Trouble::passing(cause, again()))?;
            }
        }
        Ok(())
    }
}
