//! The promises, under what goes wrong: duplicates, crashes, late workers, lost events, outages.

#![allow(clippy::unwrap_used)] // A test ends where something is not as it must be.

mod common;

use std::time::Duration;

use common::{SECRET, Scene, with_approval};
use http::StatusCode;
use pipehook::domain::event::{CommitSha, RepositoryName};
use pipehook::domain::report::{Report, State};
use pipehook::github::GitHub;
use pipehook::github::transport::Transport;
use pipehook::local::{DEAD_LETTERS, QUEUE, sample};
use pipehook::standin::{EventFault, Fault, Outcome, Permission, PipelineSpec, Release, Script, When};

const EXECUTION: &str = "codepipeline/node-server";

const HOUR: Duration = Duration::from_secs(3600);

/// Promise 1: 202 means that it is on the queue.
#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_durable() {
    let scene = Scene::new().await;
    scene.local.world().faults().add("sqs", "SendMessage", When::Always, Fault::ServerError);
    let response = scene.deliver("push", &sample::push("main", "Say hello", &["a"])).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    insta::assert_snapshot!(response.body(), @r#"{"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0000","error":"the queue did not take the message; redeliver later"}"#);
    scene.local.world().faults().clear();
    let sha = scene.push("Say hello").await;
    scene.run().await;
    assert_eq!(scene.executions(), [(sha, "Succeeded")]);
}

/// Promise 1: retried through outages of up to a day.
#[tokio::test]
async fn a_push_outlives_an_outage_of_codepipeline() {
    let scene = Scene::new().await;
    let now = scene.now();
    let outage = When::Between(now, now + 20 * HOUR);
    scene.local.world().faults().add("codepipeline", "*", outage, Fault::ServerError);
    let sha = scene.push("Say hello").await;
    scene.run_for(HOUR).await;
    insta::assert_snapshot!(scene.shows(&sha), @"codepipeline/node-server pending: Queued: CodePipeline can't start it yet; tried again until it does");
    scene.run().await;
    scene.assert_truth();
    assert_eq!(scene.executions(), [(sha, "Succeeded")]);
}

#[tokio::test]
async fn a_push_outlives_an_outage_of_github() {
    let scene = Scene::new().await;
    let now = scene.now();
    scene.local.world().faults().add("github", "*", When::Between(now, now + 20 * HOUR), Fault::BadGateway);
    let sha = scene.push("Say hello").await;
    scene.run().await;
    scene.assert_truth();
    assert_eq!(scene.executions(), [(sha, "Succeeded")]);
}

/// Promise 1: after a day it lies in the dead-letter queue, from where a redrive resumes it.
#[tokio::test]
async fn after_a_day_a_redrive_resumes_it() {
    let scene = Scene::new().await;
    scene.local.world().faults().add("codepipeline", "*", When::Always, Fault::Throttle);
    let sha = scene.push("Say hello").await;
    scene.run().await;
    assert_eq!(scene.dead_letters().len(), 1);
    assert_eq!(scene.executions(), []);
    insta::assert_snapshot!(scene.shows(&sha), @"codepipeline/node-server error: Given up after a day of failures; redrive pipehook's dead-letter queue to go on");
    scene.local.world().faults().clear();
    let now = scene.now();
    assert_eq!(scene.local.world().queues().redrive(now, DEAD_LETTERS), 1);
    scene.run().await;
    scene.assert_truth();
    assert_eq!(scene.executions(), [(sha, "Succeeded")]);
}

/// Promise 2: the token comes from the signed body and the pipeline.
#[tokio::test]
async fn a_push_that_is_delivered_again_starts_nothing_more() {
    let scene = Scene::new().await;
    let payload = sample::push("main", "Say hello", &["a"]).to_string();
    for delivery in ["72d3162e-cc78-11e3-81ab-4c9367dc0958", "72d3162e-cc78-11e3-81ab-4c9367dc0958", "another", ""] {
        let response = scene.local.deliver(delivery, "push", &payload, SECRET).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        scene.run_for(Duration::from_secs(45)).await;
    }
    scene.run().await;
    let late = scene.local.deliver("a-day-later", "push", &payload, SECRET).await;
    assert_eq!(late.status(), StatusCode::ACCEPTED);
    scene.run().await;
    assert_eq!(scene.executions().len(), 1);
    scene.assert_truth();
}

/// Promise 4: a push whose start was cut short is followed, though somebody has it delivered again, and both come in one
/// batch.
#[tokio::test]
async fn a_start_that_was_cut_short_is_followed_though_its_push_is_delivered_again() {
    let scene = Scene::new().await;
    let fails = Script::new().on("Source", "Source", Outcome::fail(8, "JobFailed", "no such branch"));
    scene.local.world().pipelines().script(sample::PIPELINE, fails);
    scene.local.world().faults().events(When::Always, EventFault::Drop);
    let payload = sample::push("main", "Say hello", &["a"]);
    scene.deliver("push", &payload).await;
    scene.local.world().faults().add("sqs", "SendMessage", When::Always, Fault::ServerError);
    assert!(scene.handle_one_batch().await);
    scene.local.world().faults().clear();
    scene.local.world().faults().events(When::Always, EventFault::Drop);
    assert_eq!(scene.follow_messages(), Vec::<String>::new());
    scene.deliver("push", &payload).await;
    scene.wait(Duration::from_secs(200));
    scene.run().await;
    assert_eq!(scene.executions().len(), 1);
    scene.assert_truth();
}

