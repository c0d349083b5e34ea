//! `pipehook dlq`: what lies in the dead-letter queue, why, and putting it back.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use pipehook::local::{DEAD_LETTERS, QUEUE, sample};
use pipehook::standin::{Fault, When};
use serde_json::{Value, json};

use crate::scene::{Desk, Ran};

const HOUR: Duration = Duration::from_secs(3600);

/// A push that CodePipeline throttles, and has throttled for more than a day, and something that nobody can read.
async fn given_up() -> Desk {
    let desk = Desk::new().await;
    let now = desk.scene.now();
    let began = now.before(25 * HOUR).as_millis();
    let start = json!({
        "delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0000", "first_sent": began,
        "retry": {
            "tries": 138, "since": began,
            "why": "CodePipeline is out of reach, throttles, or fails: ThrottlingException: Rate exceeded",
        },
        "job": "start", "pipeline": "node-server", "repository": "octo-org/node-server",
        "commit": sample::sha("Say hello"), "ref": "refs/heads/main", "source_action": "Source",
        "token": "pipehook-0123456789abcdef", "of_a_later_version": true,
    });
    let garbage = "{\"password\": \"hunter2\", \"note\": \"\u{1b}[2J\"";
    let mut world = desk.scene.local.world();
    world.faults().add("codepipeline", "*", When::Always, Fault::Throttle);
    world.queues().inject(now, DEAD_LETTERS, &start.to_string());
    world.queues().inject(now + Duration::from_secs(60), DEAD_LETTERS, garbage);
    drop(world);
    desk.scene.wait(Duration::from_secs(120));
    desk
}

/// Ids in the dead-letter queue, in the order in which they came.
fn ids(desk: &Desk) -> Vec<String> {
    let mut world = desk.scene.local.world();
    let now = desk.scene.now();
    let mut letters = world.queues().visible(now, DEAD_LETTERS);
    letters.sort_by_key(|letter| letter.sent);
    letters.into_iter().map(|letter| letter.id).collect()
}

/// Runs it while the story's time goes on, for SQS moves messages in its own time.
async fn while_time_goes_on(desk: &Desk, arguments: &[&str]) -> Ran {
    let goes_on = async {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if desk.scene.calls("StartMessageMoveTask") > 0 {
                desk.scene.wait(Duration::from_millis(10));
            }
        }
    };
    tokio::select! {
        ran = desk.run(arguments) => ran,
        () = goes_on => unreachable!(),
    }
}

#[tokio::test]
async fn an_empty_queue_says_so() {
    let desk = Desk::new().await;
    insta::assert_snapshot!(desk.run(&["dlq", "list"]).await, @"The dead-letter queue is empty.");
    insta::assert_snapshot!(desk.run(&["dlq", "list", "--json"]).await, @"[]");
    insta::assert_snapshot!(desk.run(&["dlq", "redrive", "--all"]).await, @"The dead-letter queue is empty.");
}

#[tokio::test]
async fn what_somebody_looks_at_is_not_taken_for_nothing() {
    let desk = given_up().await;
    desk.scene.local.world().faults().add("sqs", "ChangeMessageVisibility", When::Always, Fault::AccessDenied);
    assert_eq!(desk.run(&["dlq", "list"]).await.code, 0);
    for command in [&["dlq", "list"][..], &["dlq", "redrive", "--all", "--yes"]] {
        let ran = desk.run(command).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(ran, @"
            --- standard error
            pipehook: somebody looks at what is in the dead-letter queue just now (2): try again in a minute
            --- exit code 1
            ");
        }
    }
    desk.scene.wait(Duration::from_secs(61));
    assert_eq!(ids(&desk).len(), 2, "they come back by themselves");
}

