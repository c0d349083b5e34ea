//! CodePipeline's answers as the domain's types.

use aws_sdk_codepipeline::operation::get_pipeline_state::GetPipelineStateOutput;
use aws_sdk_codepipeline::types::{
    ActionCategory, ActionExecutionDetail, ActionExecutionStatus, ExecutionMode, ExecutionType, PipelineExecution,
    PipelineExecutionStatus, SourceRevision, StageExecutionStatus, StageState,
};

use super::{PipelineError, nonsense, timestamp};
use crate::aws::arn;
use crate::domain::event::CommitSha;
use crate::domain::execution::{ActionKind, ActionRun, ActionStatus, ExecutionStatus, Place, StageStatus, Wait};
use crate::domain::reading::{ExecutionHead, StageView};

pub(super) fn head(pipeline: &str, execution: &str, read: PipelineExecution) -> Result<ExecutionHead, PipelineError> {
    let status = execution_status(read.status.ok_or_else(|| nonsense("an execution without a status"))?);
    let revisions = read.artifact_revisions.unwrap_or_default().into_iter();
    Ok(ExecutionHead {
        pipeline: pipeline.to_owned(),
        id: execution.to_owned(),
        status,
        status_summary: read.status_summary,
        is_rollback: read.execution_type == Some(ExecutionType::Rollback),
        is_parallel: read.execution_mode == Some(ExecutionMode::Parallel),
        revisions: revisions.filter_map(|revision| Some((revision.name?, revision.revision_id?))).collect(),
    })
}

pub(super) fn execution_status(status: PipelineExecutionStatus) -> ExecutionStatus {
    match status {
        PipelineExecutionStatus::InProgress => ExecutionStatus::InProgress,
        PipelineExecutionStatus::Stopping => ExecutionStatus::Stopping,
        PipelineExecutionStatus::Succeeded => ExecutionStatus::Succeeded,
        PipelineExecutionStatus::Failed => ExecutionStatus::Failed,
        PipelineExecutionStatus::Stopped => ExecutionStatus::Stopped,
        PipelineExecutionStatus::Cancelled => ExecutionStatus::Cancelled,
        PipelineExecutionStatus::Superseded => ExecutionStatus::Superseded,
        other => ExecutionStatus::Unknown(other.as_str().to_owned()),
    }
}

/// The actions of an execution. What is done in another region can't be asked for in this one, where something else may have its
/// name. Source actions run in the pipeline's own region only, which is `here` where there are none.
pub(super) fn actions(details: Vec<ActionExecutionDetail>, here: Option<&str>) -> Vec<ActionRun> {
    let region_of = |detail: &ActionExecutionDetail| detail.input.as_ref().and_then(|input| input.region.clone());
    let category =
        |detail: &ActionExecutionDetail| Some(detail.input.as_ref()?.action_type_id.as_ref()?.category.clone());
    let source = details.iter().find(|detail| category(detail) == Some(ActionCategory::Source));
    let home = source.and_then(region_of).or_else(|| here.map(str::to_owned));
    let mapped = details.into_iter().filter_map(|detail| {
        let is_elsewhere = home.is_some() && region_of(&detail).is_some_and(|region| Some(region) != home);
        let mut action = action(detail)?;
        action.place.take_if(|_| is_elsewhere);
        Some(action)
    });
    mapped.collect()
}