/// Promise 4: a run that nobody followed is told by a redrive, also where AWS does not say which commit it was about.
#[tokio::test]
async fn a_run_whose_source_failed_is_told_by_a_redrive() {
    let scene = Scene::new().await;
    let fails = Script::new().on("Source", "Source", Outcome::fail(8, "JobFailed", "no such branch"));
    scene.local.world().pipelines().script(sample::PIPELINE, fails);
    scene.local.world().faults().events(When::Always, EventFault::Drop);
    let sha = scene.push("Say hello").await;
    scene.local.world().faults().add("sqs", "SendMessage", When::Always, Fault::AccessDenied);
    assert!(scene.handle_one_batch().await);
    scene.local.world().faults().add("github", "*", When::Always, Fault::Throttle);
    scene.run().await;
    assert_eq!(scene.dead_letters().len(), 1);
    assert!(scene.shows(&sha).contains("codepipeline/node-server pending: Source in progress"));
    scene.local.world().faults().clear();
    scene.local.world().faults().events(When::Always, EventFault::Drop);
    let now = scene.now();
    assert_eq!(scene.local.world().queues().redrive(now, DEAD_LETTERS), 1);
    scene.run().await;
    assert_eq!(scene.executions().len(), 1);
    scene.assert_truth();
}

#[tokio::test]
async fn two_pushes_of_one_commit_to_two_refs_are_two_pushes() {
    let scene = Scene::new().await;
    scene.push("Release").await;
    scene.run().await;
    scene.deliver("push", &sample::push_to("refs/tags/v1", "Release", &[])).await;
    scene.run().await;
    assert_eq!(scene.executions().len(), 2);
    scene.assert_truth();
}

/// Promise 2: CodePipeline does not say for how long it remembers a token, so pipehook does not depend on it.
#[tokio::test]
async fn a_push_that_is_delivered_again_after_the_token_was_forgotten_starts_nothing_more() {
    let scene = Scene::new().await;
    let payload = sample::push("main", "Say hello", &["a"]).to_string();
    for _ in 0..3 {
        let response = scene.local.deliver("d", "push", &payload, SECRET).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        scene.run_for(Duration::from_secs(100)).await;
        scene.local.world().pipelines().forget_tokens();
    }
    scene.run().await;
    assert_eq!(scene.executions().len(), 1);
    scene.assert_truth();
}

/// Promises 1 and 2: a start that is tried again looks for its own execution, and not for another push's.
#[tokio::test]
async fn pushes_of_one_commit_to_two_refs_at_once_are_two_pushes_even_if_one_is_tried_again() {
    for fault in [Fault::Throttle, Fault::LostAfter] {
        let scene = Scene::new().await;
        scene.local.world().faults().add("codepipeline", "StartPipelineExecution", When::Nth(2), fault);
        scene.local.world().faults().add("codepipeline", "StartPipelineExecution", When::Nth(3), fault);
        scene.local.world().faults().add("codepipeline", "StartPipelineExecution", When::Nth(4), fault);
        scene.push("Release").await;
        scene.deliver("push", &sample::push_to("refs/tags/v1", "Release", &[])).await;
        scene.run().await;
        assert_eq!(scene.executions().len(), 2, "{fault:?}");
        scene.assert_truth();
    }
}

/// Promise 2: SQS delivers at least once, in any order.
#[tokio::test]
async fn messages_that_come_twice_and_out_of_order_change_nothing() {
    let scene = Scene::new().await;
    scene.local.world().queues().shuffle(true);
    for message in ["One", "Two"] {
        scene.local.world().queues().deliver_twice(QUEUE, 3);
        scene.push(message).await;
        scene.run().await;
    }
    assert_eq!(scene.executions().len(), 2);
    scene.assert_truth();
}

/// Promise 2: the answer of the start is lost, its effect is not.
#[tokio::test]
async fn a_start_whose_answer_is_lost_is_not_started_again() {
    for lost in [1, 3, 7] {
        let scene = Scene::new().await;
        scene.local.world().faults().next("codepipeline", "StartPipelineExecution", lost, Fault::LostAfter);
        scene.push("Say hello").await;
        scene.run().await;
        assert_eq!(scene.executions().len(), 1, "{lost} answers lost");
        scene.assert_truth();
    }
}

/// Promise 3: what is read is of this execution, whatever the pipeline does otherwise.
#[tokio::test]
async fn each_commit_has_the_state_of_its_own_execution() {
    let scene = Scene::new().await;
    let broken = sample::sha("Break it");
    let failing = Script::new().on("Build", "Build", Outcome::fail(40, "JobFailed", "exit status 1"));
    scene.local.world().pipelines().script_commit(sample::PIPELINE, &broken, failing);
    for message in ["One", "Break it", "Three"] {
        scene.push(message).await;
        scene.run_for(Duration::from_secs(110)).await;
    }
    scene.run().await;
    scene.assert_truth();
    assert!(scene.shows(&broken).contains("codepipeline/node-server failure: Build failed"));
}

/// Promise 4: a worker that dies between any two of its calls loses nothing and starts nothing twice.
#[tokio::test]
async fn a_crash_at_any_call_changes_nothing_in_the_end() {
    let mut crashes = 0;
    for n in 1.. {
        let scene = Scene::new().await;
        let short = Script::new().on("Build", "Build", Outcome::succeed(8)).on(
            "Staging",
            "Deploy",
            Outcome::fail(8, "JobFailed", "no capacity"),
        );
        scene.local.world().pipelines().script(sample::PIPELINE, short);
        scene.push("Say hello").await;
        let has_died = scene.run_and_crash_at_call(n).await;
        assert_eq!(scene.executions().len(), 1, "crash at call {n}");
        scene.assert_truth();
        assert_eq!(scene.dead_letters(), Vec::<String>::new(), "crash at call {n}");
        if !has_died {
            break;
        }
        crashes += 1;
    }
    assert!(crashes > 30, "{crashes} crashes");
}

