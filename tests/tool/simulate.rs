//! `pipehook simulate`.

use serde_json::{Value, json};

use crate::scene::Desk;

#[tokio::test]
async fn stories_are_told_in_numbers() {
    let desk = Desk::new().await;
    let ran = desk.run(&["simulate", "--from", "1", "--seeds", "2"]).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.starts_with("2 seeds from 1 in ") && ran.out.ends_with("\n0 seeds failed\n"), "{ran}");
    let ran = desk.run(&["simulate", "--from", "1", "--seeds", "2", "--json"]).await;
    let told: Value = serde_json::from_str(&ran.out).unwrap_or_default();
    assert_eq!((ran.code, &told["seeds"], &told["failures"]), (0, &json!(2), &json!([])), "{ran}");
    assert!(told["calls"]["codepipeline"].as_u64() > Some(0) && told["struck"]["push"].as_u64() > Some(0), "{ran}");
}

#[tokio::test]
async fn one_story_is_told_call_by_call_and_is_the_same_each_time() {
    let desk = Desk::new().await;
    let first = desk.run(&["simulate", "--seed", "1"]).await;
    assert_eq!((first.code, first.err.as_str()), (0, ""));
    assert!(first.out.contains("StartPipelineExecution"), "{first}");
    assert_eq!(desk.run(&["simulate", "--seed", "1"]).await.out, first.out);
}

#[tokio::test]
async fn a_story_and_a_number_of_stories_can_not_both_be_meant() {
    let ran = Desk::new().await.run(&["simulate", "--seed", "1", "--seeds", "2"]).await;
    insta::assert_snapshot!(ran, @"
    --- standard error
    error: the argument '--seed <SEED>' cannot be used with '--seeds <N>'

    Usage: pipehook simulate --seed <SEED>

    For more information, try '--help'.
    --- exit code 2
    ");
}
