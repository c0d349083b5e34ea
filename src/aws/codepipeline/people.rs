//! What only people ask of CodePipeline, through the tool.

use aws_sdk_codepipeline::Client;
use aws_sdk_codepipeline::config::Builder;
use aws_sdk_codepipeline::types::{ExecutionType, PipelineExecutionSummary};
use serde::Deserialize;

use super::map::{commit_of, execution_status};
use super::{CodePipeline, PipelineError, sort, timestamp};
use crate::aws::moments::Moments;
use crate::aws::own_retries;
use crate::domain::event::CommitSha;
use crate::domain::execution::ExecutionStatus;
use crate::domain::listed::Listed;
use crate::domain::token::ClientRequestToken;

impl CodePipeline {
    /// A client whose answers also tell the time.
    pub(crate) fn that_tells_the_time(sdk_config: &aws_config::SdkConfig, moments: &Moments) -> Self {
        let config = Builder::from(sdk_config).retry_partition(own_retries()).interceptor(moments.clone());
        Self { client: Client::from_conf(config.build()) }
    }

    /// The pipeline's executions, newest first, until `enough` says that no further page is needed.
    pub(crate) async fn listed(
        &self,
        pipeline: &str,
        enough: impl Fn(&[Listed]) -> bool,
    ) -> Result<Vec<Listed>, PipelineError> {
        let of = |summaries: &[PipelineExecutionSummary]| summaries.iter().filter_map(listed).collect::<Vec<_>>();
        let summaries = self.executions(pipeline, |summaries| enough(&of(summaries))).await?;
        Ok(of(&summaries))
    }

    /// Starts an execution of the commit of an earlier one, with the same variables, and gives its id.
    pub(crate) async fn start_anew(
        &self,
        pipeline: &str,
        execution: &str,
        source_action: Option<&str>,
        commit: &CommitSha,
        token: &ClientRequestToken,
    ) -> Result<String, PipelineError> {
        let call = self.client.get_pipeline_execution().pipeline_name(pipeline).pipeline_execution_id(execution);
        let read = call.send().await.map_err(sort)?.pipeline_execution;
        let variables = read.and_then(|read| read.variables).unwrap_or_default().into_iter();
        // One without a value has none that could be given again.
        let variables: Vec<_> = variables
            .filter_map(|variable| Some((variable.name?, variable.resolved_value.filter(|value| !value.is_empty())?)))
            .collect();
        self.start_pinned(pipeline, source_action, commit, &variables, token).await
    }
}

fn listed(summary: &PipelineExecutionSummary) -> Option<Listed> {
    let revision = summary.source_revisions().iter().find(|revision| revision.revision_summary.is_some());
    let started = summary.start_time.map(timestamp).unwrap_or_default();
    let trigger = summary.trigger.as_ref();
    Some(Listed {
        id: summary.pipeline_execution_id.clone()?,
        status: summary.status.clone().map_or_else(|| ExecutionStatus::Unknown(String::new()), execution_status),
        commit: commit_of(summary.source_revisions(), None),
        message: revision.and_then(|revision| revision.revision_summary.as_deref()).map(message_of),
        is_rollback: summary.execution_type == Some(ExecutionType::Rollback),
        trigger: trigger.and_then(|by| by.trigger_type.as_ref()).map_or("", |kind| kind.as_str()).to_owned(),
        trigger_detail: trigger.and_then(|by| by.trigger_detail.clone()).filter(|detail| !detail.is_empty()),
        started,
        updated: summary.last_update_time.map_or(started, timestamp),
    })
}

/// Connections put the commit's message into a small JSON document; other sources write it as it is.
fn message_of(summary: &str) -> String {
    #[derive(Deserialize)]
    struct OfConnection {
        #[serde(rename = "CommitMessage")]
        message: String,
    }
    serde_json::from_str(summary).map_or_else(|_| summary.to_owned(), |told: OfConnection| told.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_in_what_a_connection_says_and_beside_it() {
        assert_eq!(message_of(r#"{"ProviderType":"GitHub","CommitMessage":"Say hello"}"#), "Say hello");
        assert_eq!(message_of("Say hello"), "Say hello");
        assert_eq!(message_of("{\"Commit"), "{\"Commit");
    }
}