/// In front of a stage that is occupied, while the next commit comes into the stage that it has left.
#[tokio::test]
async fn what_a_waiting_run_has_left_behind_stays_a_success() {
    let scene = Scene::with(sample::ROUTES, with_approval()).await;
    scene.push("One").await;
    scene.run_for(Duration::from_secs(180)).await;
    let waiting = scene.push("Two").await;
    scene.run_for(Duration::from_secs(110)).await;
    assert!(scene.shows(&waiting).contains("Build success"), "{}", scene.shows(&waiting));
    scene.push("Three").await;
    for _ in 0..8 {
        scene.run_for(Duration::from_secs(10)).await;
        assert!(scene.shows(&waiting).contains("Build success"), "{}", scene.shows(&waiting));
    }
    scene.run_for(Duration::from_secs(60)).await;
    assert!(scene.shows(&waiting).contains("node-server error: Superseded by"), "{}", scene.shows(&waiting));
}

/// A run that builds for an hour, so many seconds after its push.
async fn in_a_long_build(seconds: u64) -> Scene {
    let scene = Scene::new().await;
    let long = Script::new().on("Build", "Build", Outcome::succeed(3600));
    scene.local.world().pipelines().script(sample::PIPELINE, long);
    scene.push("Say hello").await;
    scene.run_for(Duration::from_secs(seconds)).await;
    scene
}

/// Chains of wake-ups that were doubled become one again.
#[tokio::test]
async fn doubled_wake_ups_meet_and_become_one() {
    let scene = in_a_long_build(60).await;
    scene.local.world().queues().deliver_twice(QUEUE, 3);
    scene.run_for(Duration::from_secs(30)).await;
    let follow = scene.follow_messages().remove(0);
    let now = scene.now();
    for late in [3, 5, 8] {
        scene.local.world().queues().inject_after(now, QUEUE, &follow, Duration::from_secs(late));
    }
    assert_eq!(scene.follow_messages().len(), 4);
    scene.run_for(Duration::from_secs(120)).await;
    assert_eq!(scene.follow_messages().len(), 1);
    scene.run().await;
    scene.assert_truth();
}

/// The same where no two of them are ever in one batch.
#[tokio::test]
async fn doubled_wake_ups_that_come_one_by_one_become_one() {
    let scene = in_a_long_build(90).await;
    let follow = scene.follow_messages().remove(0);
    scene.wait_for_a_message();
    let now = scene.now();
    for late in [100, 300, 700] {
        scene.local.world().queues().inject_after(now, QUEUE, &follow, Duration::from_millis(late));
    }
    let before = scene.calls("GetPipelineExecution");
    scene.run_for(Duration::from_secs(2)).await;
    assert_eq!(scene.calls("GetPipelineExecution"), before + 1);
    assert_eq!(scene.follow_messages().len(), 1);
    scene.run().await;
    scene.assert_truth();
}

/// The same while CodePipeline is out, where no try comes to an end that the others could meet: of a start, and of a run.
#[tokio::test]
async fn doubles_in_an_outage_become_one() {
    for pushed_before in [0, 90] {
        let scene = Scene::new().await;
        let out = When::Between(scene.now() + Duration::from_secs(pushed_before), scene.now() + 8 * HOUR);
        scene.local.world().faults().add("codepipeline", "*", out, Fault::ServerError);
        scene.local.world().faults().events(When::Always, EventFault::Drop);
        let sha = scene.push("Say hello").await;
        scene.run_for(Duration::from_secs(pushed_before + 30)).await;
        let waits = || scene.local.world().queues().bodies(QUEUE);
        let message = waits().remove(0);
        let now = scene.now();
        for late in [2, 15, 40, 90, 300] {
            scene.local.world().queues().inject_after(now, QUEUE, &message, Duration::from_secs(late));
        }
        scene.run_for(Duration::from_secs(1800)).await;
        assert_eq!(waits().len(), 1, "{:?}", waits());
        scene.run().await;
        scene.assert_truth();
        assert_eq!(scene.executions(), [(sha, "Succeeded")]);
    }
}

/// The same while SQS takes no message: nothing is sent on that could end them.
#[tokio::test]
async fn doubles_that_come_again_and_again_are_looked_at_as_one() {
    let scene = in_a_long_build(90).await;
    let follow = scene.follow_messages().remove(0);
    scene.wait_for_a_message();
    let now = scene.now();
    let out = When::Between(now, now + Duration::from_secs(1200));
    scene.local.world().faults().add("sqs", "SendMessage", out, Fault::LostBefore);
    for late in [100, 1500, 3000, 4500] {
        scene.local.world().queues().inject_after(now, QUEUE, &follow, Duration::from_millis(late));
    }
    let before = scene.calls("GetPipelineExecution");
    scene.run_for(Duration::from_secs(1200)).await;
    // One is received five times. The others are looked at once at most, where a later one goes first.
    let looks = scene.calls("GetPipelineExecution") - before;
    assert!((5..10).contains(&looks), "{looks} looks");
    assert_eq!(scene.dead_letters().len(), 1);
    scene.run().await;
    scene.assert_truth();
}

/// What is in the dead-letter queue is all that was to follow the run, which GitHub shows as pending.
#[tokio::test]
async fn a_redriven_start_follows_the_run_that_it_had_started() {
    let scene = Scene::new().await;
    let long = Script::new().on("Build", "Build", Outcome::succeed(3600));
    scene.local.world().pipelines().script(sample::PIPELINE, long);
    scene.local.world().faults().events(When::Always, EventFault::Drop);
    let sha = scene.push("Say hello").await;
    let out = When::Between(scene.now(), scene.now() + Duration::from_secs(1200));
    scene.local.world().faults().add("sqs", "SendMessage", out, Fault::ServerError);
    scene.run_for(Duration::from_secs(1500)).await;
    assert_eq!(scene.dead_letters().len(), 1);
    let now = scene.now();
    assert_eq!(scene.local.world().queues().redrive(now, DEAD_LETTERS), 1);
    scene.run().await;
    scene.assert_truth();
    assert_eq!(scene.executions(), [(sha, "Succeeded")]);
}

