//! Every file in `events/` is what it says: the webhook and the worker take it as its name tells.

#![allow(clippy::unwrap_used)] // A test ends where something is not as it must be.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use common::Scene;
use pipehook::local::QUEUE;
use pipehook::standin::PipelineSpec;
use serde_json::Value;

const ROUTES: &str = r#"
[[route]]
repository = "octo-org/node-server"
tags = ["v*"]
pull_requests = true
pipeline = "node-server"
"#;

/// The plain files of `events/`, by name.
fn files() -> BTreeMap<String, String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("events");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let json = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    json.map(|path| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(path).unwrap())
    })
    .collect()
}

async fn scene() -> Scene {
    Scene::with(ROUTES, PipelineSpec::classic("node-server", "octo-org/node-server")).await
}

/// The Lambda envelopes of these files are run by the emulator's test, which has the functions' own runtime.
fn is_envelope(name: &str) -> bool {
    ["function-url-", "api-gateway-", "alb-"].iter().any(|prefix| name.starts_with(prefix))
}

#[tokio::test]
async fn every_delivery_gets_its_decision() {
    let mut decisions = String::new();
    for (name, text) in files() {
        let event = match name.as_str() {
            push if push.starts_with("push-") => "push",
            pull if pull.starts_with("pull-request-") => "pull_request",
            "ping" => "ping",
            _ => continue,
        };
        let scene = scene().await;
        let response = scene.local.deliver("d", event, &text, common::SECRET).await;
        let answer: Value = serde_json::from_str(response.body()).unwrap();
        let decision = &answer["decisions"][0];
        let what = |key: &str| decision[key].as_str().unwrap_or_default().to_owned();
        decisions += &format!(
            "{name}: {} {} {} {}\n",
            response.status().as_u16(),
            what("decision"),
            what("commit"),
            what("reason")
        );
    }
    insta::assert_snapshot!(decisions, @"
    ping: 202 ignored  ping: the webhook is set up
    pull-request-from-fork: 202 ignored  #43 comes from a fork, and forks never start a pipeline
    pull-request-opened: 202 queued 57fedb6b59f8ab7aea2110cb1c79bcdd2d36a2b9 a route takes refs/heads/graceful-stop of octo-org/node-server
    push-annotated-tag: 202 queued bd917fddb27d4bb62a8f4a84b88c71d0a1d06b63 a route takes refs/tags/v1.1.0 of octo-org/node-server
    push-deletion: 202 ignored  refs/heads/graceful-stop was deleted
    push-force: 202 ignored  the route to node-server does not take branch graceful-stop
    push-main: 202 queued 5de842ee48eb9be41073b2d5ca4b32f163b11761 a route takes refs/heads/main of octo-org/node-server
    push-new-branch: 202 ignored  the route to node-server does not take branch graceful-stop
    push-tag: 202 queued 5de842ee48eb9be41073b2d5ca4b32f163b11761 a route takes refs/tags/v1.0.0 of octo-org/node-server
    ");
}

#[tokio::test]
async fn every_event_of_codepipeline_makes_the_worker_look() {
    let mut looked = 0;
    for (name, text) in files().into_iter().filter(|(name, _)| name.starts_with("codepipeline-")) {
        let scene = scene().await;
        let now = scene.now();
        scene.local.world().queues().inject(now, QUEUE, &text);
        scene.run_for(std::time::Duration::from_secs(5)).await;
        assert!(scene.calls("GetPipelineExecution") > 0, "{name}");
        looked += 1;
    }
    assert!(looked >= 3);
}

#[tokio::test]
async fn every_batch_is_one_that_the_worker_takes() {
    for (name, text) in files().into_iter().filter(|(name, _)| name.starts_with("sqs-")) {
        let scene = scene().await;
        let batch: Value = serde_json::from_str(&text).unwrap();
        let event = serde_json::from_value(batch).unwrap();
        let response = scene.local.worker.handle(event, std::time::Duration::from_secs(30)).await;
        assert!(response.batch_item_failures.is_empty(), "{name}");
        assert!(scene.journal_len() > 0, "{name} does nothing");
    }
}

#[test]
fn no_file_is_left_out() {
    let covered = |name: &str| {
        let plain = ["push-", "pull-request-", "codepipeline-", "sqs-"].iter().any(|prefix| name.starts_with(prefix));
        plain || name == "ping" || is_envelope(name)
    };
    let left_out: Vec<_> = files().into_keys().filter(|name| !covered(name)).collect();
    assert_eq!(left_out, Vec::<String>::new());
}

/// The start message among the samples is the one that the webhook makes of the sample push.
#[tokio::test]
async fn the_sampled_start_message_is_the_webhooks() {
    let scene = scene().await;
    let files = files();
    scene.local.deliver("b4d5", "push", &files["push-main"], common::SECRET).await;
    let made: Value = serde_json::from_str(&scene.local.world().queues().bodies(QUEUE)[0]).unwrap();
    let batch: Value = serde_json::from_str(&files["sqs-start"]).unwrap();
    let sampled: Value = serde_json::from_str(batch["Records"][0]["body"].as_str().unwrap()).unwrap();
    for field in ["job", "pipeline", "repository", "commit", "ref", "source_action", "token", "options"] {
        assert_eq!(made[field], sampled[field], "{field}");
    }
}
