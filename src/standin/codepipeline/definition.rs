//! A pipeline's definition as the API shows it.

use serde_json::{Map, Value, json};

use super::model::Pipeline;
use super::spec::{ActionSpec, PipelineType};
use super::view::{BUCKET, action_type, configuration, put};
use crate::standin::account::{ACCOUNT, REGION};
use crate::standin::moment::epoch;

/// `GetPipeline`.
pub(super) fn show(pipeline: &Pipeline) -> Value {
    let spec = &pipeline.spec;
    let stages: Vec<Value> = spec
        .stages
        .iter()
        .map(|stage| {
            let actions: Vec<Value> = stage.actions.iter().map(declared_action).collect();
            json!({"name": stage.name, "actions": actions})
        })
        .collect();
    let mut shown = Map::new();
    put(&mut shown, "name", Some(json!(spec.name)));
    put(&mut shown, "roleArn", Some(json!(format!("arn:aws:iam::{ACCOUNT}:role/pipeline"))));
    put(&mut shown, "artifactStore", Some(json!({"type": "S3", "location": BUCKET})));
    put(&mut shown, "stages", Some(json!(stages)));
    put(&mut shown, "version", Some(json!(pipeline.version)));
    put(&mut shown, "executionMode", Some(json!(spec.mode.wire())));
    let kind = if spec.kind == PipelineType::V1 { "V1" } else { "V2" };
    put(&mut shown, "pipelineType", Some(json!(kind)));
    let variables: Vec<Value> = spec
        .variables
        .iter()
        .map(|(name, default)| match default {
            Some(default) => json!({"name": name, "defaultValue": default}),
            None => json!({"name": name}),
        })
        .collect();
    put(&mut shown, "variables", (!variables.is_empty()).then(|| json!(variables)));
    let arn = format!("arn:aws:codepipeline:{REGION}:{ACCOUNT}:{}", spec.name);
    let (created, updated) = (epoch(pipeline.created), epoch(pipeline.updated));
    json!({"pipeline": shown, "metadata": {"pipelineArn": arn, "created": created, "updated": updated}})
}

fn declared_action(spec: &ActionSpec) -> Value {
    let artifacts = |wanted: bool, name: String| if wanted { json!([{"name": name}]) } else { json!([]) };
    let makes = spec.is_source() || spec.category == "Build";
    let takes = !spec.is_source() && !spec.is_approval();
    let mut shown = Map::new();
    put(&mut shown, "name", Some(json!(spec.name)));
    put(&mut shown, "actionTypeId", Some(action_type(spec)));
    put(&mut shown, "runOrder", Some(json!(spec.run_order)));
    put(&mut shown, "configuration", Some(configuration(spec)));
    put(&mut shown, "outputArtifacts", Some(artifacts(makes, format!("{}Artifact", spec.name))));
    put(&mut shown, "inputArtifacts", Some(artifacts(takes, "SourceArtifact".to_owned())));
    put(&mut shown, "namespace", spec.is_source().then(|| json!("SourceVariables")));
    Value::Object(shown)
}
