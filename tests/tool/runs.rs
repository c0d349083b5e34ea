//! `pipehook runs`.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use pipehook::local::sample;
use pipehook::standin::{Fault, Outcome, Release, Script, When};

use crate::scene::Desk;

/// A run that succeeded, one that failed, and one that runs.
async fn three_runs() -> Desk {
    let desk = Desk::new().await;
    let scene = &desk.scene;
    scene.push("Say hello").await;
    scene.run().await;
    let fails = Script::new().on("Build", "Build", Outcome::fail(20, "JobFailed", "Build terminated"));
    scene.local.world().pipelines().script_commit(sample::PIPELINE, &sample::sha("Break it"), fails);
    scene.push("Break it").await;
    scene.run().await;
    let now = scene.now();
    scene.local.world().pipelines().release_change(now, sample::PIPELINE, Release::WebhookV2).unwrap();
    scene.wait(Duration::from_secs(30));
    desk
}

#[tokio::test]
async fn the_last_runs_are_listed_newest_first() {
    let desk = three_runs().await;
    insta::assert_snapshot!(desk.run(&["runs", "node-server"]).await, @"
    execution  commit   status       started (UTC)        lasted   begun by              message
    861c57c7   633635f  in progress  2026-01-24 22:04:29  29 s     webhook               Change 633635f
    1d82ec10   e09300c  failed       2026-01-24 22:04:03  23 s     role pipehook-worker  Change e09300c
    e979588e   6d995db  succeeded    2026-01-24 22:00:00  4 m 3 s  role pipehook-worker  Change 6d995db
    ");
    insta::assert_snapshot!(desk.run(&["runs", "node-server", "--limit", "1"]).await, @"
    execution  commit   status       started (UTC)        lasted  begun by  message
    861c57c7   633635f  in progress  2026-01-24 22:04:29  29 s    webhook   Change 633635f
    ");
}

#[tokio::test]
async fn a_program_gets_whole_ids() {
    let desk = three_runs().await;
    insta::assert_snapshot!(desk.run(&["runs", "node-server", "--limit", "2", "--json"]).await, @r#"[{"execution":"861c57c7-9d94-45db-a568-3e2a8867bf34","commit":"633635ff5164ea31a6ad59dffffe600b26fcc942","status":"InProgress","trigger":"WebhookV2","begun_by":"webhook","is_rollback":false,"started":"2026-01-24T22:04:29Z","lasted_seconds":29,"message":"Change 633635f"},{"execution":"1d82ec10-042b-433d-b873-c3bf165a228b","commit":"e09300cbc180dd001caf057a7012de0ffad1e733","status":"Failed","trigger":"StartPipelineExecution","begun_by":"role pipehook-worker","is_rollback":false,"started":"2026-01-24T22:04:03Z","lasted_seconds":23,"message":"Change e09300c"}]"#);
}

#[tokio::test]
async fn no_runs_and_a_list_that_may_not_be_read() {
    let desk = Desk::new().await;
    insta::assert_snapshot!(desk.run(&["runs", "node-server"]).await, @"node-server has not run yet.");
    for (fault, says) in [
        (Fault::AccessDenied, "does not allow this"),
        (Fault::Unauthorized, "check the access key"),
        (Fault::LostAfter, "AWS is out of reach"),
    ] {
        desk.scene.local.world().faults().add("codepipeline", "*", When::Always, fault);
        let ran = desk.run(&["runs", "node-server"]).await;
        assert_eq!(ran.code, 1, "{ran}");
        assert!(ran.err.contains(says), "{ran}");
        desk.scene.local.world().faults().clear();
    }
}