/// Who goes on for an older double and its successor is no double to the process that has sent the successor on.
#[tokio::test]
async fn wake_ups_that_became_one_are_heard_by_every_process() {
    let scene = in_a_long_build(90).await;
    let older = scene.follow_messages().remove(0);
    let another = scene.local.another_worker();
    scene.wait_for_a_message();
    for _ in 0..2 {
        assert!(scene.handle_one_batch_by(&another).await);
        scene.wait_for_a_message();
    }
    let now = scene.now();
    assert!(scene.handle_one_batch_by(&another).await);
    scene.local.world().queues().inject(now, QUEUE, &older);
    scene.wait(Duration::from_secs(15));
    assert_eq!(scene.local.world().queues().visible(scene.now(), QUEUE).len(), 2);
    assert!(scene.handle_one_batch().await);
    scene.wait_for_a_message();
    let before = scene.calls("GetPipelineExecution");
    assert!(scene.handle_one_batch_by(&another).await);
    assert_eq!(scene.calls("GetPipelineExecution"), before + 1);
    assert_eq!(scene.follow_messages().len(), 1);
    scene.run().await;
    scene.assert_truth();
}

/// The same for an execution that was adopted: nothing but its chain would look again.
#[tokio::test]
async fn a_crash_while_an_execution_is_adopted_changes_nothing_in_the_end() {
    for n in 1.. {
        let scene = Scene::new().await;
        let sha = sample::sha("By hand");
        let now = scene.now();
        let short =
            Script::new().on("Build", "Build", Outcome::succeed(8)).on("Staging", "Deploy", Outcome::succeed(8));
        scene.local.world().pipelines().script(sample::PIPELINE, short);
        scene.local.world().pipelines().set_head(sample::PIPELINE, &sha);
        let released = Release::StartPipelineExecution;
        scene.local.world().pipelines().release_change(now, sample::PIPELINE, released).unwrap();
        scene.run_for(Duration::from_secs(1)).await;
        scene.local.world().faults().events(When::Always, EventFault::Drop);
        let has_died = scene.run_and_crash_at_call(n).await;
        scene.assert_truth();
        if !has_died {
            break;
        }
    }
}

/// A token that may read and not write does not make wake-ups multiply.
#[tokio::test]
async fn a_token_that_may_only_read_does_not_multiply_wake_ups() {
    let scene = Scene::new().await;
    scene.local.world().github().set_permission(common::TOKEN, Permission::Read);
    let long = Script::new().on("Build", "Build", Outcome::succeed(3600));
    scene.local.world().pipelines().script(sample::PIPELINE, long);
    scene.push("Say hello").await;
    scene.run_for(Duration::from_secs(1800)).await;
    let chains = scene.follow_messages().len();
    assert!(chains <= 2, "{chains} chains");
    scene.local.world().github().set_permission(common::TOKEN, Permission::Write);
    scene.run().await;
    assert!(scene.shows(&sample::sha("Say hello")).contains("success: Deployed"));
}

/// Promise 4: whoever posts last has checked last.
#[tokio::test]
async fn a_late_worker_with_an_old_reading_does_not_have_the_last_word() {
    for elapsed in [0, 20, 60, 120] {
        let mut overtaken = 0;
        for n in 1..=12 {
            let scene = Scene::new().await;
            scene.push("Say hello").await;
            scene.run_for(Duration::from_secs(elapsed)).await;
            scene.wait_for_a_message();
            overtaken += usize::from(scene.overtake_at_call(n).await);
            scene.run().await;
            scene.assert_truth_after(1);
        }
        assert!(overtaken > 2, "{overtaken} overtaken");
    }
}

/// Promise 4: of two runs of one commit that are told at the same moment, the newer has the last word.
#[tokio::test]
async fn of_two_runs_that_are_told_at_once_the_newer_has_the_last_word() {
    let sha = sample::sha("Say hello");
    let (mut overtaken, mut older_overtaken) = (0, 0);
    for n in 1..=12 {
        let scene = Scene::new().await;
        scene.local.world().github().set_permission(common::TOKEN, Permission::Read);
        scene.push("Say hello").await;
        scene.run_for(Duration::from_secs(60)).await;
        let (now, again) = (scene.now(), Release::StartPipelineExecution);
        scene.local.world().pipelines().set_head(sample::PIPELINE, &sha);
        let newer = scene.local.world().pipelines().release_change(now, sample::PIPELINE, again).unwrap();
        scene.run_for(Duration::from_secs(420)).await;
        scene.local.world().github().set_permission(common::TOKEN, Permission::Write);
        scene.wait_for_a_message();
        overtaken += usize::from(scene.overtake_at_call(n).await);
        scene.run().await;
        scene.assert_truth_after(1);
        let mut world = scene.local.world();
        let shown = world.github().latest(sample::REPOSITORY, &sha);
        assert_eq!(shown.len(), 4);
        let is_newers = |link: &String| link.contains(&newer);
        assert!(shown.values().all(|status| status.target_url.as_ref().is_some_and(is_newers)), "{shown:#?}");
        let all = world.github().statuses(sample::REPOSITORY, &sha);
        let own = all.iter().rev().filter(|status| status.context == "codepipeline/node-server");
        let ends: Vec<bool> = own.map(|status| status.target_url.as_ref().is_some_and(is_newers)).collect();
        older_overtaken += usize::from(ends == [true, false, true]);
    }
    assert!(overtaken > 2 && older_overtaken > 2, "{overtaken} overtaken, {older_overtaken} of them by a newer run");
}

