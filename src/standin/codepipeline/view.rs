//! Pipelines and executions as the API shows them, and as tests see them.

use serde_json::{Map, Value, json};

use super::model::{ActionRun, ActionStatus, Execution, Pipeline, Place, StageStatus};
use super::spec::{ActionSpec, PipelineMode};
use crate::domain::time::Timestamp;
use crate::standin::account::{ACCOUNT, REGION};
use crate::standin::moment::epoch;

pub(super) const BUCKET: &str = "codepipeline-us-east-1-artifacts";

/// A stage of an execution as tests see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageView {
    /// The stage's name.
    pub name: String,
    /// The API's status; `None` for a stage that the execution did not reach.
    pub status: Option<&'static str>,
    /// When the execution came into it first.
    pub started: Option<Timestamp>,
}

/// An execution as tests see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionView {
    /// The execution's id.
    pub id: String,
    /// The API's status.
    pub status: &'static str,
    /// The commit that its source took, or is to take.
    pub commit: Option<String>,
    /// Its variables with their values.
    pub variables: Vec<(String, String)>,
    /// When it began.
    pub started: Timestamp,
    /// When it last changed; once it is over, when it ended.
    pub updated: Timestamp,
    /// Its stages, in the pipeline's order.
    pub stages: Vec<StageView>,
}

impl ExecutionView {
    pub(crate) fn of(pipeline: &Pipeline, execution: &Execution) -> Self {
        let stages = pipeline.spec.stages.iter().zip(&execution.stages);
        Self {
            id: execution.id.clone(),
            status: execution.status.wire(),
            commit: execution.commit().map(str::to_owned),
            variables: execution.variables.clone(),
            started: execution.started,
            updated: execution.updated,
            stages: stages
                .map(|(spec, run)| StageView {
                    name: spec.name.clone(),
                    status: run.as_ref().map(|run| run.status.wire()),
                    started: run.as_ref().map(|run| run.started),
                })
                .collect(),
        }
    }

    /// The status of a stage by its name; `None` for one that was not reached.
    pub fn stage(&self, name: &str) -> Option<&'static str> {
        self.stages.iter().find(|stage| stage.name == name)?.status
    }
}

/// Puts a member in where there is a value, for an absent member is never a null in these protocols.
pub(super) fn put(object: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        object.insert(name.to_owned(), value);
    }
}

fn revision_summary(sha: &str) -> String {
    // Connections give a small JSON document instead of a bare message.
    json!({"ProviderType": "GitHub", "CommitMessage": format!("Change {}", &sha[..sha.len().min(7)])}).to_string()
}

fn revision_url(pipeline: &Pipeline, action: &str, sha: &str) -> String {
    let source = pipeline.spec.source_actions().find(|source| source.name == action);
    let setting = |key| source.and_then(|source| source.setting(key)).unwrap_or_default();
    format!(
        "https://{REGION}.console.aws.amazon.com/codesuite/settings/connections/redirect?connectionArn={}\
         &referenceType=COMMIT&FullRepositoryId={}&Commit={sha}",
        setting("ConnectionArn"),
        setting("FullRepositoryId"),
    )
}

pub(super) fn execution(pipeline: &Pipeline, execution: &Execution) -> Value {
    let revisions: Vec<Value> = execution
        .revisions
        .iter()
        .map(|(action, (at, sha))| {
            json!({"name": format!("{action}Artifact"), "revisionId": sha, "revisionSummary": revision_summary(sha),
                "revisionUrl": revision_url(pipeline, action, sha), "created": epoch(*at)})
        })
        .collect();
    let variables: Vec<Value> =
        execution.variables.iter().map(|(name, value)| json!({"name": name, "resolvedValue": value})).collect();
    let mut shown = common(pipeline, execution);
    put(&mut shown, "pipelineName", Some(json!(pipeline.spec.name)));
    put(&mut shown, "pipelineVersion", Some(json!(execution.version)));
    put(&mut shown, "artifactRevisions", Some(json!(revisions)));
    put(&mut shown, "variables", Some(json!(variables)));
    json!({"pipelineExecution": shown})
}

/// The members that an execution and its summary have in common.
fn common(pipeline: &Pipeline, execution: &Execution) -> Map<String, Value> {
    let (kind, detail) = &execution.trigger;
    let is_rollback = execution.rollback_target.is_some();
    let mut shown = Map::new();
    put(&mut shown, "pipelineExecutionId", Some(json!(execution.id)));
    put(&mut shown, "status", Some(json!(execution.status.wire())));
    put(&mut shown, "statusSummary", execution.summary.as_ref().map(|text| json!(text)));
    put(&mut shown, "trigger", Some(json!({"triggerType": kind, "triggerDetail": detail})));
    put(&mut shown, "executionMode", Some(json!(pipeline.spec.mode.wire())));
    put(&mut shown, "executionType", Some(json!(if is_rollback { "ROLLBACK" } else { "STANDARD" })));
    let metadata = execution.rollback_target.as_ref().map(|id| json!({"rollbackTargetPipelineExecutionId": id}));
    put(&mut shown, "rollbackMetadata", metadata);
    shown
}

