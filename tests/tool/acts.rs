//! `pipehook approve`, `reject`, `retry` and `stop`: what they say, and what has changed at CodePipeline.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use pipehook::local::sample;
use pipehook::standin::{Cause, CircuitBreaker, Fault, Outcome, Release, Rollout, Script, ServiceSpec, When};

use crate::common::{Scene, with_approval};
use crate::scene::Desk;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A run that waits for approval, with so many newer commits behind it.
async fn waiting(newer: usize) -> Desk {
    let desk = Desk::of(Scene::with(sample::ROUTES, with_approval()).await).await;
    for number in 0..=newer {
        let now = desk.scene.now();
        {
            let mut world = desk.scene.local.world();
            world.pipelines().set_head(sample::PIPELINE, &sample::sha(&format!("Commit {number}")));
            world.pipelines().release_change(now, sample::PIPELINE, Release::WebhookV2).unwrap();
        }
        desk.scene.wait(secs(120));
    }
    desk
}

/// A run whose build has failed once, and does not fail again.
async fn failed() -> Desk {
    let desk = Desk::new().await;
    let fails = Outcome::fail(20, "JobFailed", "Build terminated");
    let script = Script::new().on_attempt("Build", "Build", 1, fails);
    desk.scene.local.world().pipelines().script(sample::PIPELINE, script);
    desk.scene.push("Say hello").await;
    desk.scene.run().await;
    desk
}

fn statuses(desk: &Desk) -> Vec<&'static str> {
    desk.scene.executions().into_iter().map(|(_, status)| status).collect()
}