/// Promise 4: a status whose worker gave up waiting, and which GitHub takes all the same, has not the last word either.
#[tokio::test]
async fn a_status_that_lands_late_does_not_stay() {
    for nth in 1..=9 {
        let scene = Scene::new().await;
        let post = "POST /repos/{owner}/{repo}/statuses/{sha}";
        let late = Fault::LandsLate(Duration::from_secs(9));
        scene.local.world().faults().add("github", post, When::Nth(nth), late);
        let short =
            Script::new().on("Build", "Build", Outcome::succeed(2)).on("Staging", "Deploy", Outcome::succeed(2));
        scene.local.world().pipelines().script(sample::PIPELINE, short);
        scene.push("Say hello").await;
        scene.run().await;
        scene.assert_truth();
    }
}

/// Promise 4: not even where the run has been adopted meanwhile, and whoever did that has told its end.
#[tokio::test]
async fn a_status_that_lands_behind_an_adopted_end_does_not_stay() {
    let scene = Scene::new().await;
    let late = Fault::LandsLate(Duration::from_secs(14));
    scene.local.world().faults().add("github", "POST /repos/{owner}/{repo}/statuses/{sha}", When::Nth(1), late);
    let soon_over = Script::new().on("Source", "Source", Outcome::succeed(1)).on(
        "Build",
        "Build",
        Outcome::fail(8, "JobFailed", "exit status 1"),
    );
    scene.local.world().pipelines().script(sample::PIPELINE, soon_over);
    // Of all events the one comes that has the run adopted: the others would have it looked at once more.
    scene.local.world().faults().events(When::Always, EventFault::Drop);
    let sha = scene.push("Say hello").await;
    scene.run_for(Duration::from_secs(1)).await;
    let started = serde_json::json!({
        "source": "aws.codepipeline", "detail-type": "CodePipeline Pipeline Execution State Change",
        "detail": { "pipeline": sample::PIPELINE, "execution-id": scene.newest_execution(), "state": "STARTED" },
    });
    let now = scene.now();
    scene.local.world().queues().inject(now, QUEUE, &started.to_string());
    scene.run_for(Duration::from_secs(12)).await;
    assert!(scene.shows(&sha).contains("failure: Build failed"), "{}", scene.shows(&sha));
    scene.run().await;
    scene.assert_truth();
}

/// Promise 4: a look tells the end of a run that nobody follows, and the run goes on before it has looked again.
#[tokio::test]
async fn a_run_that_is_retried_while_its_end_is_told_is_followed() {
    let scene = Scene::new().await;
    scene.local.world().faults().events(When::Always, EventFault::Drop);
    let sha = sample::sha("Flaky");
    let flaky = Script::new().on_attempt("Build", "Build", 1, Outcome::fail(40, "JobFailed", "network is down"));
    {
        let (now, mut world) = (scene.now(), scene.local.world());
        world.pipelines().script_commit(sample::PIPELINE, &sha, flaky);
        world.pipelines().set_head(sample::PIPELINE, &sha);
        world.pipelines().release_change(now, sample::PIPELINE, Release::StartPipelineExecution).unwrap();
    }
    scene.wait(Duration::from_secs(120));
    let failed = serde_json::json!({
        "source": "aws.codepipeline", "detail-type": "CodePipeline Pipeline Execution State Change",
        "detail": { "pipeline": sample::PIPELINE, "execution-id": scene.newest_execution(), "state": "FAILED" },
    });
    let (now, late) = (scene.now(), Fault::Delay(Duration::from_millis(250)));
    scene.local.world().queues().inject(now, QUEUE, &failed.to_string());
    // The first post of three is answered late, and meanwhile somebody has the stage retried.
    let write = "POST /repos/{owner}/{repo}/statuses/{sha}";
    scene.local.world().faults().next("github", write, 1, late);
    let batch = scene.local.next_batch().unwrap();
    let meanwhile = async {
        while scene.calls(write) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (now, execution) = (scene.now(), scene.newest_execution());
        assert!(scene.local.world().pipelines().retry(now, &execution, "Build", false));
    };
    let (handled, ()) = tokio::join!(scene.local.handle_batch(&scene.local.worker, &batch), meanwhile);
    handled.unwrap();
    scene.run().await;
    assert!(scene.shows(&sha).contains("codepipeline/node-server success: Deployed"), "{}", scene.shows(&sha));
}

/// Promise 4: a wake-up that comes again after another chain has told the end finds that the run was retried. To whoever knows that
/// other chain it is none of its doubles.
#[tokio::test]
async fn a_retried_run_is_followed_by_a_wake_up_that_comes_again() {
    let scene = Scene::new().await;
    scene.local.world().faults().events(When::Always, EventFault::Drop);
    let sha = sample::sha("Flaky");
    let flaky = Script::new().on_attempt("Build", "Build", 1, Outcome::fail(40, "JobFailed", "network is down"));
    scene.local.world().pipelines().script_commit(sample::PIPELINE, &sha, flaky);
    let payload = sample::push("main", "Flaky", &["a"]);
    scene.deliver("push", &payload).await;
    assert!(scene.handle_one_batch().await);
    scene.wait_for_a_message();
    let _taken_by_one_that_dies = scene.local.next_batch().unwrap();
    scene.deliver("push", &payload).await;
    scene.run_for(Duration::from_secs(170)).await;
    assert!(scene.shows(&sha).contains("codepipeline/node-server failure: "), "{}", scene.shows(&sha));
    let (now, execution) = (scene.now(), scene.newest_execution());
    assert!(scene.local.world().pipelines().retry(now, &execution, "Build", false));
    scene.wait_for_a_message();
    assert!(scene.handle_one_batch_by(&scene.local.another_worker()).await);
    assert!(scene.shows(&sha).contains("codepipeline/node-server pending: "), "{}", scene.shows(&sha));
    scene.run().await;
    assert!(scene.shows(&sha).contains("codepipeline/node-server success: Deployed"), "{}", scene.shows(&sha));
}

