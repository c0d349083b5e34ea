//! CodePipeline on the wire.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::engine::Start;
use super::model::{ActionStatus, Ending, Pipeline, Status};
use super::script::Answered;
use super::spec::{PipelineMode, PipelineType};
use super::{CodePipeline, definition, lists, may_retry, shapes, view};
use crate::domain::time::Timestamp;
use crate::standin::account::ACCOUNT;
use crate::standin::check;
use crate::standin::moment::epoch;
use crate::standin::wire::{AwsError, AwsService};

/// How many executions of a queued or parallel pipeline may run at the same time.
const CONCURRENT_LIMIT: usize = 50;

fn text<'a>(body: &'a Value, member: &str) -> &'a str {
    body[member].as_str().unwrap_or_default()
}

impl CodePipeline {
    pub(crate) fn call(&mut self, now: Timestamp, operation: &str, body: &Value) -> Result<Option<Value>, AwsError> {
        let shape = match operation {
            "StartPipelineExecution" => shapes::START,
            "GetPipelineExecution" => shapes::GET_EXECUTION,
            "ListActionExecutions" => shapes::LIST_ACTIONS,
            "ListPipelineExecutions" => shapes::LIST_EXECUTIONS,
            "GetPipelineState" => shapes::GET_STATE,
            "GetPipeline" => shapes::GET_PIPELINE,
            "StopPipelineExecution" => shapes::STOP,
            "RetryStageExecution" => shapes::RETRY,
            "RollbackStage" => shapes::ROLLBACK,
            "PutApprovalResult" => shapes::APPROVE,
            "DisableStageTransition" => shapes::DISABLE,
            "EnableStageTransition" => shapes::ENABLE,
            other => return Err(AwsService::CodePipeline.unknown(other)),
        };
        check::check(shape, body)?;
        let name = body["name"].as_str().unwrap_or_else(|| text(body, "pipelineName")).to_owned();
        let Some(pipeline) = self.pipelines.get(&name) else {
            let message = format!("Account '{ACCOUNT}' does not have a pipeline with name '{name}'");
            return Err(AwsError::new("PipelineNotFoundException", message));
        };
        match operation {
            "StartPipelineExecution" => self.start(now, &name, body).map(Some),
            "GetPipelineExecution" => {
                let e = find(pipeline, text(body, "pipelineExecutionId"))?;
                Ok(Some(view::execution(pipeline, &pipeline.executions[e])))
            }
            "ListActionExecutions" => lists::actions(pipeline, body).map(Some),
            "ListPipelineExecutions" => lists::executions(pipeline, body).map(Some),
            "GetPipelineState" => Ok(Some(view::state(pipeline))),
            "GetPipeline" => {
                if body["version"].as_u64().is_some_and(|version| version != u64::from(pipeline.version)) {
                    // Earlier definitions are not kept.
                    return Err(AwsError::new("PipelineVersionNotFoundException", "The version was not found."));
                }
                Ok(Some(definition::show(pipeline)))
            }
            "StopPipelineExecution" => self.stop_execution(now, &name, body).map(Some),
            "RetryStageExecution" => self.retry_stage(now, &name, body).map(Some),
            "RollbackStage" => self.rollback_stage(now, &name, body).map(Some),
            "PutApprovalResult" => self.approve(now, &name, body).map(Some),
            _ => self.change_transition(now, &name, body, operation == "DisableStageTransition").map(|()| None),
        }
    }