pub(super) fn summary(pipeline: &Pipeline, execution: &Execution) -> Value {
    let revisions: Vec<Value> = execution
        .revisions
        .iter()
        .map(|(action, (_, sha))| {
            json!({"actionName": action, "revisionId": sha, "revisionSummary": revision_summary(sha),
                "revisionUrl": revision_url(pipeline, action, sha)})
        })
        .collect();
    let mut shown = common(pipeline, execution);
    put(&mut shown, "startTime", Some(epoch(execution.started)));
    put(&mut shown, "lastUpdateTime", Some(epoch(execution.updated)));
    put(&mut shown, "sourceRevisions", Some(json!(revisions)));
    put(&mut shown, "stopTrigger", execution.stop_reason.as_ref().map(|reason| json!({"reason": reason})));
    Value::Object(shown)
}

pub(super) fn action_type(spec: &ActionSpec) -> Value {
    json!({"category": spec.category, "owner": spec.owner, "provider": spec.provider, "version": "1"})
}

pub(super) fn configuration(spec: &ActionSpec) -> Value {
    spec.configuration.iter().map(|(key, value)| (key.clone(), json!(value))).collect::<Map<_, _>>().into()
}

fn error_details(run: &ActionRun) -> Option<Value> {
    run.error.as_ref().map(|(code, message)| json!({"code": code, "message": message}))
}

fn external_url(spec: &ActionSpec, run: &ActionRun) -> Option<Value> {
    let id = run.external_id.as_ref()?;
    let project = spec.setting("ProjectName").filter(|_| !spec.is_batch())?;
    let url = format!("https://console.aws.amazon.com/codebuild/home?region={REGION}#/builds/{id}/view/new");
    (!project.is_empty()).then(|| json!(url))
}

/// An item of `ListActionExecutions`.
pub(super) fn action(pipeline: &Pipeline, execution: &Execution, run: &ActionRun) -> Value {
    let stage = &pipeline.spec.stages[run.stage];
    let spec = &stage.actions[run.action];
    let artifact = |name: String| json!([{"name": name, "s3location": {"bucket": BUCKET, "key": format!("{}/{}", spec.name, &run.id[..7])}}]);
    let is_over = run.status != ActionStatus::InProgress;
    let mut result = Map::new();
    put(&mut result, "externalExecutionId", run.external_id.as_ref().map(|id| json!(id)));
    put(&mut result, "externalExecutionSummary", run.summary.as_ref().map(|text| json!(text)));
    put(&mut result, "externalExecutionUrl", external_url(spec, run));
    put(&mut result, "errorDetails", error_details(run));
    let mut variables = Map::new();
    let mut outputs = json!([]);
    if run.status == ActionStatus::Succeeded {
        if let Some(sha) = &run.commit {
            let setting = |key| spec.setting(key).unwrap_or_default();
            variables.insert("CommitId".into(), json!(sha));
            variables.insert("CommitMessage".into(), json!(format!("Change {}", &sha[..sha.len().min(7)])));
            variables.insert("BranchName".into(), json!(setting("BranchName")));
            variables.insert("ConnectionArn".into(), json!(setting("ConnectionArn")));
            variables.insert("FullRepositoryName".into(), json!(setting("FullRepositoryId")));
            outputs = artifact(format!("{}Artifact", spec.name));
        } else if spec.category == "Build" {
            outputs = artifact(format!("{}Artifact", spec.name));
        }
    }
    let inputs = if spec.is_source() || spec.is_approval() { json!([]) } else { artifact("SourceArtifact".to_owned()) };
    let mut output = Map::new();
    put(&mut output, "outputArtifacts", Some(outputs));
    put(&mut output, "executionResult", (is_over || !result.is_empty()).then_some(Value::Object(result)));
    put(&mut output, "outputVariables", Some(Value::Object(variables)));
    let mut input = Map::new();
    put(&mut input, "actionTypeId", Some(action_type(spec)));
    put(&mut input, "configuration", Some(configuration(spec)));
    put(&mut input, "resolvedConfiguration", Some(configuration(spec)));
    put(&mut input, "region", Some(json!(REGION)));
    put(&mut input, "inputArtifacts", Some(inputs));
    put(&mut input, "namespace", spec.is_source().then(|| json!("SourceVariables")));
    json!({
        "pipelineExecutionId": execution.id,
        "actionExecutionId": run.id,
        "pipelineVersion": execution.version,
        "stageName": stage.name,
        "actionName": spec.name,
        "startTime": epoch(run.started),
        "lastUpdateTime": epoch(run.updated),
        "status": run.status.wire(),
        "input": input,
        "output": output,
    })
}

