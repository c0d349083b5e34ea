//! Builds and batches as the API shows them.

use serde_json::{Value, json};

use super::build::BuildPhase;
use super::timeline::Span;
use super::{Batch, Run};
use crate::domain::time::Timestamp;
use crate::standin::account::{ACCOUNT, REGION};
use crate::standin::json::without_nulls;
use crate::standin::moment::epoch;

/// The log group of a project.
pub(super) fn log_group(project: &str) -> String {
    format!("/aws/codebuild/{project}")
}

pub(super) fn build_arn(id: &str) -> String {
    format!("arn:aws:codebuild:{REGION}:{ACCOUNT}:build/{id}")
}

fn batch_arn(id: &str) -> String {
    format!("arn:aws:codebuild:{REGION}:{ACCOUNT}:build-batch/{id}")
}

/// The status that a build or a batch shows while it runs, and at its end.
fn status(run: &Run, is_over: bool) -> &'static str {
    if is_over { run.build.status } else { "IN_PROGRESS" }
}

fn phase(span: &Span<'_>, failed_as: &'static str, now: Timestamp) -> Value {
    let end = span.end.filter(|end| *end <= now);
    let state = if span.failed.is_some() { failed_as } else { "SUCCEEDED" };
    // Phases that a machine went through have a context even where nothing was wrong, and it is empty.
    let context = match span.failed {
        Some(failed) => Some(json!([{"statusCode": failed.code, "message": failed.message}])),
        None if span.phase >= BuildPhase::Provisioning => Some(json!([{"statusCode": "", "message": ""}])),
        None => None,
    };
    without_nulls(json!({
        "phaseType": span.phase.wire(),
        // The phase that runs has no status.
        "phaseStatus": end.map(|_| state),
        "startTime": epoch(span.start),
        "endTime": end.map(epoch),
        "durationInSeconds": end.map(|end| end.since(span.start).as_secs()),
        "contexts": end.and(context),
    }))
}

/// Where the log lies, or will lie: until there is a machine the service names no stream and links nowhere.
fn logs(run: &Run, spans: &[Span<'_>], now: Timestamp) -> Value {
    let provisioned = spans.iter().find(|span| span.phase == BuildPhase::Provisioning).and_then(|span| span.end);
    let console = format!("https://console.aws.amazon.com/cloudwatch/home?region={REGION}");
    if provisioned.is_none_or(|end| now < end) {
        return json!({
            "deepLink": format!("{console}#logEvent:group=null;stream=null"),
            "cloudWatchLogs": {"status": "ENABLED"},
        });
    }
    let (group, stream) = (log_group(&run.project), run.stream());
    let escaped = group.replace('/', "$252F");
    json!({
        "groupName": group,
        "streamName": stream,
        "deepLink": format!("{console}#logsV2:log-groups/log-group/{escaped}/log-events/{stream}"),
        "cloudWatchLogsArn": format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:log-stream:{stream}"),
        "cloudWatchLogs": {"status": "ENABLED"},
    })
}

pub(super) fn build(run: &Run, now: Timestamp) -> Value {
    let spans = run.build.spans(run.started);
    let begun: Vec<_> = spans.iter().filter(|span| span.start <= now).collect();
    let current = begun.last().map_or(BuildPhase::Submitted, |span| span.phase);
    let is_over = current == BuildPhase::Completed;
    let downloaded = begun.iter().any(|span| span.phase > BuildPhase::DownloadSource);
    without_nulls(json!({
        "id": run.id,
        "arn": build_arn(&run.id),
        "buildNumber": run.number,
        "startTime": epoch(run.started),
        "endTime": is_over.then(|| begun.last().map(|span| epoch(span.start))),
        "currentPhase": current.wire(),
        "buildStatus": status(run, is_over),
        "sourceVersion": run.source_version(),
        "resolvedSourceVersion": run.commit.as_ref().filter(|_| downloaded),
        "projectName": run.project,
        "phases": begun.iter().map(|span| phase(span, run.build.status, now)).collect::<Vec<_>>(),
        "source": {"type": "CODEPIPELINE"},
        "artifacts": {"location": "codepipeline-us-east-1-artifacts"},
        "logs": logs(run, &spans, now),
        "timeoutInMinutes": 60,
        "queuedTimeoutInMinutes": 480,
        "buildComplete": is_over,
        "initiator": run.initiator,
        "buildBatchArn": run.batch.as_deref().map(batch_arn),
    }))
}

/// A batch's phases: from when until when, and how each ended.
fn batch_phases(batch: &Batch, now: Timestamp) -> Vec<Value> {
    let run = &batch.run;
    let spans = run.build.spans(run.started);
    let over = spans.iter().find(|span| span.phase == BuildPhase::Completed).map(|span| span.start);
    let steps = [("SUBMITTED", run.started, Some(batch.read)), ("DOWNLOAD_BATCHSPEC", batch.read, Some(batch.begun))];
    let last = match run.build.status {
        "SUCCEEDED" => "SUCCEEDED",
        "STOPPED" => "STOPPED",
        _ => "FAILED",
    };
    let steps = steps.into_iter().chain([("IN_PROGRESS", batch.begun, over)]);
    let steps = steps.chain(over.map(|at| (last, at, None)));
    steps
        .filter(|(_, start, _)| *start <= now)
        .map(|(kind, start, end)| {
            let end = end.filter(|end| *end <= now);
            let status = if kind == "IN_PROGRESS" { run.build.status } else { "SUCCEEDED" };
            without_nulls(json!({
                "phaseType": kind,
                "phaseStatus": end.map(|_| status),
                "startTime": epoch(start),
                "endTime": end.map(epoch),
                "durationInSeconds": end.map(|end| end.since(start).as_secs()),
            }))
        })
        .collect()
}

pub(super) fn batch(batch: &Batch, groups: &[(&str, &Run)], now: Timestamp) -> Value {
    let run = &batch.run;
    let phases = batch_phases(batch, now);
    let current = phases.last().map_or(json!("SUBMITTED"), |phase| phase["phaseType"].clone());
    let over = ["SUCCEEDED", "FAILED", "STOPPED"].iter().any(|last| current == *last);
    let group = |(identifier, member): &(&str, &Run)| {
        let shown = build(member, now);
        let summary = (now >= batch.begun).then(|| {
            json!({
                "arn": shown["arn"],
                "requestedOn": epoch(member.started),
                "buildStatus": shown["buildStatus"],
                "primaryArtifact": {"type": "CODEPIPELINE", "identifier": identifier},
                "secondaryArtifacts": [],
            })
        });
        json!({"identifier": identifier, "dependsOn": [], "ignoreFailure": false, "currentBuildSummary": summary})
    };
    without_nulls(json!({
        "id": run.id,
        "arn": batch_arn(&run.id),
        "startTime": epoch(run.started),
        "endTime": over.then(|| phases.last().map(|phase| phase["startTime"].clone())),
        "currentPhase": current,
        "buildBatchStatus": status(run, over),
        "sourceVersion": run.source_version(),
        "resolvedSourceVersion": run.commit.as_ref().filter(|_| now >= batch.begun),
        "projectName": run.project,
        "phases": phases,
        "source": {"type": "CODEPIPELINE"},
        "complete": over,
        "initiator": run.initiator,
        "buildBatchNumber": run.number,
        "buildGroups": groups.iter().map(group).collect::<Vec<_>>(),
    }))
}