    fn start(&mut self, now: Timestamp, name: &str, body: &Value) -> Result<Value, AwsError> {
        let Some(pipeline) = self.pipelines.get(name) else {
            return Err(AwsError::validation(name));
        };
        let token = body["clientRequestToken"].as_str();
        if let Some(id) = token.and_then(|token| pipeline.tokens.get(token)) {
            return Ok(json!({"pipelineExecutionId": id}));
        }
        let list = |member: &str| body[member].as_array().map_or(&[][..], Vec::as_slice);
        let (given, overrides) = (list("variables"), list("sourceRevisions"));
        let spec = &pipeline.spec;
        if spec.kind == PipelineType::V1 && !(given.is_empty() && overrides.is_empty()) {
            return Err(AwsError::validation(
                "Pipeline variables and source revision overrides are only supported for V2 type pipelines",
            ));
        }
        let mut pinned = BTreeMap::new();
        for revision in overrides {
            let action = text(revision, "actionName");
            let Some(source) = spec.source_actions().find(|source| source.name == action) else {
                return Err(AwsError::validation(format!("Source action '{action}' is not in pipeline '{name}'")));
            };
            if source.provider == "CodeStarSourceConnection" && revision["revisionType"] != "COMMIT_ID" {
                return Err(AwsError::validation(format!("Source action '{action}' only takes a COMMIT_ID")));
            }
            if pinned.insert(action.to_owned(), text(revision, "revisionValue").to_owned()).is_some() {
                return Err(AwsError::validation(format!("Source action '{action}' is overridden twice")));
            }
        }
        let mut values: BTreeMap<&str, &str> = BTreeMap::new();
        for variable in given {
            let variable_name = text(variable, "name");
            if !spec.variables.iter().any(|(declared, _)| declared == variable_name) {
                let message = format!("Variable '{variable_name}' is not declared in pipeline '{name}'");
                return Err(AwsError::validation(message));
            }
            if values.insert(variable_name, text(variable, "value")).is_some() {
                return Err(AwsError::validation(format!("Variable '{variable_name}' is given twice")));
            }
        }
        let mut variables = Vec::new();
        for (declared, default) in &spec.variables {
            match values.get(declared.as_str()).copied().or(default.as_deref()) {
                Some(value) => variables.push((declared.clone(), value.to_owned())),
                None => {
                    let message = format!("Variable '{declared}' has no default value and was not given one");
                    return Err(AwsError::validation(message));
                }
            }
        }
        limit(pipeline)?;
        let trigger = ("StartPipelineExecution", format!("arn:aws:sts::{ACCOUNT}:assumed-role/pipehook-worker/worker"));
        let Some(mut engine) = self.engine(name) else {
            return Err(AwsError::validation(name));
        };
        let id = engine.start(now, Start { trigger, pinned, variables, rollback: None });
        if let Some(token) = token {
            engine.pipeline.tokens.insert(token.to_owned(), id.clone());
        }
        Ok(json!({"pipelineExecutionId": id}))
    }

    fn stop_execution(&mut self, now: Timestamp, name: &str, body: &Value) -> Result<Value, AwsError> {
        let id = text(body, "pipelineExecutionId");
        let abandon = body["abandon"] == true;
        let Some(mut engine) = self.engine(name) else {
            return Err(AwsError::validation(name));
        };
        // This operation's model has no error of its own for an execution that is not known.
        let e = engine.pipeline.find(id);
        let status = e.map(|e| engine.pipeline.executions[e].status);
        let e = match (e, status) {
            (Some(e), Some(Status::InProgress)) => e,
            (Some(e), Some(Status::Stopping)) if abandon => e,
            (_, Some(Status::Stopping)) => {
                let message = "The pipeline execution is already in a Stopping state.";
                return Err(AwsError::new("DuplicatedStopRequestException", message));
            }
            _ => {
                let message = "The pipeline execution can't be stopped, as it is no longer in progress.";
                return Err(AwsError::new("PipelineExecutionNotStoppableException", message));
            }
        };
        engine.stop(now, e, abandon, body["reason"].as_str().map(str::to_owned));
        Ok(json!({"pipelineExecutionId": id}))
    }

    fn retry_stage(&mut self, now: Timestamp, name: &str, body: &Value) -> Result<Value, AwsError> {
        let id = text(body, "pipelineExecutionId");
        let Some(mut engine) = self.engine(name) else {
            return Err(AwsError::validation(name));
        };
        let stage = find_stage(engine.pipeline, text(body, "stageName"))?;
        // This operation's model has no error of its own for an execution that is not known.
        let e = engine.pipeline.find(id).ok_or_else(|| AwsError::validation("The execution does not exist."))?;
        may_retry(engine.pipeline, e, stage).map_err(|code| AwsError::new(code, "Unable to retry the stage."))?;
        limit(engine.pipeline)?;
        engine.retry(now, e, stage, body["retryMode"] == "ALL_ACTIONS");
        Ok(json!({"pipelineExecutionId": id}))
    }