#[tokio::test]
async fn what_waits_is_approved_with_the_comment() {
    let desk = waiting(0).await;
    let ran = desk.run(&["approve", "node-server", "--comment", "seen on staging", "--yes"]).await;
    insta::assert_snapshot!(ran, @"✓ approved 82c18b6 in Staging of node-server (e979588e)");
    let answer = {
        let world = desk.scene.local.world();
        let answer = world.journal().iter().find(|call| call.operation == "PutApprovalResult").unwrap();
        answer.request["result"].to_string()
    };
    insta::assert_snapshot!(answer, @r#"{"status":"Approved","summary":"seen on staging"}"#);
    desk.scene.run().await;
    assert_eq!(statuses(&desk), ["Succeeded"]);
    insta::assert_snapshot!(desk.run(&["approve", "node-server", "--yes"]).await, @"
    --- standard error
    pipehook: nothing of node-server waits for approval
    --- exit code 1
    ");
}

#[tokio::test]
async fn nobody_is_taken_to_agree_where_nobody_can_be_asked() {
    let desk = waiting(2).await;
    insta::assert_snapshot!(desk.run(&["approve", "node-server"]).await, @r#"
    --- standard error
    pipehook: nothing was changed: "Approve 82c18b6 in Staging of node-server (e979588e)? 1 newer commit waits." can only be asked at a terminal; --yes goes on without asking
    --- exit code 1
    "#);
    assert_eq!(desk.scene.calls("PutApprovalResult"), 0);
}

#[tokio::test]
async fn what_is_rejected_fails() {
    let desk = waiting(0).await;
    insta::assert_snapshot!(desk.run(&["reject", "node-server", "--yes", "--json"]).await, @r#"{"done":"rejected","pipeline":"node-server","execution":"e979588e-3ea3-46b7-9774-1d420e5461a6","commit":"82c18b600cdb7c42942e2773d8d33bceba2fcbec","stage":"Staging"}"#);
    desk.scene.run().await;
    assert_eq!(statuses(&desk), ["Failed"]);
}

#[tokio::test]
async fn an_approval_that_is_not_there_is_not_given() {
    let desk = waiting(0).await;
    let mut told = String::new();
    for arguments in [
        &["approve", "node-server", "--stage", "Production", "--yes"][..],
        &["approve", "node-server", "--execution", "0000aaaa", "--yes"],
        &["approve", "nope", "--yes"],
    ] {
        told += &format!("$ pipehook {}\n{}\n", arguments.join(" "), desk.run(arguments).await);
    }
    insta::assert_snapshot!(told, @"
    $ pipehook approve node-server --stage Production --yes
    --- standard error
    pipehook: nothing of node-server waits for approval in Production
    --- exit code 1
    $ pipehook approve node-server --execution 0000aaaa --yes
    --- standard error
    pipehook: node-server has no execution 0000aaaa; `pipehook runs node-server` lists the newest
    --- exit code 1
    $ pipehook approve nope --yes
    --- standard error
    pipehook: can't list the runs of nope: PipelineNotFoundException: Account '123456789012' does not have a pipeline with name 'nope'
    --- exit code 1
    ");
    assert_eq!(desk.scene.calls("PutApprovalResult"), 0);
}

#[tokio::test]
async fn an_approval_that_somebody_answers_first_is_left_alone() {
    let desk = waiting(0).await;
    // Its answer comes late, and meanwhile somebody else rejects it.
    let fault = Fault::Delay(Duration::from_millis(700));
    desk.scene.local.world().faults().add("codepipeline", "GetPipelineState", When::Always, fault);
    let approves = desk.run(&["approve", "node-server", "--yes"]);
    let rejects = async {
        while desk.scene.calls("GetPipelineState") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (now, execution) = (desk.scene.now(), desk.scene.newest_execution());
        let mut world = desk.scene.local.world();
        world.pipelines().answer_approval(now, &execution, pipehook::standin::Answered::Rejected, "no");
    };
    let (ran, ()) = tokio::join!(approves, rejects);
    insta::assert_snapshot!(ran, @"
    --- standard error
    pipehook: Staging of node-server does not wait any more: it has been answered, or the run has moved on
    --- exit code 1
    ");
    desk.scene.run().await;
    assert_eq!(statuses(&desk), ["Failed"]);
}

#[tokio::test]
async fn a_stage_that_failed_is_retried_in_the_same_execution() {
    let desk = failed().await;
    insta::assert_snapshot!(desk.run(&["retry", "node-server", "--yes"]).await, @"✓ Build of e979588e of node-server, commit 6d995db runs again; pipehook watch node-server e979588e");
    insta::assert_snapshot!(desk.run(&["retry", "node-server", "--yes"]).await, @"
    --- standard error
    pipehook: e979588e of node-server, commit 6d995db runs: it can be retried once it has failed
    --- exit code 1
    ");
    desk.scene.run().await;
    assert_eq!(statuses(&desk), ["Succeeded"]);
    insta::assert_snapshot!(desk.scene.shows(&sample::sha("Say hello")), @"
    codepipeline/node-server success: Deployed 6d995db to staging in 4 m 26 s; node-server:42 runs since 22:04 UTC
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging success: Staging succeeded in 2 m 30 s; node-server:42 runs since 22:04 UTC
    ");
}

#[tokio::test]
async fn where_a_newer_run_has_passed_only_a_new_start_is_left() {
    let desk = failed().await;
    let old = desk.scene.oldest_execution();
    desk.scene.local.world().pipelines().script(sample::PIPELINE, Script::new());
    desk.scene.push("Mend it").await;
    desk.scene.run().await;
    insta::assert_snapshot!(desk.run(&["retry", "node-server", &old, "--yes"]).await, @"
    --- standard error
    pipehook: e979588e of node-server, commit 6d995db can't be retried: a newer execution has been through Build since; `pipehook retry node-server e979588e --anew` starts a new one
    --- exit code 1
    ");
    insta::assert_snapshot!(desk.run(&["retry", "node-server", &old, "--anew", "--yes"]).await, @"✓ 861c57c7 of node-server is started on 6d995db; pipehook watch node-server 861c57c7");
    desk.scene.run().await;
    let runs = desk.scene.executions();
    assert_eq!(runs.iter().map(|(_, status)| *status).collect::<Vec<_>>(), ["Failed", "Succeeded", "Succeeded"]);
    assert_eq!(runs[2].0, sample::sha("Say hello"), "it is pinned to the commit of the old one");
    desk.scene.assert_truth();
}

#[tokio::test]
async fn what_has_not_failed_is_not_retried_and_what_was_rolled_back_can_not_be() {
    let desk = Desk::new().await;
    let service = ServiceSpec::new("staging", sample::PIPELINE).circuit_breaker(CircuitBreaker::WithRollback);
    desk.scene.local.world().services().create(service);
    desk.scene.push("Say hello").await;
    desk.scene.run().await;
    let mut told = desk.run(&["retry", "node-server", "--yes"]).await.to_string() + "\n";
    let fails = Rollout::fails(60, Cause::Exits(1)).rolls_back_in(30).action_succeeds(100);
    desk.scene.local.world().pipelines().script(sample::PIPELINE, Script::new().on("Staging", "Deploy", fails));
    desk.scene.push("Crash").await;
    desk.scene.run().await;
    told += &desk.run(&["retry", "node-server", "--yes"]).await.to_string();
    insta::assert_snapshot!(told, @"
    --- standard error
    pipehook: e979588e of node-server, commit 6d995db has not failed; `pipehook retry node-server e979588e --anew` starts a new one of the commit
    --- exit code 1
    --- standard error
    pipehook: 1d82ec10 of node-server, commit bcad26a can't be retried: CodePipeline takes the deploy that was rolled back for a success; `pipehook retry node-server 1d82ec10 --anew` starts a new one
    --- exit code 1
    ");
    assert_eq!(desk.scene.calls("RetryStageExecution"), 0);
}

#[tokio::test]
async fn the_run_that_runs_is_stopped_with_the_reason() {
    let desk = Desk::new().await;
    let nothing = desk.run(&["stop", "node-server", "--yes"]).await;
    desk.scene.push("Say hello").await;
    while desk.scene.handle_one_batch().await {}
    desk.scene.wait(secs(20));
    let asked = desk.run(&["stop", "node-server"]).await;
    let stopped = desk.run(&["stop", "node-server", "--reason", "wrong branch", "--yes"]).await;
    let again = desk.run(&["stop", "node-server", "--yes"]).await;
    insta::assert_snapshot!(format!("{nothing}\n{asked}\n{stopped}\n{again}"), @r#"
    --- standard error
    pipehook: nothing of node-server runs
    --- exit code 1
    --- standard error
    pipehook: nothing was changed: "Stop e979588e of node-server, commit 6d995db, in Build?" can only be asked at a terminal; --yes goes on without asking
    --- exit code 1
    ✓ CodePipeline stops e979588e of node-server, commit 6d995db, once its actions have come to their end

    --- standard error
    pipehook: e979588e of node-server, commit 6d995db is being stopped already, or has come to its end in the meantime; --abandon does not wait for its actions
    --- exit code 1
    "#);
    desk.scene.run().await;
    let sha = sample::sha("Say hello");
    insta::assert_snapshot!(desk.scene.shows(&sha), @"
    codepipeline/node-server error: Stopped: wrong branch
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    ");
    let id = desk.scene.newest_execution();
    insta::assert_snapshot!(desk.run(&["stop", "node-server", &id, "--yes"]).await, @"
    --- standard error
    pipehook: e979588e of node-server, commit 6d995db does not run: it has stopped
    --- exit code 1
    ");
}

#[tokio::test]
async fn of_several_that_run_one_has_to_be_named() {
    let desk = waiting(1).await;
    insta::assert_snapshot!(desk.run(&["stop", "node-server", "--yes"]).await, @"
    --- standard error
    pipehook: several executions of node-server run; say which one: cff7994c (ca28d7b), e979588e (82c18b6)
    --- exit code 1
    ");
    let id = desk.scene.newest_execution();
    insta::assert_snapshot!(desk.run(&["stop", "node-server", &id[..6], "--abandon", "--yes"]).await, @"✓ CodePipeline stops cff7994c of node-server, commit ca28d7b");
    assert_eq!(statuses(&desk), ["InProgress", "Stopped"]);
}

#[tokio::test]
async fn a_reason_that_codepipeline_would_not_take_is_refused_before() {
    let desk = Desk::new().await;
    let ran = desk.run(&["stop", "node-server", "--reason", &"x".repeat(201)]).await;
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("it must have 1 to 200 characters"), "{ran}");
    assert_eq!(desk.scene.journal_len(), 0);
}

#[tokio::test]
async fn what_may_not_be_done_says_that_the_policy_does_not_allow_it() {
    let desk = failed().await;
    for (operation, arguments) in [
        ("RetryStageExecution", &["retry", "node-server", "--yes"][..]),
        ("StartPipelineExecution", &["retry", "node-server", "--anew", "--yes"]),
    ] {
        desk.scene.local.world().faults().next("codepipeline", operation, 1, Fault::AccessDenied);
        let ran = desk.run(arguments).await;
        assert_eq!(ran.code, 1, "{ran}");
        assert!(ran.err.contains("their policy does not allow this"), "{ran}");
    }
}