/// GitHub tells of a push before all of its machines know the commit.
#[tokio::test]
async fn what_a_filter_leaves_out_is_told_once_github_knows_the_commit() {
    let routes = format!("{}paths = [\"src/**\"]\n", sample::ROUTES);
    let scene = Scene::with(&routes, common::classic()).await;
    scene.local.world().github().accept_any_commit(sample::REPOSITORY, false);
    scene.deliver("push", &sample::push("main", "Docs", &["README.md"])).await;
    scene.run_for(Duration::from_secs(1)).await;
    assert_eq!(scene.posted(), "");
    scene.local.world().github().accept_any_commit(sample::REPOSITORY, true);
    scene.run().await;
    assert_eq!(scene.shows(&sample::sha("Docs")).matches("success: Skipped").count(), 4);
}

/// Promise 4: events are hints.
#[tokio::test]
async fn events_that_are_lost_late_or_doubled_change_nothing() {
    for fault in [EventFault::Drop, EventFault::Duplicate, EventFault::Delay(Duration::from_secs(90))] {
        let scene = Scene::new().await;
        scene.local.world().queues().shuffle(true);
        scene.local.world().faults().events(When::PerMille(500), fault);
        let broken = sample::sha("Two");
        let failing = Script::new().on("Build", "Build", Outcome::fail(40, "JobFailed", "exit status 1"));
        scene.local.world().pipelines().script_commit(sample::PIPELINE, &broken, failing);
        for message in ["One", "Two", "Three"] {
            scene.push(message).await;
            scene.run_for(Duration::from_secs(70)).await;
        }
        scene.run().await;
        scene.assert_truth();
    }
}

#[tokio::test]
async fn without_any_event_the_truth_comes_all_the_same() {
    let scene = Scene::new().await;
    scene.local.world().faults().events(When::Always, EventFault::Drop);
    scene.push("Say hello").await;
    scene.run().await;
    scene.assert_truth();
}

/// Promise 4: an end that somebody covered is put back, and an event that says nothing new posts nothing.
#[tokio::test]
async fn an_event_puts_back_an_end_that_was_covered() {
    let scene = Scene::new().await;
    let sha = scene.push("Say hello").await;
    scene.run().await;
    let event = |scene: &Scene| {
        let event = serde_json::json!({
            "source": "aws.codepipeline", "detail-type": "CodePipeline Pipeline Execution State Change",
            "detail": { "pipeline": sample::PIPELINE, "execution-id": scene.newest_execution(), "state": "SUCCEEDED" },
        });
        let now = scene.now();
        scene.local.world().queues().inject(now, QUEUE, &event.to_string());
    };
    let posts = scene.posts(&sha, EXECUTION);
    event(&scene);
    scene.run().await;
    assert_eq!(scene.posts(&sha, EXECUTION), posts);

    let token = pipehook::settings::Secret::new(common::TOKEN);
    let api_url = scene.local.server().github_api_url();
    let github = GitHub::new(&api_url, Some(&token), &Transport::Network, scene.local.clock().clone()).unwrap();
    let cover = Report { context: EXECUTION.to_owned(), state: State::Pending, description: "covered".to_owned() };
    let repository = RepositoryName::parse(sample::REPOSITORY).unwrap();
    github.post_status(&repository, &CommitSha::parse(&sha).unwrap(), &cover, None).await.unwrap();
    event(&scene);
    scene.run().await;
    scene.assert_truth();
}

/// Promise 4: the newer execution of a commit has the word.
#[tokio::test]
async fn a_late_event_of_an_older_execution_does_not_cover_a_newer_one() {
    let scene = Scene::new().await;
    let failing = Script::new().on_attempt("Staging", "Deploy", 1, Outcome::fail(20, "JobFailed", "no capacity"));
    scene.local.world().pipelines().script(sample::PIPELINE, failing);
    scene.push("Release").await;
    scene.run().await;
    let older = scene.newest_execution();
    scene.local.world().pipelines().script(sample::PIPELINE, Script::new());
    scene.deliver("push", &sample::push_to("refs/tags/v1", "Release", &[])).await;
    scene.run().await;
    let event = serde_json::json!({
        "source": "aws.codepipeline", "detail-type": "CodePipeline Stage Execution State Change",
        "detail": { "pipeline": sample::PIPELINE, "execution-id": older, "stage": "Staging", "state": "FAILED" },
    });
    let now = scene.now();
    scene.local.world().queues().inject(now, QUEUE, &event.to_string());
    scene.run().await;
    scene.assert_truth();
}

/// Promise 6.
#[tokio::test]
async fn a_long_run_posts_a_bounded_number() {
    let scene = Scene::new().await;
    let long = Script::new().on("Build", "Build", Outcome::succeed(6 * 3600));
    scene.local.world().pipelines().script(sample::PIPELINE, long);
    let sha = scene.push("Build for hours").await;
    scene.run().await;
    scene.assert_truth();
    assert!(scene.posts(&sha, "codepipeline/node-server/Build") <= 4);
    assert!(scene.posts(&sha, EXECUTION) <= 6);
}

#[tokio::test]
async fn github_failing_now_and_then_is_no_matter() {
    for fault in [
        Fault::BadGateway,
        Fault::Nonsense,
        Fault::LostBefore,
        Fault::LostAfter,
        Fault::SecondaryLimit { status: 403, retry_after: Some(70) },
        Fault::SecondaryLimit { status: 429, retry_after: None },
        Fault::PrimaryLimit { reset_after: Duration::from_secs(1800) },
        Fault::NotFound,
        Fault::AccessDenied,
        Fault::Unauthorized,
    ] {
        let scene = Scene::new().await;
        let told = format!("{fault:?}");
        scene.local.world().faults().add("github", "*", When::PerMille(300), fault);
        scene.push("Say hello").await;
        scene.run_for(HOUR).await;
        scene.local.world().faults().clear();
        scene.run().await;
        println!("{told}");
        scene.assert_truth();
        assert_eq!(scene.executions().len(), 1, "{told}");
    }
}

