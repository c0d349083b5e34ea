//! An hour in which the webhook takes nothing, and how it is made up for.

use std::collections::BTreeMap;
use std::time::Duration;

use pipehook::standin::{Fault, When};

use crate::scene::Desk;

#[tokio::test]
async fn fifty_pushes_of_a_lost_hour_run_once_each_after_a_redelivery() {
    let desk = Desk::new().await;
    desk.install_hook();
    desk.scene.local.world().faults().add("sqs", "SendMessage", When::Always, Fault::AccessDenied);
    let mut pushed = Vec::new();
    for n in 0..50 {
        pushed.push(desk.push_at_github(&format!("Change {n}")));
        desk.delivered().await;
        desk.scene.wait(Duration::from_secs(72));
    }
    desk.scene.run().await;
    assert_eq!(desk.scene.executions(), [], "GitHub was told 500 each time");
    let failed = desk.run(&["webhook", "deliveries", "--failed", "--since", "3h"]).await;
    assert_eq!(failed.out.lines().count(), 51, "{failed}");

    desk.scene.local.world().faults().clear();
    let redeliver = ["webhook", "redeliver", "--since", "3h", "--per-minute", "6000"];
    insta::assert_snapshot!(desk.run(&redeliver).await, @"
    50 deliveries had failed in the last 3 h
      50 delivered again, 50 accepted
    ");
    desk.scene.run().await;
    let mut started: BTreeMap<String, usize> = BTreeMap::new();
    for (commit, _) in desk.scene.executions() {
        *started.entry(commit).or_default() += 1;
    }
    assert_eq!(started, pushed.iter().map(|sha| (sha.clone(), 1)).collect());
    desk.scene.assert_truth();

    let calls = desk.scene.journal_len();
    insta::assert_snapshot!(desk.run(&redeliver).await, @"No delivery failed in the last 3 h; nothing to do.");
    let again = desk.scene.local.world().journal()[calls..].iter().any(|call| call.operation.contains("attempts"));
    assert!(!again, "the second time there is nothing to do");
    desk.scene.run().await;
    assert_eq!(desk.scene.executions().len(), 50);
}