#[tokio::test]
async fn what_lies_there_is_listed_with_its_reason_and_stays() {
    let desk = given_up().await;
    let before = ids(&desk);
    insta::assert_snapshot!(desk.run(&["dlq", "list"]).await, @r"
    message   since (UTC)          tries  what                                            why
    672178fb  2026-01-23 21:00:00  138    start node-server on 6d995db (refs/heads/main)  CodePipeline is out of reach, throttles, or fails: ThrottlingException: Rate exceeded
    697dc0cc  2026-01-24 22:01:00  1      38 bytes that nobody can read                   it is not JSON: control character (\u0000-\u001F) found while parsing a string at line 1 column 34
    ");
    insta::assert_snapshot!(desk.run(&["dlq", "list", "--json"]).await, @r#"[{"id":"672178fb-accd-469f-866f-98a043a1a515","kind":"start","pipeline":"node-server","what":"start node-server on 6d995db (refs/heads/main)","why":"CodePipeline is out of reach, throttles, or fails: ThrottlingException: Rate exceeded","since":"2026-01-23T21:00:00Z","tries":138,"receives":2,"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0000"},{"id":"697dc0cc-2546-4257-aac9-11d82eeff7f7","kind":"unreadable","pipeline":null,"what":"38 bytes that nobody can read","why":"it is not JSON: control character (\\u0000-\\u001F) found while parsing a string at line 1 column 34","since":"2026-01-24T22:01:00Z","tries":2,"receives":2,"delivery":null}]"#);
    insta::assert_snapshot!(desk.run(&["dlq", "list", "--limit", "1"]).await.out.lines().last().unwrap(), @"about 1 more; --limit shows more of them");
    assert_eq!(ids(&desk), before, "all of them can be had again at once");
}

#[tokio::test]
async fn a_message_is_shown_in_full_without_secrets() {
    let desk = given_up().await;
    let ids = ids(&desk);
    insta::assert_snapshot!(desk.run(&["dlq", "show", &ids[0][..8]]).await, @r#"
    672178fb-accd-469f-866f-98a043a1a515
      what       start node-server on 6d995db (refs/heads/main)
      why        CodePipeline is out of reach, throttles, or fails: ThrottlingException: Rate exceeded
      since      2026-01-23 21:00:00 UTC
      last sent  2026-01-24 22:00:00 UTC
      tries      138
      received   1 times, this look included
      delivery   72d3162e-cc78-11e3-81ab-4c9367dc0000

    {
      "commit": "6d995dba1af0373913b98421f7b825327673d987",
      "delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0000",
      "first_sent": 1769202000000,
      "job": "start",
      "of_a_later_version": true,
      "pipeline": "node-server",
      "ref": "refs/heads/main",
      "repository": "octo-org/node-server",
      "retry": {
        "since": 1769202000000,
        "tries": 138,
        "why": "CodePipeline is out of reach, throttles, or fails: ThrottlingException: Rate exceeded"
      },
      "source_action": "Source",
      "token": "***"
    }
    "#);
    let unreadable = desk.run(&["dlq", "show", &ids[1]]).await;
    insta::assert_snapshot!(unreadable, @r#"
    697dc0cc-2546-4257-aac9-11d82eeff7f7
      what       38 bytes that nobody can read
      why        it is not JSON: control character (\u0000-\u001F) found while parsing a string at line 1 column 34
      since      2026-01-24 22:01:00 UTC
      last sent  2026-01-24 22:01:00 UTC
      tries      2
      received   2 times, this look included

    {"password": "***", "note": "[2J"
    "#);
    let json: Value = serde_json::from_str(&desk.run(&["dlq", "show", &ids[1], "--json"]).await.out).unwrap();
    assert_eq!(json["kind"], "unreadable");
    assert!(!json.to_string().contains("hunter2"));
    insta::assert_snapshot!(desk.run(&["dlq", "show", "0000ffff"]).await, @"
    --- standard error
    pipehook: no message 0000ffff in the dead-letter queue; `pipehook dlq list` lists what is there
    --- exit code 1
    ");
}

#[tokio::test]
async fn one_that_is_put_back_is_tried_for_another_day() {
    let desk = given_up().await;
    let ids = ids(&desk);
    insta::assert_snapshot!(desk.run(&["dlq", "redrive", &ids[0]]).await, @r#"
    --- standard error
    pipehook: nothing was changed: "Redrive 1 message?" can only be asked at a terminal; --yes goes on without asking
    --- exit code 1
    "#);
    assert_eq!(desk.scene.dead_letters().len(), 2, "nobody has agreed");
    insta::assert_snapshot!(desk.run(&["dlq", "redrive", &ids[0][..8], "--yes"]).await, @"✓ 1 message is on the queue again");
    assert_eq!(desk.scene.dead_letters().len(), 1);
    let (now, body) = (desk.scene.now(), desk.scene.local.world().queues().bodies(QUEUE).remove(0));
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["of_a_later_version"], true);
    assert_eq!(body["retry"]["since"].as_u64().unwrap() / 1000, now.as_secs());
    // CodePipeline is still not well, for twenty hours more.
    desk.scene.run_for(20 * HOUR).await;
    assert_eq!(desk.scene.dead_letters().len(), 1, "it is not given up");
    desk.scene.local.world().faults().clear();
    desk.scene.run().await;
    assert_eq!(desk.scene.executions(), [(sample::sha("Say hello"), "Succeeded")]);
    desk.scene.assert_truth();
}

#[tokio::test]
async fn all_are_put_back_by_sqs_and_are_tried_for_another_day() {
    let desk = Desk::new().await;
    desk.scene.local.world().faults().add("codepipeline", "*", When::Always, Fault::Throttle);
    desk.scene.push("Say hello").await;
    desk.scene.run().await;
    let now = desk.scene.now();
    desk.scene.local.world().queues().inject(now, QUEUE, "not JSON");
    desk.scene.run().await;
    assert_eq!(desk.scene.dead_letters().len(), 2);
    insta::assert_snapshot!(while_time_goes_on(&desk, &["dlq", "redrive", "--all", "--yes"]).await, @"✓ 2 messages are on the queue again");
    assert!(desk.scene.dead_letters().is_empty());
    desk.scene.run_for(20 * HOUR).await;
    assert_eq!(desk.scene.dead_letters().len(), 1, "what can't be read is there again, and the push is not given up");
    desk.scene.local.world().faults().clear();
    desk.scene.run().await;
    assert_eq!(desk.scene.executions(), [(sample::sha("Say hello"), "Succeeded")]);
    desk.scene.assert_truth();
}

#[tokio::test]
async fn one_that_can_not_be_sent_stays_where_it_is() {
    let desk = given_up().await;
    let ids = ids(&desk);
    desk.scene.local.world().faults().add("sqs", "SendMessage", When::Always, Fault::AccessDenied);
    insta::assert_snapshot!(desk.run(&["dlq", "redrive", &ids[0], &ids[1], "--yes"]).await, @"
    --- standard error
    pipehook: can't redrive 672178fb, after 0 of 2: AccessDenied: The caller is not authorized to perform: sqs:SendMessage; the credentials are valid, but their policy does not allow this
    --- exit code 1
    ");
    assert_eq!(desk.scene.dead_letters().len(), 2);
    let mut world = desk.scene.local.world();
    assert_eq!(world.queues().visible(desk.scene.now(), DEAD_LETTERS).len(), 2, "it can be had again at once");
}

#[tokio::test]
async fn one_that_can_not_be_deleted_is_twice_and_does_no_harm() {
    let desk = given_up().await;
    let ids = ids(&desk);
    desk.scene.local.world().faults().clear();
    desk.scene.local.world().faults().add("sqs", "DeleteMessage", When::Always, Fault::AccessDenied);
    insta::assert_snapshot!(desk.run(&["dlq", "redrive", &ids[0], "--yes"]).await, @"
    --- standard error
    pipehook: can't redrive 672178fb, after 0 of 1: it is on the queue again, but can't be deleted here: AccessDenied: The caller is not authorized to perform: sqs:DeleteMessage; the credentials are valid, but their policy does not allow this
    --- exit code 1
    ");
    desk.scene.local.world().faults().clear();
    insta::assert_snapshot!(desk.run(&["dlq", "redrive", &ids[0], "--yes"]).await, @"✓ 1 message is on the queue again");
    desk.scene.run().await;
    assert_eq!(desk.scene.executions(), [(sample::sha("Say hello"), "Succeeded")]);
    desk.scene.assert_truth();
}

#[tokio::test]
async fn a_second_redrive_at_the_same_time_is_refused() {
    let desk = given_up().await;
    let arns = ["pipehook-dead-letters", "pipehook"].map(|name| format!("arn:aws:sqs:us-east-1:123456789012:{name}"));
    let aws = aws_sdk_sqs::Client::from_conf(
        aws_sdk_sqs::config::Builder::new()
            .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
            .region(aws_sdk_sqs::config::Region::new("us-east-1"))
            .endpoint_url(desk.scene.local.server().aws_endpoint())
            .credentials_provider(aws_sdk_sqs::config::Credentials::new("person", "secret", None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build(),
    );
    let [source, target] = arns;
    aws.start_message_move_task().source_arn(source).destination_arn(target).send().await.unwrap();
    insta::assert_snapshot!(desk.run(&["dlq", "redrive", "--all", "--yes"]).await, @"
    --- standard error
    pipehook: can't redrive the dead-letter queue: AWS.SimpleQueueService.UnsupportedOperation: There is already a task running. Only one active task is allowed for a source queue arn at a given time.
    --- exit code 1
    ");
}

#[tokio::test]
async fn what_goes_wrong_says_what_to_do() {
    let desk = given_up().await;
    let mut told = String::new();
    for (service, operation, fault) in [
        ("sqs", "ReceiveMessage", Fault::AccessDenied),
        ("sqs", "ReceiveMessage", Fault::Unauthorized),
        ("sqs", "*", Fault::LostAfter),
        ("cloudformation", "*", Fault::AccessDenied),
    ] {
        desk.scene.local.world().faults().clear();
        desk.scene.local.world().faults().add(service, operation, When::Always, fault);
        told += &desk.run(&["dlq", "list"]).await.to_string();
        told += "\n";
    }
    desk.scene.local.world().faults().clear();
    told += &desk.run(&["dlq", "list", "--stack", "other"]).await.to_string();
    insta::assert_snapshot!(told, @"
    --- standard error
    pipehook: can't read the dead-letter queue: AccessDenied: The caller is not authorized to perform: sqs:ReceiveMessage; the credentials are valid, but their policy does not allow this
    --- exit code 1
    --- standard error
    pipehook: can't read the dead-letter queue: UnrecognizedClientException: The security token is invalid.; the credentials are not valid: check the access key and its secret
    --- exit code 1
    --- standard error
    pipehook: can't read the dead-letter queue: dispatch failure: other: client error (SendRequest): connection closed before message completed; AWS is out of reach: check the network, the region and AWS_ENDPOINT_URL
    --- exit code 1
    --- standard error
    pipehook: can't read the stack pipehook: AccessDenied: The caller is not authorized to perform: cloudformation:DescribeStacks; the credentials are valid, but their policy does not allow this
    --- exit code 1
    --- standard error
    pipehook: can't read the stack other: ValidationError: Stack with id other does not exist
    --- exit code 1
    ");
    assert_eq!(desk.run(&["dlq", "redrive"]).await.code, 2);
    assert_eq!(desk.run(&["dlq", "redrive", "--all", "1b2c3d4e"]).await.code, 2);
    assert_eq!(desk.run(&["dlq", "list", "--limit", "0"]).await.code, 2);
}

#[tokio::test]
async fn a_look_that_fails_in_the_middle_gives_back_what_it_has_taken() {
    let desk = given_up().await;
    let before = ids(&desk);
    {
        let mut world = desk.scene.local.world();
        world.faults().clear();
        // The first receive is answered; the SDK tries the second three times.
        for _ in 0..3 {
            world.faults().add("sqs", "ReceiveMessage", When::Nth(2), Fault::ServerError);
        }
    }
    assert_eq!(desk.run(&["dlq", "list"]).await.code, 1);
    assert_eq!(ids(&desk), before);
}