#[tokio::test]
async fn aws_failing_now_and_then_is_no_matter() {
    for fault in [Fault::Throttle, Fault::ServerError, Fault::Nonsense, Fault::LostBefore, Fault::LostAfter] {
        let scene = Scene::new().await;
        let told = format!("{fault:?}");
        for service in ["codepipeline", "sqs", "ssm"] {
            scene.local.world().faults().add(service, "*", When::PerMille(300), fault);
        }
        let payload = sample::push("main", "Say hello", &["a"]);
        while scene.deliver("push", &payload).await.status() != StatusCode::ACCEPTED {}
        scene.run_for(HOUR).await;
        scene.local.world().faults().clear();
        scene.run().await;
        println!("{told}");
        scene.assert_truth();
        assert_eq!(scene.executions().len(), 1, "{told}");
    }
}

/// GitHub's wait is obeyed: no call is made before it is over.
#[tokio::test]
async fn a_rate_limit_is_waited_out_even_beyond_the_longest_delay_of_a_message() {
    let scene = Scene::new().await;
    let reset_after = Duration::from_secs(2400);
    scene.local.world().faults().next("github", "*", 1, Fault::PrimaryLimit { reset_after });
    scene.local.world().faults().events(When::Always, EventFault::Drop);
    scene.push("Say hello").await;
    let began = scene.now();
    scene.run().await;
    scene.assert_truth();
    let world = scene.local.world();
    let github: Vec<_> = world.journal().iter().filter(|call| call.service == "github").collect();
    assert!(github[1].at.since(began) >= reset_after, "asked again after {:?}", github[1].at.since(began));
}

/// GitHub's wait is obeyed, and CodePipeline's part need not wait for it.
#[tokio::test]
async fn a_start_that_is_tried_again_leaves_github_alone_as_long_as_it_asked() {
    for limited in ["GET /repos/{owner}/{repo}/commits/{ref}/statuses", "POST /repos/{owner}/{repo}/statuses/{sha}"] {
        let scene = Scene::new().await;
        let outage = When::Between(scene.now(), scene.now() + Duration::from_secs(20));
        scene.local.world().faults().add("codepipeline", "*", outage, Fault::ServerError);
        let limit = Fault::SecondaryLimit { status: 403, retry_after: Some(70) };
        scene.local.world().faults().next("github", limited, 1, limit);
        scene.local.world().faults().events(When::Always, EventFault::Drop);
        let mut tag = sample::push_to("refs/tags/v1", "Release", &[]);
        // GitHub has to be asked which commit it is.
        let object = sample::sha("v1");
        scene.local.world().github().add_tag_object(sample::REPOSITORY, &object, &sample::sha("Release"));
        (tag["after"], tag["head_commit"]) = (object.into(), serde_json::Value::Null);
        scene.deliver("push", &tag).await;
        scene.run().await;
        scene.assert_truth();
        let world = scene.local.world();
        let mut calls = world.journal().iter().skip_while(|call| call.fault != Some("secondary limit"));
        let at = calls.next().unwrap().at;
        let started = calls.clone().find(|call| call.operation == "StartPipelineExecution" && call.fault.is_none());
        let told = calls.find(|call| call.service == "github");
        let [started, told] = [started, told].map(|call| call.unwrap().at.since(at).as_secs());
        assert!(started < 70 && told >= 70, "{limited}: started after {started} s, told after {told} s");
    }
}

#[tokio::test]
async fn a_repository_that_moved_is_followed() {
    for write_status in [301, 307] {
        let scene = Scene::new().await;
        scene.local.world().github().rename(sample::REPOSITORY, "octo-org/renamed");
        scene.local.world().github().redirect_writes_with(write_status);
        let sha = scene.push("Say hello").await;
        scene.run().await;
        let mut world = scene.local.world();
        let latest = world.github().latest("octo-org/renamed", &sha);
        assert_eq!(latest.len(), 4, "{latest:?}");
        assert!(latest[EXECUTION].description.as_deref().unwrap().starts_with("Deployed"));
    }
}

#[tokio::test]
async fn a_commit_that_github_does_not_know_is_still_built() {
    let scene = Scene::new().await;
    scene.local.world().github().accept_any_commit(sample::REPOSITORY, false);
    let sha = scene.push("Gone").await;
    scene.run().await;
    assert_eq!(scene.executions(), [(sha, "Succeeded")]);
    assert_eq!((scene.posted().as_str(), scene.dead_letters().len()), ("", 0));
}