/// `GetPipelineState`. In the parallel mode a pipeline has no state, only its stages' names and transitions.
pub(super) fn state(pipeline: &Pipeline) -> Value {
    let parallel = pipeline.spec.mode == PipelineMode::Parallel;
    let stages: Vec<Value> = (0..pipeline.spec.stages.len()).map(|at| stage_state(pipeline, at, parallel)).collect();
    json!({
        "pipelineName": pipeline.spec.name,
        "pipelineVersion": pipeline.version,
        "stageStates": stages,
        "created": epoch(pipeline.created),
        "updated": epoch(pipeline.updated),
    })
}

fn stage_execution(execution: &Execution, status: StageStatus) -> Value {
    let kind = if execution.rollback_target.is_some() { "ROLLBACK" } else { "STANDARD" };
    json!({"pipelineExecutionId": execution.id, "status": status.wire(), "type": kind})
}

fn stage_state(pipeline: &Pipeline, at: usize, parallel: bool) -> Value {
    let (spec, slot) = (&pipeline.spec.stages[at], &pipeline.slots[at]);
    let mut transition = Map::new();
    put(&mut transition, "enabled", Some(json!(pipeline.is_open(at))));
    put(&mut transition, "lastChangedAt", slot.inbound.changed.map(epoch));
    let by = slot.inbound.changed.map(|_| json!(format!("arn:aws:iam::{ACCOUNT}:user/deployer")));
    put(&mut transition, "lastChangedBy", by);
    let before = at.checked_sub(1).and_then(|before| pipeline.slots[before].outbound.disabled.as_ref());
    let reason = slot.inbound.disabled.as_ref().or(before);
    put(&mut transition, "disabledReason", reason.map(|reason| json!(reason)));
    let mut shown = Map::new();
    put(&mut shown, "stageName", Some(json!(spec.name)));
    put(&mut shown, "inboundTransitionState", Some(Value::Object(transition)));
    let actions: Vec<Value> = spec
        .actions
        .iter()
        .zip(&slot.latest_runs)
        .map(|(action, latest)| action_state(pipeline, action, latest.filter(|_| !parallel)))
        .collect();
    put(&mut shown, "actionStates", Some(json!(actions)));
    if parallel {
        return Value::Object(shown);
    }
    let waiting: Vec<Value> = slot
        .waiting
        .iter()
        .map(|e| &pipeline.executions[*e])
        .filter(|execution| execution.place == Place::Before(at))
        .map(|execution| stage_execution(execution, StageStatus::InProgress))
        .collect();
    put(&mut shown, "inboundExecution", waiting.last().cloned());
    put(&mut shown, "inboundExecutions", Some(json!(waiting)));
    let latest = slot.latest.map(|e| &pipeline.executions[e]);
    let run = latest.and_then(|execution| execution.stages[at].as_ref());
    if let (Some(execution), Some(run)) = (latest, run) {
        put(&mut shown, "latestExecution", Some(stage_execution(execution, run.status)));
        let retries = json!({"manualStageRetryAttempt": run.manual_retries, "latestRetryTrigger": "ManualStageRetry"});
        put(&mut shown, "retryStageMetadata", (run.manual_retries > 0).then_some(retries));
    }
    Value::Object(shown)
}

fn action_state(pipeline: &Pipeline, spec: &ActionSpec, latest: Option<(usize, usize)>) -> Value {
    let mut shown = Map::new();
    put(&mut shown, "actionName", Some(json!(spec.name)));
    let Some(run) = latest.map(|(e, run)| &pipeline.executions[e].actions[run]) else {
        return Value::Object(shown);
    };
    if let Some(sha) = &run.commit {
        let revision = json!({"revisionId": sha, "revisionChangeId": run.id, "created": epoch(run.started)});
        put(&mut shown, "currentRevision", Some(revision));
        put(&mut shown, "revisionUrl", Some(json!(revision_url(pipeline, &spec.name, sha))));
    }
    let mut execution = Map::new();
    put(&mut execution, "actionExecutionId", Some(json!(run.id)));
    put(&mut execution, "status", Some(json!(run.status.wire())));
    put(&mut execution, "lastStatusChange", Some(epoch(run.updated)));
    let summary = run.summary.as_ref().filter(|text| !text.is_empty());
    put(&mut execution, "summary", summary.map(|text| json!(text)));
    let token = run.token.as_ref().filter(|_| run.status == ActionStatus::InProgress);
    put(&mut execution, "token", token.map(|token| json!(token)));
    put(&mut execution, "externalExecutionId", run.external_id.as_ref().map(|id| json!(id)));
    put(&mut execution, "externalExecutionUrl", external_url(spec, run));
    put(&mut execution, "errorDetails", error_details(run));
    put(&mut shown, "latestExecution", Some(Value::Object(execution)));
    Value::Object(shown)
}
