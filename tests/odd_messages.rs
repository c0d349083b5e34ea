//! Whatever lies on the queue: the worker does what it can make of it, or leaves it to the dead-letter queue, and no other
//! message is hurt.

#![allow(clippy::unwrap_used)] // A test ends where something is not as it must be.

mod common;

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::Scene;
use pipehook::local::QUEUE;
use pipehook::local::sample;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::FileFailurePersistence;
use serde_json::{Value, json};

/// The worker catches what panics, so that the other messages go on; here it counts.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// A message of each kind as it may really come, and an event.
fn right() -> Vec<Value> {
    let start = json!({
        "pipeline": sample::PIPELINE, "repository": sample::REPOSITORY, "commit": "a1".repeat(20),
        "ref": "refs/heads/main", "source_action": "Source", "variables": [["A", "b"]], "token": "pipehook-0123",
        "options": { "superseded": "error", "environment": "staging", "stop_failed_rollout": true },
    });
    let follow = json!({
        "pipeline": sample::PIPELINE, "execution": "x1", "repository": sample::REPOSITORY, "commit": "a1".repeat(20),
        "since": 1_769_292_000_000_u64, "push": "0123",
        "reported": [{ "commit": "a1".repeat(20), "context": "codepipeline/node-server", "state": "pending", "description": "Queued" }],
        "rollouts": [{ "stage": "Staging", "action": "Deploy", "started": 1, "service": "node-server", "progress": "failed" }],
    });
    let look = json!({ "pipeline": sample::PIPELINE, "execution": "x1", "since": 1_769_292_000_000_u64 });
    let skip = json!({
        "pipeline": sample::PIPELINE, "repository": sample::REPOSITORY, "commit": "a1".repeat(20), "reason": "no file changed",
    });
    let press = json!({
        "actor": "octocat", "pressed": "rerun", "check_run": 1, "name": "codepipeline/node-server", "completed": "", "start": start,
    });
    let of = |job: &str, fields: &Value| {
        let mut message = json!({ "delivery": "d", "first_sent": 1_769_292_000_000_u64, "job": job });
        message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        message
    };
    let retried = |mut message: Value| {
        message["retry"] = json!({ "tries": 3, "since": 1_769_292_000_000_u64, "not_before": 1_769_292_060_000_u64 });
        message
    };
    vec![
        of("start", &start),
        retried(of("start", &start)),
        of("follow", &follow),
        retried(of("follow", &follow)),
        of("look", &look),
        of("skip", &skip),
        of("press", &press),
        json!({
            "source": "aws.codepipeline", "detail-type": "CodePipeline Stage Execution State Change",
            "detail": { "pipeline": sample::PIPELINE, "execution-id": "x1", "state": "STARTED" },
        }),
    ]
}

fn odd() -> impl Strategy<Value = Value> {
    let known = vec![
        json!(null),
        json!(""),
        json!("0"),
        json!(0),
        json!(u32::MAX),
        json!(u64::MAX),
        json!(-1),
        json!(1e300),
        json!([]),
        json!({}),
        json!(true),
        json!("another/repository"),
        json!("refs/tags/v1"),
        json!("follow"),
    ];
    prop_oneof![3 => select(known), 1 => "\\PC{0,20}".prop_map(Value::from)]
}

/// The paths of all that a message holds.
fn paths(value: &Value, at: &str, found: &mut Vec<String>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in inner {
        let path = format!("{at}/{name}");
        paths(value, &path, found);
        found.push(path);
    }
}

/// A message with some of its fields turned into something else.
fn message() -> impl Strategy<Value = String> {
    let changed =
        (select(right()), vec((any::<prop::sample::Index>(), odd()), 0..3)).prop_map(|(mut message, changes)| {
            for (which, odd) in changes {
                let mut found = Vec::new();
                paths(&message, "", &mut found);
                *message.pointer_mut(&found[which.index(found.len())]).unwrap() = odd;
            }
            message.to_string()
        });
    prop_oneof![9 => changed, 1 => "\\PC{0,40}"]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_lies_on_the_queue_the_worker_goes_on(bodies in vec(message(), 1..8)) {
        panic::set_hook(Box::new(|_| {
            PANICS.fetch_add(1, Ordering::Relaxed);
        }));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (shown, left) = runtime.block_on(async {
            let scene = Scene::new().await.of_odd_messages();
            let now = scene.now();
            for body in &bodies {
                scene.local.world().queues().inject(now, QUEUE, body);
            }
            let sha = scene.push("Say hello").await;
            scene.run().await;
            (scene.shows(&sha), scene.local.world().queues().bodies(QUEUE))
        });
        prop_assert_eq!(PANICS.swap(0, Ordering::Relaxed), 0, "the worker panicked");
        prop_assert!(shown.contains("success: Deployed"), "{shown}");
        prop_assert_eq!(left, Vec::<String>::new());
    }
}