/// `None` for an entry that does not even say what ran.
fn action(detail: ActionExecutionDetail) -> Option<ActionRun> {
    let input = detail.input;
    let action_type = input.as_ref().and_then(|input| input.action_type_id.clone());
    let configured = |key: &str| {
        let maps = input.as_ref().map(|input| [&input.resolved_configuration, &input.configuration]);
        maps.into_iter().flatten().flatten().find_map(|map| map.get(key)).cloned()
    };
    let kind = match action_type.as_ref().map(|action_type| &action_type.category) {
        Some(ActionCategory::Source) => ActionKind::Source,
        Some(ActionCategory::Approval) => ActionKind::Approval,
        Some(ActionCategory::Deploy) => ActionKind::Deploy,
        _ => ActionKind::Other,
    };
    let output = detail.output;
    let variable = |key: &str| {
        let variables = output.as_ref().and_then(|output| output.output_variables.as_ref());
        variables.and_then(|variables| variables.get(key)).cloned()
    };
    let result = output.as_ref().and_then(|output| output.execution_result.clone());
    let error = result.as_ref().and_then(|result| result.error_details.clone());
    let artifacts = output.as_ref().map(|output| output.output_artifacts()).unwrap_or_default();
    let source_repository = variable("FullRepositoryName").or_else(|| configured("FullRepositoryId"));
    let place = || match action_type.as_ref().map(|action_type| action_type.provider.as_str())? {
        "CodeBuild" if configured("BatchEnabled").as_deref() == Some("true") => {
            result.as_ref()?.external_execution_id.clone().map(Place::BuildBatch)
        }
        "CodeBuild" => result.as_ref()?.external_execution_id.clone().map(Place::Build),
        "ECS" => {
            let account = input.as_ref().and_then(|input| arn::account(input.role_arn.as_deref()?)).map(str::to_owned);
            Some(Place::Service { cluster: configured("ClusterName")?, service: configured("ServiceName")?, account })
        }
        _ => None,
    };
    let place = place();
    let first_generation = || Some(format!("{}/{}", configured("Owner")?, configured("Repo")?));
    let started = detail.start_time.map(timestamp).unwrap_or_default();
    Some(ActionRun {
        stage: detail.stage_name?,
        name: detail.action_name?,
        kind,
        status: match detail.status? {
            ActionExecutionStatus::InProgress => ActionStatus::InProgress,
            ActionExecutionStatus::Succeeded => ActionStatus::Succeeded,
            ActionExecutionStatus::Failed => ActionStatus::Failed,
            ActionExecutionStatus::Abandoned => ActionStatus::Abandoned,
            other => ActionStatus::Unknown(other.as_str().to_owned()),
        },
        started,
        updated: detail.last_update_time.map_or(started, timestamp),
        error: error.and_then(|error| error.message.or(error.code)),
        summary: result.as_ref().and_then(|result| result.external_execution_summary.clone()),
        external_id: result.and_then(|result| result.external_execution_id),
        place,
        work: None,
        output_artifacts: artifacts.iter().filter_map(|artifact| artifact.name.clone()).collect(),
        source_commit: if kind == ActionKind::Source { variable("CommitId") } else { None },
        source_repository: if kind == ActionKind::Source { source_repository.or_else(first_generation) } else { None },
    })
}

/// The stages of the pipeline's state, as far as they are about this execution. The state is of the pipeline, not of an
/// execution: a stage that ours has not reached yet shows the one before.
pub(super) fn views(state: GetPipelineStateOutput, execution: &str) -> Vec<StageView> {
    let view = |stage: StageState| {
        let latest = stage.latest_execution.filter(|latest| latest.pipeline_execution_id == execution);
        let waits = std::iter::once(&stage.inbound_execution)
            .flatten()
            .chain(stage.inbound_executions.iter().flatten())
            .any(|inbound| inbound.pipeline_execution_id == execution && is_waiting(&inbound.status));
        let transition = stage.inbound_transition_state.filter(|transition| !transition.enabled);
        let wait = match transition {
            Some(held) => Wait::Held(held.disabled_reason.unwrap_or_default()),
            None => Wait::Occupied,
        };
        let actions = stage.action_states.unwrap_or_default().into_iter();
        Some(StageView {
            name: stage.stage_name?,
            actions: actions.filter_map(|action| action.action_name).collect(),
            status: latest.map(|latest| stage_status(latest.status)),
            waits: waits.then_some(wait),
        })
    };
    state.stage_states.unwrap_or_default().into_iter().filter_map(view).collect()
}

/// The token of an approval that waits in this execution.
pub(super) fn token_of(state: &GetPipelineStateOutput, execution: &str, approval: &ActionRun) -> Option<String> {
    let stage = state.stage_states().iter().find(|stage| stage.stage_name() == Some(&approval.stage))?;
    stage.latest_execution().filter(|latest| latest.pipeline_execution_id == execution)?;
    let action = stage.action_states().iter().find(|action| action.action_name() == Some(&approval.name))?;
    let latest = action.latest_execution()?;
    latest.token.clone().filter(|_| latest.status == Some(ActionExecutionStatus::InProgress))
}