/// GitHub says no with one status to what it will never take and to what it has had too much of for the moment.
#[tokio::test]
async fn what_github_refuses_for_minutes_is_told_in_the_end() {
    let statuses = refused_for_minutes(&Scene::new().await).await;
    insta::assert_snapshot!(statuses, @"
    codepipeline/node-server success: Deployed 6d995db to staging in 4 m 3 s; node-server:42 runs since 22:03 UTC
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging success: Staging succeeded in 2 m 30 s; node-server:42 runs since 22:03 UTC
    ");
    let checks = refused_for_minutes(&Scene::as_app(sample::ROUTES, common::classic()).await).await;
    assert_eq!(checks, statuses);
}

/// What statuses or check runs say in the end, where GitHub takes none for nine minutes from the deploy's beginning on.
async fn refused_for_minutes(scene: &Scene) -> String {
    let sha = scene.push("Say hello").await;
    let told = |scene: &Scene| scene.shows(&sha) + &scene.checks(&sha);
    scene.run_until(|scene| told(scene).contains("Staging")).await;
    let minutes = When::Between(scene.now(), scene.now() + Duration::from_secs(540));
    for write in ["POST /repos/{owner}/{repo}/statuses/{sha}", "PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}"]
    {
        scene.local.world().faults().add("github", write, minutes, Fault::Unprocessable);
    }
    scene.run().await;
    told(scene)
}

#[tokio::test]
async fn what_github_refuses_for_good_is_left_out() {
    let scene = Scene::new().await;
    let write = "POST /repos/{owner}/{repo}/statuses/{sha}";
    scene.local.world().faults().add("github", write, When::Always, Fault::Unprocessable);
    let sha = scene.push("Say hello").await;
    let began = scene.now();
    scene.run().await;
    assert_eq!(scene.executions(), [(sha, "Succeeded")]);
    assert_eq!((scene.posted().as_str(), scene.dead_letters().len()), ("", 0));
    let posts = scene.calls(write);
    assert!(posts < 100, "{posts} posts");
    assert!(scene.now().since(began) < HOUR);
}

#[tokio::test]
async fn a_token_that_loses_access_and_gets_it_back() {
    let scene = Scene::new().await;
    let sha = scene.push("Say hello").await;
    scene.run_for(Duration::from_secs(30)).await;
    scene.local.world().github().revoke(common::TOKEN);
    scene.run_for(HOUR).await;
    assert_eq!(scene.executions(), [(sha.clone(), "Succeeded")], "the run goes on without GitHub");
    scene.local.world().github().add_token("ghp_theNextOne", "octocat");
    scene.local.put_github_token("ghp_theNextOne");
    scene.run().await;
    scene.assert_truth();
}

#[tokio::test]
async fn an_execution_that_aws_does_not_know_any_more_does_not_stay_pending() {
    let scene = Scene::new().await;
    let sha = scene.push("Say hello").await;
    scene.run_for(Duration::from_secs(60)).await;
    scene.local.world().faults().add("codepipeline", "*", When::Always, Fault::NotFound);
    scene.run().await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server error: The execution is gone: its pipeline was deleted or recreated
    codepipeline/node-server/Build error: The execution is gone: its pipeline was deleted or recreated
    codepipeline/node-server/Source success: Source succeeded in 3 s
    ");
}

#[tokio::test]
async fn a_pipeline_that_cannot_be_started_says_what_to_mend() {
    let missing = Scene::with(sample::ROUTES, PipelineSpec::classic("another", sample::REPOSITORY)).await;
    let sha = missing.push("Say hello").await;
    missing.run().await;
    insta::assert_snapshot!(missing.shows(&sha), @"codepipeline/node-server error: Can't start: no pipeline node-server in us-east-1; mend the route's pipeline, or create it");

    let v1 = PipelineSpec::classic(sample::PIPELINE, sample::REPOSITORY).kind(pipehook::standin::PipelineType::V1);
    let unpinnable = Scene::with(sample::ROUTES, v1).await;
    let sha = unpinnable.push("Say hello").await;
    unpinnable.run().await;
    insta::assert_snapshot!(unpinnable.shows(&sha), @r#"codepipeline/node-server error: Can't start: Pipeline variables and source revision overrides are only supporte…; check source_action and variables (V1: source_action = "")"#);

    let denied = Scene::new().await;
    denied.local.world().faults().add("codepipeline", "StartPipelineExecution", When::Always, Fault::AccessDenied);
    let sha = denied.push("Say hello").await;
    denied.run().await;
    insta::assert_snapshot!(denied.shows(&sha), @"codepipeline/node-server error: Can't start: the worker's role may not; allow codepipeline:StartPipelineExecution on node-server");
    assert_eq!(denied.dead_letters(), Vec::<String>::new());
}

/// Promise 1: what can't be started again does not take the word of the run that was.
#[tokio::test]
async fn a_push_that_is_delivered_again_and_cannot_be_started_leaves_what_its_run_has_told() {
    let scene = Scene::new().await;
    let fails = Script::new().on("Build", "Build", Outcome::fail(20, "JobFailed", "exit status 1"));
    scene.local.world().pipelines().script(sample::PIPELINE, fails);
    let payload = sample::push("main", "Say hello", &["a"]);
    scene.deliver("push", &payload).await;
    scene.run().await;
    scene.local.world().faults().add("codepipeline", "*", When::Always, Fault::AccessDenied);
    scene.local.world().faults().next("github", "*", 1, Fault::Throttle);
    scene.deliver("push", &payload).await;
    scene.run().await;
    scene.assert_truth();
}

/// A rotated secret and a changed configuration are in force within five minutes, without a deploy.
#[tokio::test]
async fn settings_change_without_a_deploy() {
    let scene = Scene::new().await;
    scene.push("One").await;
    scene.local.put_webhook_secret("the new one");
    scene.local.put_routes("");
    let payload = sample::push("main", "Two", &["a"]).to_string();
    let early = scene.local.deliver("d", "push", &payload, "the new one").await;
    assert_eq!(early.status(), StatusCode::UNAUTHORIZED);
    scene.run_for(Duration::from_secs(301)).await;
    let late = scene.local.deliver("d", "push", &payload, "the new one").await;
    insta::assert_snapshot!(late.body(), @r#"{"delivery":"d","event":"push","decisions":[{"decision":"ignored","reason":"no route is for octo-org/node-server"}]}"#);
    let old = scene.local.deliver("d", "push", &payload, SECRET).await;
    assert_eq!(old.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn settings_that_cannot_be_read_again_stay_as_they_were() {
    let scene = Scene::new().await;
    scene.push("One").await;
    scene.local.put_config("[[route]]\nrepository = 7");
    scene.run_for(Duration::from_secs(301)).await;
    scene.push("Two").await;
    scene.local.world().faults().add("ssm", "*", When::Always, Fault::ServerError);
    scene.run_for(Duration::from_secs(301)).await;
    scene.push("Three").await;
}
