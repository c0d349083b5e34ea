//! What following a run costs in calls, and that no story is loud. ARCHITECTURE.md holds the table that this prints.

#![allow(clippy::unwrap_used)] // A test ends where something is not as it must be.

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{Scene, classic, with_approval};
use pipehook::local::sample;
use pipehook::standin::{Answered, Cause, Outcome, Rollout, Script};

/// A line of the table: the calls of the worker while a story was told, and the most statuses of one context.
fn line(story: &str, scene: &Scene) -> String {
    let mut calls: BTreeMap<&str, usize> = BTreeMap::new();
    let mut world = scene.local.world();
    for call in world.journal().iter().filter(|call| call.caller.as_deref() != Some("webhook")) {
        let kind = match (call.service, call.operation.starts_with("GET")) {
            ("github", true) => "GitHub reads",
            ("github", false) => "GitHub writes",
            ("codepipeline" | "codebuild" | "ecs" | "sqs", _) => call.service,
            _ => "others",
        };
        *calls.entry(kind).or_default() += 1;
    }
    let (posted, _) = world.github().posted_since(0);
    let mut contexts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for posted in posted {
        *contexts.entry((&posted.sha, &posted.status.context)).or_default() += 1;
    }
    let most = |is_stage: bool| {
        let of_kind = contexts.iter().filter(|((_, context), _)| (context.matches('/').count() > 1) == is_stage);
        of_kind.map(|(_, posts)| *posts).max().unwrap_or_default()
    };
    let of = |kind: &str| calls.get(kind).copied().unwrap_or_default();
    let counted = ["codepipeline", "codebuild", "ecs", "others", "sqs", "GitHub reads", "GitHub writes"].map(of);
    let counted: Vec<String> = counted.iter().map(ToString::to_string).collect();
    format!("| {story} | {} | {} | {} |", counted.join(" | "), most(true), most(false))
}

#[tokio::test]
async fn every_story_costs_what_the_architecture_says() {
    let mut lines = vec![
        "| story | CodePipeline | CodeBuild | ECS | other AWS | SQS | GitHub reads | GitHub writes | most of a stage | most of a run |"
            .to_owned(),
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |".to_owned(),
    ];

    let scene = Scene::new().await;
    scene.push("Answer health checks").await;
    scene.run().await;
    lines.push(line("success, 4 minutes", &scene));

    let scene = Scene::new().await;
    let failing = Script::new().on("Build", "Build", Outcome::fail(45, "JobFailed", "exit status 1 (make test)"));
    scene.local.world().pipelines().script(sample::PIPELINE, failing);
    scene.push("Rewrite the router").await;
    scene.run().await;
    lines.push(line("failure, 1 minute", &scene));

    let scene = Scene::new().await;
    for message in ["One", "Two", "Three"] {
        scene.push(message).await;
        scene.run_for(Duration::from_secs(20)).await;
    }
    scene.run().await;
    lines.push(line("superseded, three runs in 6 minutes", &scene));

    let scene = Scene::new().await;
    let rollout = Rollout::fails(120, Cause::ImageNotFound).rolls_back_in(40).action_times_out(30);
    scene.local.world().pipelines().script(sample::PIPELINE, Script::new().on("Staging", "Deploy", rollout));
    scene.push("Forget to push the image").await;
    scene.run().await;
    lines.push(line("rollback, the action goes on for 30 minutes", &scene));

    let routes = format!("{}stop_failed_rollout = true\n", sample::ROUTES);
    let scene = Scene::with(&routes, classic()).await;
    let rollout = Rollout::fails(120, Cause::ImageNotFound).rolls_back_in(40).action_times_out(30);
    scene.local.world().pipelines().script(sample::PIPELINE, Script::new().on("Staging", "Deploy", rollout));
    scene.push("Forget to push the image").await;
    scene.run().await;
    lines.push(line("the same, stopped by `stop_failed_rollout`", &scene));

    let scene = Scene::with(sample::ROUTES, with_approval()).await;
    scene.push("Release it").await;
    scene.run_for(Duration::from_secs(3600)).await;
    let (now, execution) = (scene.now(), scene.newest_execution());
    assert!(scene.local.world().pipelines().answer_approval(now, &execution, Answered::Approved, "looks good"));
    scene.run().await;
    lines.push(line("approval, given after an hour", &scene));

    let scene = Scene::as_app(sample::ROUTES, classic()).await;
    scene.push("Answer health checks").await;
    scene.run().await;
    lines.push(line("success, as check runs", &scene));

    let table = lines.join("\n");
    for line in &lines[2..] {
        let most = line.trim_matches('|').rsplit('|').take(2).map(|n| n.trim().parse::<usize>().unwrap());
        assert!(most.max() <= Some(4), "{line}");
    }
    let architecture = include_str!("../ARCHITECTURE.md");
    assert!(architecture.contains(&table), "ARCHITECTURE.md does not hold this table:\n{table}");
}
