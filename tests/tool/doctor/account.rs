//! The account, the stack, the configuration, the queues, what feeds the worker; and what keeps `doctor` from looking.

use std::net::TcpListener;
use std::time::Duration;

use pipehook::local::{DEAD_LETTERS, QUEUE, STACK, sample};
use pipehook::standin::{Fault, MappingSpec, QueueSpec, When};
use serde_json::json;

use super::{healthy, troubles, without_the_well};

/// The sample stack's worker and rule.
const WORKER: &str = "pipehook-Worker-2b9QmLr7sDxC";
const RULE: &str = "pipehook-PipelineEvents-5KcN1vHt6gZB";

fn queue() -> QueueSpec {
    QueueSpec::new(QUEUE).visibility(Duration::from_secs(180)).redrive(DEAD_LETTERS, 5)
}

#[tokio::test]
async fn a_stack_that_is_not_there_leaves_what_is_found_by_it_unchecked() {
    let desk = healthy().await;
    let ran = without_the_well(desk.run(&["doctor", "--stack", "staging"]).await);
    insta::assert_snapshot!(ran, @"
      ✗ stack staging: there is none of this name in us-east-1
          → `sam deploy --parameter-overrides Repository=OWNER/NAME` makes it; --stack or --region names another one
      – configuration: not checked: it needs the stack staging
      – webhook's secret: not checked: it needs the stack staging
      – webhook function: not checked: it needs the stack staging
      – function URL: not checked: it needs the stack staging
      – signed ping: not checked: it needs the stack staging
      – forged ping: not checked: it needs the stack staging
      – queue: not checked: it needs the stack staging
      – dead-letter queue: not checked: it needs the stack staging
      – worker function: not checked: it needs the stack staging
      – event source mapping: not checked: it needs the stack staging
      – recursion: not checked: it needs the stack staging
      – concurrency: not checked: it needs the stack staging
      – event rule: not checked: it needs the stack staging
      – queue's policy: not checked: it needs the stack staging
      – pipelines: not checked: the configuration is not known
      – token: not checked: the configuration is not known
      – webhooks: not checked: the configuration is not known
    --- standard error
    pipehook: something is wrong: 1 wrong, 17 not checked, 1 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_deploy_that_failed_shows_in_the_stacks_status() {
    let desk = healthy().await;
    desk.scene.local.world().stacks().set_status(STACK, "UPDATE_ROLLBACK_FAILED");
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ stack pipehook: it is UPDATE_ROLLBACK_FAILED
          → aws cloudformation describe-stack-events --stack-name pipehook --region us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_stack_that_is_not_pipehooks_lacks_what_is_looked_for() {
    let desk = healthy().await;
    {
        let mut world = desk.scene.local.world();
        let now = desk.scene.now();
        world.stacks().create(now, "network");
    }
    let ran = without_the_well(desk.run(&["doctor", "--stack", "network"]).await);
    insta::assert_snapshot!(ran, @r#"
      ✗ stack network: it is not pipehook's: it has no Webhook, no Worker, no Queue
          → --stack names another one
      – configuration: not checked: the stack has no output ConfigurationParameter
      ✗ webhook's secret: there is none at /aws/reference/secretsmanager/network-webhook
          → aws secretsmanager put-secret-value --secret-id network-webhook --secret-string "$(openssl rand -hex 20)" --region us-east-1, and five minutes later put it into GitHub's webhook: `pipehook webhook install`
      – webhook function: not checked: the stack has no Webhook
      – function URL: not checked: the stack has no Webhook
      – signed ping: not checked: the stack has no output WebhookUrl
      – forged ping: not checked: the stack has no output WebhookUrl
      – queue: not checked: the stack has no output Queue
      – dead-letter queue: not checked: the stack has no output DeadLetters
      – worker function: not checked: the stack has no Worker
      – event source mapping: not checked: the stack has no Worker
      – recursion: not checked: the stack has no Worker
      – concurrency: not checked: the stack has no Worker
      – event rule: not checked: the stack has no PipelineEvents
      – queue's policy: not checked: the stack has no PipelineEvents
      – pipelines: not checked: the configuration is not known
      – token: not checked: the configuration is not known
      – webhooks: not checked: the configuration is not known
    --- standard error
    pipehook: something is wrong: 2 wrong, 16 not checked, 1 well
    --- exit code 1
    "#);
}

#[tokio::test]
async fn a_configuration_that_was_deleted() {
    let desk = healthy().await;
    desk.scene.local.world().parameters().remove("/pipehook/config");
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ configuration /pipehook/config: there is no such parameter
          → aws ssm put-parameter --name /pipehook/config --type String --value file://pipehook.toml --region us-east-1
      ✗ signed ping: the function failed with 500: the settings of this function can't be read; its log says why
          → mend what is said above, or see why: aws logs tail /aws/lambda/pipehook-webhook --since 10m --region us-east-1
      – forged ping: not checked: it was answered with 500, as the signed one
      – pipelines: not checked: the configuration is not known
      – token: not checked: the configuration is not known
      – webhooks: not checked: the configuration is not known
    --- standard error
    pipehook: something is wrong: 2 wrong, 4 not checked, 13 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_mistake_in_the_configuration_is_told_with_its_line() {
    let desk = healthy().await;
    desk.scene.local.put_routes(&sample::ROUTES.replace("pipeline =", "pipelin ="));
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ configuration /pipehook/config: the configuration does not parse: TOML parse error at line 7, column 1: unknown field `pipelin`, expected one of `repository`, `branches`, `tags`, `paths`, `paths_ignore`, `pull_requests`, `pipeline`, `source_action`, `environment`, `environment_url`, `superseded`, `stop_failed_rollout`, `variables`
          → mend the file, and aws ssm put-parameter --name /pipehook/config --overwrite --value file://pipehook.toml --region us-east-1
      ✗ signed ping: the function failed with 500: the configuration of this function is wrong; its log says where
          → mend what is said above, or see why: aws logs tail /aws/lambda/pipehook-webhook --since 10m --region us-east-1
      – pipelines: not checked: the configuration is not known
      – token: not checked: the configuration is not known
      – webhooks: not checked: the configuration is not known
    --- standard error
    pipehook: something is wrong: 2 wrong, 3 not checked, 14 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_configuration_without_routes_starts_nothing() {
    let desk = healthy().await;
    desk.scene.local.put_routes("");
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ configuration /pipehook/config: it has no routes, so nothing is ever started
          → add a [[route]]
    --- standard error
    pipehook: something is wrong: 1 wrong, 16 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_queue_that_was_deleted() {
    let desk = healthy().await;
    desk.scene.local.world().queues().delete_queue(QUEUE);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ queue: SQS has no such queue: what the webhook accepts has nowhere to go
          → it was deleted by hand: delete the stack and deploy it again, or create the queue under its old name
      – event source mapping: not checked: there is no queue
      – event rule: not checked: there is no queue
      – queue's policy: not checked: there is no queue
    --- standard error
    pipehook: something is wrong: 1 wrong, 3 not checked, 20 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_queue_without_a_dead_letter_queue_loses_what_fails() {
    let desk = healthy().await;
    desk.scene.local.world().queues().create(QueueSpec::new(QUEUE).visibility(Duration::from_secs(180)));
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ queue: it has no dead-letter queue: a message that can't be handled comes back for four days, and is lost
          → aws sqs set-queue-attributes --queue-url SERVER/123456789012/pipehook --attributes '{"RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:123456789012:pipehook-dead-letters\",\"maxReceiveCount\":5}"}' --region us-east-1
      ✗ queue's policy: it does not let the rule send: every event is refused
          → aws sqs set-queue-attributes --queue-url SERVER/123456789012/pipehook --attributes '{"Policy":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"events.amazonaws.com\"},\"Action\":\"sqs:SendMessage\",\"Resource\":\"arn:aws:sqs:us-east-1:123456789012:pipehook\",\"Condition\":{\"ArnEquals\":{\"aws:SourceArn\":\"arn:aws:events:us-east-1:123456789012:rule/pipehook-PipelineEvents-5KcN1vHt6gZB\"}}}]}"}' --region us-east-1
    --- standard error
    pipehook: something is wrong: 2 wrong, 22 well
    --- exit code 1
    "#);
}

#[tokio::test]
async fn a_queue_whose_failures_go_where_nobody_looks() {
    let desk = healthy().await;
    {
        let mut world = desk.scene.local.world();
        world.queues().create(QueueSpec::new("elsewhere"));
        world.queues().create(queue().redrive("elsewhere", 5));
    }
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ queue: what fails goes to arn:aws:sqs:us-east-1:123456789012:elsewhere, and nobody looks there
          → aws sqs set-queue-attributes --queue-url SERVER/123456789012/pipehook --attributes '{"RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:123456789012:pipehook-dead-letters\",\"maxReceiveCount\":5}"}' --region us-east-1
      ✗ queue's policy: it does not let the rule send: every event is refused
          → aws sqs set-queue-attributes --queue-url SERVER/123456789012/pipehook --attributes '{"Policy":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"events.amazonaws.com\"},\"Action\":\"sqs:SendMessage\",\"Resource\":\"arn:aws:sqs:us-east-1:123456789012:pipehook\",\"Condition\":{\"ArnEquals\":{\"aws:SourceArn\":\"arn:aws:events:us-east-1:123456789012:rule/pipehook-PipelineEvents-5KcN1vHt6gZB\"}}}]}"}' --region us-east-1
    --- standard error
    pipehook: something is wrong: 2 wrong, 22 well
    --- exit code 1
    "#);
}

#[tokio::test]
async fn a_queue_that_gives_messages_up_too_soon_or_gives_them_to_two_workers() {
    let desk = healthy().await;
    let anybody = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"sqs:*"}}"#;
    let set = |spec: QueueSpec| desk.scene.local.world().queues().create(spec.policy(anybody));
    set(queue().redrive(DEAD_LETTERS, 1));
    insta::assert_snapshot!(troubles(&desk).await, @r#"
    ! queue: a message is given up after 1 receives, and a worker that is throttled or crashes uses them up
        → aws sqs set-queue-attributes --queue-url SERVER/123456789012/pipehook --attributes '{"RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:123456789012:pipehook-dead-letters\",\"maxReceiveCount\":5}"}' --region us-east-1
    "#);
    set(queue().visibility(Duration::from_secs(60)));
    insta::assert_snapshot!(troubles(&desk).await, @r#"
    ! queue: messages come back after 60 s, while a worker that has 30 s may still be at them; 180 s are advised
        → aws sqs set-queue-attributes --queue-url SERVER/123456789012/pipehook --attributes '{"VisibilityTimeout":"180"}' --region us-east-1
    "#);
}

#[tokio::test]
async fn messages_in_the_dead_letter_queue_are_counted() {
    let desk = healthy().await;
    {
        let (mut world, now) = (desk.scene.local.world(), desk.scene.now());
        world.queues().inject(now, DEAD_LETTERS, "{}");
        world.queues().inject(now, DEAD_LETTERS, "{}");
    }
    insta::assert_snapshot!(troubles(&desk).await, @"
    ! dead-letter queue: 2 messages lie in it: that could not be handled
        → `pipehook dlq list` says what they are, `pipehook dlq redrive` has them tried again
    ");
}

#[tokio::test]
async fn a_worker_that_nothing_feeds() {
    let desk = healthy().await;
    let change = |change: &dyn Fn(&mut Vec<MappingSpec>)| {
        let mut world = desk.scene.local.world();
        let mappings = &mut world.functions().mappings;
        *mappings = vec![MappingSpec::new(WORKER, "arn:aws:sqs:us-east-1:123456789012:pipehook")];
        change(mappings);
    };
    change(&|mappings| mappings.clear());
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ event source mapping: nothing hands the queue's messages to the worker
          → aws lambda create-event-source-mapping --function-name pipehook-Worker-2b9QmLr7sDxC --event-source-arn arn:aws:sqs:us-east-1:123456789012:pipehook --batch-size 10 --maximum-batching-window-in-seconds 1 --function-response-types ReportBatchItemFailures --region us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
    change(&|mappings| mappings[0].enabled = false);
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ event source mapping: it is Disabled: messages wait, and nothing starts
          → aws lambda update-event-source-mapping --uuid "$(aws lambda list-event-source-mappings --function-name pipehook-Worker-2b9QmLr7sDxC --query 'EventSourceMappings[0].UUID' --region us-east-1 --output text)" --enabled --region us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    "#);
    change(&|mappings| mappings[0].reports_item_failures = false);
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ event source mapping: it does not take single failures (ReportBatchItemFailures): what could not be handled is deleted
          → aws lambda update-event-source-mapping --uuid "$(aws lambda list-event-source-mappings --function-name pipehook-Worker-2b9QmLr7sDxC --query 'EventSourceMappings[0].UUID' --region us-east-1 --output text)" --function-response-types ReportBatchItemFailures --region us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    "#);
}

#[tokio::test]
async fn messages_that_wait_are_told_of() {
    let desk = healthy().await;
    {
        let (mut world, now) = (desk.scene.local.world(), desk.scene.now());
        for _ in 0..101 {
            world.queues().inject(now, QUEUE, "{}");
        }
    }
    insta::assert_snapshot!(troubles(&desk).await, @"
    ! queue: 101 messages wait: the worker does not keep up, or does not run
        → see the worker below; WorkerConcurrency lets more of them run
    ");
}

#[tokio::test]
async fn a_worker_whose_chains_of_wake_ups_lambda_cuts() {
    let desk = healthy().await;
    desk.scene.local.world().functions().get_mut(WORKER).unwrap().may_recurse = false;
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ recursion: Lambda cuts its chains of wake-ups after about 16: runs of more than some minutes stay pending
          → aws lambda put-function-recursion-config --function-name pipehook-Worker-2b9QmLr7sDxC --recursive-loop Allow --region us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_worker_that_somebody_has_throttled() {
    let desk = healthy().await;
    desk.scene.local.world().functions().get_mut(WORKER).unwrap().reserved = Some(0);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ concurrency: 0 is reserved for it, so it never runs: somebody has throttled it
          → aws lambda delete-function-concurrency --function-name pipehook-Worker-2b9QmLr7sDxC --region us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_worker_that_can_t_be_invoked() {
    let desk = healthy().await;
    let why = "The image manifest is not supported.";
    desk.scene.local.world().functions().get_mut(WORKER).unwrap().failure = Some(why.to_owned());
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ worker function: it is Failed: The image manifest is not supported.
          → mend that, then `sam deploy`
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_worker_that_was_deleted() {
    let desk = healthy().await;
    desk.scene.local.world().functions().delete(WORKER);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ worker function: Lambda has no function pipehook-Worker-2b9QmLr7sDxC
          → deploy again under a new stack name, or delete the stack and deploy it: `sam deploy`
      – event source mapping: not checked: there is no function
      – recursion: not checked: there is no function
      – concurrency: not checked: there is no function
    --- standard error
    pipehook: something is wrong: 1 wrong, 3 not checked, 20 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn events_that_do_not_come() {
    let desk = healthy().await;
    let change = |change: &dyn Fn(&mut pipehook::standin::RuleSpec)| {
        let mut world = desk.scene.local.world();
        let rule = world.rules().get_mut(RULE).unwrap();
        (rule.enabled, rule.pattern) = (true, json!({"source": ["aws.codepipeline"]}));
        rule.targets = vec!["arn:aws:sqs:us-east-1:123456789012:pipehook".to_owned()];
        change(rule);
    };
    change(&|rule| rule.enabled = false);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ event rule: it is disabled
          → aws events enable-rule --name pipehook-PipelineEvents-5KcN1vHt6gZB --region us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
    change(&|rule| rule.targets = vec!["arn:aws:sqs:us-east-1:123456789012:old".to_owned()]);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ event rule: it sends to arn:aws:sqs:us-east-1:123456789012:old, not to the queue
          → aws events put-targets --rule pipehook-PipelineEvents-5KcN1vHt6gZB --targets Id=Queue,Arn=arn:aws:sqs:us-east-1:123456789012:pipehook --region us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
    change(&|rule| rule.pattern = json!({"source": ["aws.codebuild"]}));
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ event rule: it is not about CodePipeline's events
          → aws events put-rule --name pipehook-PipelineEvents-5KcN1vHt6gZB --event-pattern '{"source":["aws.codepipeline"]}' --region us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    "#);
    desk.scene.local.world().rules().delete(RULE);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ event rule: EventBridge has no rule pipehook-PipelineEvents-5KcN1vHt6gZB: runs that somebody else starts are not told
          → it was deleted by hand: delete the stack and deploy it again
      – queue's policy: not checked: there is no rule
    --- standard error
    pipehook: something is wrong: 1 wrong, 1 not checked, 22 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_queue_that_does_not_take_events() {
    let desk = healthy().await;
    desk.scene.local.world().queues().create(queue());
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ queue's policy: it does not let the rule send: every event is refused
          → aws sqs set-queue-attributes --queue-url SERVER/123456789012/pipehook --attributes '{"Policy":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"events.amazonaws.com\"},\"Action\":\"sqs:SendMessage\",\"Resource\":\"arn:aws:sqs:us-east-1:123456789012:pipehook\",\"Condition\":{\"ArnEquals\":{\"aws:SourceArn\":\"arn:aws:events:us-east-1:123456789012:rule/pipehook-PipelineEvents-5KcN1vHt6gZB\"}}}]}"}' --region us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    "#);
}

#[tokio::test]
async fn no_credentials_and_no_region_are_said_before_anything_is_asked() {
    let desk = healthy().await;
    let mut command = desk.command(&["doctor"]);
    command.env_remove("AWS_ACCESS_KEY_ID");
    insta::assert_snapshot!(desk.finish(command).await, @"
    --- standard error
    pipehook: no AWS credentials: neither the environment nor a profile nor this machine has any; set AWS_PROFILE, sign in with `aws sso login`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    --- exit code 1
    ");
    let mut command = desk.command(&["doctor"]);
    command.env_remove("AWS_REGION");
    insta::assert_snapshot!(desk.finish(command).await, @"
    --- standard error
    pipehook: no AWS region: set it with --region, AWS_REGION, or in the profile
    --- exit code 1
    ");
}

#[tokio::test]
async fn credentials_that_aws_does_not_take() {
    let desk = healthy().await;
    desk.scene.local.world().faults().add("*", "*", When::Always, Fault::Unauthorized);
    insta::assert_snapshot!(desk.run(&["doctor"]).await, @"
    --- standard error
    pipehook: can't ask AWS whose credentials these are: InvalidClientTokenId: The security token is invalid.; the credentials are not valid: check the access key and its secret
    --- exit code 1
    ");
}

#[tokio::test]
async fn no_network() {
    let desk = healthy().await;
    // Nobody listens there once this is over.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = desk.command(&["doctor"]);
    command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"));
    insta::assert_snapshot!(desk.finish(command).await, @"
    --- standard error
    pipehook: can't ask AWS whose credentials these are: dispatch failure: io error: client error (Connect): tcp connect error: Connection refused; AWS is out of reach: check the network, the region and AWS_ENDPOINT_URL
    --- exit code 1
    ");
}

#[tokio::test]
async fn what_may_not_be_read_hides_nothing_else() {
    let desk = healthy().await;
    desk.scene.local.world().faults().add("events", "*", When::Always, Fault::AccessDenied);
    desk.scene.local.world().faults().add("codepipeline", "*", When::Always, Fault::AccessDenied);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ? event rule: it can't be read: AccessDeniedException: The caller is not authorized to perform: events:DescribeRule
          → the credentials are valid, but their policy does not allow this
      – queue's policy: not checked: the rule is not known
      ? pipeline node-server: it can't be read: AccessDeniedException: The caller is not authorized to perform: codepipeline:GetPipeline
          → the credentials are valid, but their policy does not allow this
    --- standard error
    pipehook: something is wrong: 2 unreadable, 1 not checked, 18 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn what_stops_answering_in_the_middle_is_waited_for_no_longer_than_that() {
    let desk = healthy().await;
    let for_ever = Fault::Delay(Duration::from_secs(3600));
    desk.scene.local.world().faults().add("events", "*", When::Always, for_ever);
    desk.scene.local.world().faults().add("lambda", "ListEventSourceMappings", When::Always, Fault::LostBefore);
    desk.scene.local.world().faults().add("ecs", "*", When::Always, Fault::BadGateway);
    desk.scene.local.world().faults().add("codeconnections", "*", When::Always, Fault::Nonsense);
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ? event source mapping: it can't be read: dispatch failure: other: client error (SendRequest): connection closed before message completed
          → AWS is out of reach: check the network, the region and AWS_ENDPOINT_URL
      ? event rule: it can't be read: request has timed out: operation attempt timeout (single attempt) occurred after 3s
          → AWS is out of reach: check the network, the region and AWS_ENDPOINT_URL
      – queue's policy: not checked: the rule is not known
      ? connection of node-server: it can't be read: the answer to GetConnection can't be read: expected value at line 1 column 1
      ? service staging/node-server: it can't be read: response error: invalid input: malformed JSON error body: Error at offset 0: unexpected token '<'. Expected one of '{', '[', '"', 'null', 'true', 'false', <number>
    --- standard error
    pipehook: something is wrong: 4 unreadable, 1 not checked, 19 well
    --- exit code 1
    "#);
}

#[tokio::test]
async fn json_is_one_document_with_a_finding_for_each_link() {
    let desk = healthy().await;
    desk.scene.local.world().functions().get_mut(WORKER).unwrap().reserved = Some(0);
    let ran = desk.run(&["doctor", "--json", "--only", "worker"]).await;
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&report).unwrap(), @r#"
    {
      "about": "The stack pipehook in account 123456789012, us-east-1",
      "findings": [
        {
          "detail": "pipehook-Worker-2b9QmLr7sDxC",
          "group": "worker",
          "link": "worker function",
          "verdict": "ok"
        },
        {
          "detail": "it is enabled, and takes single failures",
          "group": "worker",
          "link": "event source mapping",
          "verdict": "ok"
        },
        {
          "detail": "it may send itself wake-ups",
          "group": "worker",
          "link": "recursion",
          "verdict": "ok"
        },
        {
          "group": "worker",
          "link": "concurrency",
          "mending": "aws lambda delete-function-concurrency --function-name pipehook-Worker-2b9QmLr7sDxC --region us-east-1",
          "problem": "0 is reserved for it, so it never runs: somebody has throttled it",
          "verdict": "wrong"
        }
      ],
      "healthy": false
    }
    "#);
    insta::assert_snapshot!(format!("{}{}", ran.err, ran.code), @"
    pipehook: something is wrong: 1 wrong, 3 well
    1
    ");
}