/// An execution that was stopped or failed in front of a stage is still shown there.
fn is_waiting(status: &StageExecutionStatus) -> bool {
    matches!(stage_status(status.clone()), StageStatus::InProgress | StageStatus::Unknown(_))
}

pub(super) fn stage_status(status: StageExecutionStatus) -> StageStatus {
    match status {
        StageExecutionStatus::InProgress => StageStatus::InProgress,
        StageExecutionStatus::Stopping => StageStatus::Stopping,
        StageExecutionStatus::Succeeded => StageStatus::Succeeded,
        StageExecutionStatus::Failed => StageStatus::Failed,
        StageExecutionStatus::Stopped => StageStatus::Stopped,
        StageExecutionStatus::Cancelled => StageStatus::Cancelled,
        StageExecutionStatus::Skipped => StageStatus::Skipped,
        other => StageStatus::Unknown(other.as_str().to_owned()),
    }
}

pub(super) fn commit_of(revisions: &[SourceRevision], source_action: Option<&str>) -> Option<CommitSha> {
    let named = revisions.iter().find(|revision| Some(revision.action_name.as_str()) == source_action);
    named.or(revisions.first()).and_then(|revision| CommitSha::parse(revision.revision_id.as_deref()?))
}

#[cfg(test)]
mod tests {
    use aws_sdk_codepipeline::types::{ActionExecutionInput, ActionOwner, ActionTypeId};

    use super::*;

    /// An action as ListActionExecutions tells of it.
    fn listed(
        category: ActionCategory,
        provider: &str,
        region: Option<&str>,
        role: Option<&str>,
    ) -> ActionExecutionDetail {
        let id = ActionTypeId::builder().category(category).owner(ActionOwner::Aws).provider(provider).version("1");
        let input = ActionExecutionInput::builder()
            .action_type_id(id.build().unwrap())
            .configuration("ClusterName", "main")
            .configuration("ServiceName", "node-server")
            .set_region(region.map(str::to_owned))
            .set_role_arn(role.map(str::to_owned));
        let detail = ActionExecutionDetail::builder().stage_name("Stage").action_name("Action");
        detail.status(ActionExecutionStatus::InProgress).input(input.build()).build()
    }

    /// Where a deploy is done beside a source, as far as that can be asked for here.
    fn place(source: Option<&str>, deploy: Option<&str>, role: Option<&str>) -> Option<Place> {
        let source = listed(ActionCategory::Source, "CodeStarSourceConnection", source, None);
        actions(vec![listed(ActionCategory::Deploy, "ECS", deploy, role), source], None)[0].place.clone()
    }

    /// A service of the same name here would be taken for it.
    #[test]
    fn what_is_deployed_to_another_region_is_not_asked_for_in_this_one() {
        let here = || Some(Place::Service { cluster: "main".into(), service: "node-server".into(), account: None });
        assert_eq!(place(Some("eu-west-1"), Some("eu-west-1"), None), here());
        assert_eq!(place(Some("eu-west-1"), None, None), here(), "it is the pipeline's own where none is named");
        assert_eq!(place(Some("eu-west-1"), Some("us-east-1"), None), None);
        assert_eq!(place(None, Some("us-east-1"), None), here(), "nothing tells which region is the pipeline's");
        let rolls_back = || vec![listed(ActionCategory::Deploy, "ECS", Some("us-east-1"), None)];
        assert_eq!(actions(rolls_back(), Some("eu-west-1"))[0].place, None, "a rollback runs no source action");
        assert_eq!(actions(rolls_back(), Some("us-east-1"))[0].place, here());
    }

    #[test]
    fn the_role_of_an_action_tells_the_account_that_it_deploys_to() {
        let role = Some("arn:aws:iam::444455556666:role/deploy");
        let Some(Place::Service { account, .. }) = place(None, None, role) else { panic!("no service") };
        assert_eq!(account.as_deref(), Some("444455556666"));
    }
}