    fn rollback_stage(&mut self, now: Timestamp, name: &str, body: &Value) -> Result<Value, AwsError> {
        let (stage_name, target) = (text(body, "stageName"), text(body, "targetPipelineExecutionId"));
        let Some(pipeline) = self.pipelines.get(name) else {
            return Err(AwsError::validation(name));
        };
        let stage = find_stage(pipeline, stage_name)?;
        let e = find(pipeline, target)?;
        let execution = &pipeline.executions[e];
        if execution.version != pipeline.version {
            let message = "The pipeline has changed since the target execution.";
            return Err(AwsError::new("PipelineExecutionOutdatedException", message));
        }
        let reached = execution.stages[stage].as_ref().is_some_and(|run| run.status.wire() == "Succeeded");
        let busy = pipeline.slots[stage].locked_by.is_some();
        if pipeline.spec.kind == PipelineType::V1 || pipeline.spec.mode == PipelineMode::Parallel || !reached || busy {
            return Err(AwsError::new("UnableToRollbackStageException", "Unable to roll back the stage."));
        }
        let id = self.rollback(now, name, stage_name, target, false).unwrap_or_default();
        Ok(json!({"pipelineExecutionId": id}))
    }

    fn approve(&mut self, now: Timestamp, name: &str, body: &Value) -> Result<Value, AwsError> {
        let token = text(body, "token");
        let Some(mut engine) = self.engine(name) else {
            return Err(AwsError::validation(name));
        };
        let stage = find_stage(engine.pipeline, text(body, "stageName"))?;
        let action_name = text(body, "actionName");
        let actions = &engine.pipeline.spec.stages[stage].actions;
        let action = actions.iter().position(|action| action.name == action_name && action.is_approval());
        let action = action.ok_or_else(|| AwsError::new("ActionNotFoundException", "The action was not found."))?;
        let found = engine.pipeline.executions.iter().enumerate().find_map(|(e, execution)| {
            let fits = |run: &super::model::ActionRun| {
                run.stage == stage && run.action == action && run.token.as_deref() == Some(token)
            };
            execution.actions.iter().position(fits).map(|run| (e, run))
        });
        let (e, run) =
            found.ok_or_else(|| AwsError::new("InvalidApprovalTokenException", "The approval token is not valid."))?;
        if engine.pipeline.executions[e].actions[run].status != ActionStatus::InProgress {
            let message = "The approval action has already been approved or rejected.";
            return Err(AwsError::new("ApprovalAlreadyCompletedException", message));
        }
        let approved = body["result"]["status"] == "Approved";
        let answer = if approved { Answered::Approved } else { Answered::Rejected };
        engine.end_action(now, e, run, Ending::Answer(answer), Some(text(&body["result"], "summary").to_owned()));
        Ok(json!({"approvedAt": epoch(now)}))
    }

    fn change_transition(&mut self, now: Timestamp, name: &str, body: &Value, off: bool) -> Result<(), AwsError> {
        let Some(mut engine) = self.engine(name) else {
            return Err(AwsError::validation(name));
        };
        let stage = find_stage(engine.pipeline, text(body, "stageName"))?;
        let inbound = body["transitionType"] == "Inbound";
        let slot = &mut engine.pipeline.slots[stage];
        let transition = if inbound { &mut slot.inbound } else { &mut slot.outbound };
        transition.disabled = off.then(|| text(body, "reason").to_owned());
        transition.changed = Some(now);
        let entered = if inbound { stage } else { stage + 1 };
        if entered < engine.pipeline.slots.len() {
            engine.admit(now, entered);
        }
        Ok(())
    }
}

pub(super) fn find(pipeline: &Pipeline, id: &str) -> Result<usize, AwsError> {
    pipeline.find(id).ok_or_else(|| {
        let message = format!("Execution '{id}' does not exist in pipeline '{}'", pipeline.spec.name);
        AwsError::new("PipelineExecutionNotFoundException", message)
    })
}

fn find_stage(pipeline: &Pipeline, name: &str) -> Result<usize, AwsError> {
    pipeline.stage(name).ok_or_else(|| {
        let message = format!("Stage '{name}' does not exist in pipeline '{}'", pipeline.spec.name);
        AwsError::new("StageNotFoundException", message)
    })
}

fn limit(pipeline: &Pipeline) -> Result<(), AwsError> {
    let running = pipeline.executions.iter().filter(|execution| execution.status.is_running()).count();
    if pipeline.spec.mode != PipelineMode::Superseded && running >= CONCURRENT_LIMIT {
        let message = "The pipeline has reached the limit for concurrent pipeline executions.";
        return Err(AwsError::new("ConcurrentPipelineExecutionsLimitExceededException", message));
    }
    Ok(())
}
