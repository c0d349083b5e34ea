//! `pipehook serve`, as a process that gets deliveries and signals.

#![allow(clippy::unwrap_used)] // A helper that can't go on fails its test.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, StatusCode};
use pipehook::local::{DEAD_LETTERS, QUEUE, sample, signed_request};
use pipehook::standin::{Fault, QueueSpec, When};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;
use tokio::task::JoinHandle;

use crate::common::{SECRET, Scene};
use crate::scene::{Desk, Ran};

/// After this long without what is waited for, a story is taken to never go on.
const HANGS: Duration = Duration::from_secs(120);

/// How long a message that was received stays hidden, as the queue is set up.
const VISIBILITY: Duration = Duration::from_secs(180);

const DELIVERY: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";

/// The process, running.
struct Served {
    child: Child,
    address: String,
    log: Arc<Mutex<Vec<Value>>>,
    /// What is no line of the log, once it has ended.
    said: JoinHandle<String>,
}

/// An answer over HTTP.
struct Answer {
    status: u16,
    body: String,
}

impl Served {
    /// Starts it, and waits until it listens.
    async fn start(desk: &Desk, arguments: &[&str]) -> Self {
        Self::of(desk.command(&[&["serve", "--listen", "127.0.0.1:0"], arguments].concat())).await
    }

    async fn of(mut command: tokio::process::Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let logged = log.clone();
        let said = tokio::spawn(async move {
            let mut said = String::new();
            while let Ok(Some(line)) = lines.next_line().await {
                match serde_json::from_str::<Value>(&line) {
                    Ok(line) => logged.lock().unwrap().push(line),
                    Err(_) => said += &line,
                }
            }
            said
        });
        let mut served = Self { child, address: String::new(), log, said };
        served.hears("listening").await;
        served.address = served.lines("listening")[0]["fields"]["address"].as_str().unwrap().to_owned();
        served
    }

    /// The log's lines with this message.
    fn lines(&self, message: &str) -> Vec<Value> {
        let log = self.log.lock().unwrap();
        let is_it = |line: &&Value| line["fields"]["message"].as_str().is_some_and(|said| said.starts_with(message));
        log.iter().filter(is_it).cloned().collect()
    }

    /// Waits until the log says something.
    async fn hears(&self, message: &str) {
        eventually(message, || !self.lines(message).is_empty()).await;
    }

    fn signal(&self, name: &str) {
        let process = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([name, &process]).status().unwrap().success());
    }

    /// Waits for its end; the exit code, and what it told in the end.
    async fn end(mut self) -> (Option<i32>, String) {
        let status = tokio::time::timeout(HANGS, self.child.wait()).await.unwrap().unwrap();
        (status.code(), self.said.await.unwrap())
    }

    async fn send(&self, request: Request<impl AsRef<[u8]>>) -> Answer {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let (parts, body) = request.into_parts();
        let body = body.as_ref();
        let mut head = format!("{} {} HTTP/1.1\r\nhost: pipehook\r\nconnection: close\r\n", parts.method, parts.uri);
        for (name, value) in &parts.headers {
            head += &format!("{name}: {}\r\n", value.to_str().unwrap());
        }
        head += &format!("content-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut text = String::new();
        tokio::time::timeout(HANGS, stream.read_to_string(&mut text)).await.unwrap().unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Answer { status: head.split(' ').nth(1).unwrap().parse().unwrap(), body: body.to_owned() }
    }

    async fn get(&self, path: &str) -> String {
        let answer = self.send(Request::get(path).body("").unwrap()).await;
        format!("{} {}", answer.status, answer.body.trim_end())
    }

    /// Delivers a push of this commit to main as GitHub does.
    async fn push(&self, message: &str) -> String {
        let payload = sample::push("main", message, &["src/server.js"]).to_string();
        let answer = self.send(signed_request(DELIVERY, "push", &payload, SECRET).unwrap()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        sample::sha(message)
    }
}

/// Waits until something is so.
async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let waited = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(HANGS, waited).await.is_ok(), "waited in vain: {what}");
}

/// Lets the stand-ins' time pass while nobody is at work, until nothing is left to happen.
async fn to_the_end(scene: &Scene) {
    eventually("the end of the story", || {
        let now = scene.now();
        let mut world = scene.local.world();
        let queues = world.queues();
        if queues.count_visible(now, QUEUE) > 0 || !queues.in_flight(now, QUEUE).is_empty() {
            return false;
        }
        let next = world.next_change();
        drop(world);
        match next {
            Some(next) => scene.jump_to(next.max(now + Duration::from_millis(1))),
            None => return true,
        }
        false
    })
    .await;
}

async fn desk() -> Desk {
    Desk::of(Scene::of_today().await).await
}

/// Runs it where it can't begin.
async fn fails(desk: &Desk, change: impl FnOnce(&mut tokio::process::Command)) -> Ran {
    let mut command = desk.command(&["serve", "--listen", "127.0.0.1:0"]);
    change(&mut command);
    tokio::time::timeout(HANGS, desk.finish(command)).await.unwrap()
}

#[tokio::test]
async fn a_push_is_taken_started_and_followed_to_its_end() {
    let desk = desk().await;
    let served = Served::start(&desk, &[]).await;
    let sha = served.push("Answer health checks").await;
    to_the_end(&desk.scene).await;
    desk.scene.assert_truth();
    assert_eq!(desk.scene.executions(), [(sha, "Succeeded")]);
    served.signal("-TERM");
    assert_eq!(served.end().await, (Some(0), String::new()));
}

#[tokio::test]
async fn what_is_no_delivery_is_answered_as_the_function_answers_it() {
    let desk = desk().await;
    let served = Served::start(&desk, &[]).await;
    let payload = sample::push("main", "Forged", &["src/server.js"]).to_string();
    let forged = served.send(signed_request(DELIVERY, "push", &payload, "guessed").unwrap()).await;
    insta::assert_snapshot!(format!("{} {}", forged.status, forged.body), @r#"401 {"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0958","error":"the signature does not fit the body: the secret at GitHub is another one, or this is not GitHub"}"#);
    insta::assert_snapshot!(served.get("/").await, @r#"405 {"delivery":"","error":"deliveries come by POST"}"#);
    insta::assert_snapshot!(served.get("/admin").await, @r#"404 {"delivery":"","error":"there is nothing at this path; deliveries go to / or /webhook"}"#);
    insta::assert_snapshot!(served.get("/healthz").await, @"200 it runs");
    insta::assert_snapshot!(served.get("/readyz").await, @"200 it is ready");
    let posted = served.send(Request::post("/readyz").body("").unwrap()).await;
    insta::assert_snapshot!(format!("{} {}", posted.status, posted.body), @"405 this is asked by GET");
    assert!(desk.scene.executions().is_empty());
    // Who it was is told, and never what they sent.
    let refused = served.lines("refused");
    assert_eq!(refused[0]["fields"]["delivery"], DELIVERY);
    assert!(!format!("{:?}", served.log.lock().unwrap()).contains("guessed"));
}

#[tokio::test]
async fn a_delivery_that_lambda_would_not_let_through_is_taken() {
    let desk = desk().await;
    let served = Served::start(&desk, &["--only", "webhook"]).await;
    let payload = json!({"zen": "Keep it logically awesome. ".repeat(300_000)}).to_string();
    assert!(payload.len() > 6 * 1024 * 1024);
    let answer = served.send(signed_request(DELIVERY, "ping", &payload, SECRET).unwrap()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
}

#[tokio::test]
async fn told_to_end_it_finishes_the_batch_and_the_next_one_goes_on() {
    let desk = desk().await;
    let served = Served::start(&desk, &[]).await;
    // The answer comes late enough for the signal to come first.
    let late = Fault::Delay(Duration::from_secs(2));
    desk.scene.local.world().faults().next("codepipeline", "StartPipelineExecution", 1, late);
    let sha = served.push("Answer health checks").await;
    eventually("the start", || desk.scene.calls("StartPipelineExecution") >= 1).await;
    served.signal("-TERM");
    served.hears("asked to end").await;
    assert_eq!(served.get("/readyz").await, "503 it is shutting down");
    assert_eq!(served.get("/healthz").await, "200 it runs");
    assert_eq!(served.end().await, (Some(0), String::new()));
    // The start is done and deleted, and what follows waits on the queue.
    let now = desk.scene.now();
    assert!(desk.scene.local.world().queues().in_flight(now, QUEUE).is_empty());
    assert_eq!(desk.scene.follow_messages().len(), 1);

    let _next = Served::start(&desk, &["--only", "worker"]).await;
    to_the_end(&desk.scene).await;
    desk.scene.assert_truth();
    assert_eq!(desk.scene.executions(), [(sha, "Succeeded")]);
    assert_eq!(desk.scene.calls("StartPipelineExecution"), 1);
}

#[tokio::test]
async fn told_twice_it_ends_at_once_and_what_it_was_at_is_done_by_the_next_one() {
    let desk = desk().await;
    let served = Served::start(&desk, &["--grace", "60m"]).await;
    let never = Fault::Delay(Duration::from_secs(3600));
    desk.scene.local.world().faults().add("codepipeline", "StartPipelineExecution", When::Always, never);
    let sha = served.push("Answer health checks").await;
    eventually("the start", || desk.scene.calls("StartPipelineExecution") >= 1).await;
    served.signal("-INT");
    served.hears("asked to end").await;
    served.signal("-INT");
    let (code, said) = served.end().await;
    assert_eq!(code, Some(1));
    insta::assert_snapshot!(said, @"pipehook: ended at once; messages that were being worked on come back to the queue by themselves");

    desk.scene.local.world().faults().clear();
    let _next = Served::start(&desk, &["--only", "worker"]).await;
    desk.scene.wait(VISIBILITY);
    eventually("the message comes back", || !desk.scene.follow_messages().is_empty()).await;
    to_the_end(&desk.scene).await;
    desk.scene.assert_truth();
    assert_eq!(desk.scene.executions(), [(sha, "Succeeded")]);
    // It knows that it is not the first that got the message, and looks before it starts.
    assert!(desk.scene.calls("ListPipelineExecutions") > 0);
}

#[tokio::test]
async fn what_is_not_over_within_the_grace_is_left_on_the_queue() {
    let desk = desk().await;
    let served = Served::start(&desk, &["--grace", "1s"]).await;
    let never = Fault::Delay(Duration::from_secs(3600));
    desk.scene.local.world().faults().next("codepipeline", "StartPipelineExecution", 1, never);
    let sha = served.push("Answer health checks").await;
    eventually("the start", || desk.scene.calls("StartPipelineExecution") >= 1).await;
    served.signal("-TERM");
    assert_eq!(served.end().await, (Some(0), String::new()));
    assert_eq!(desk.scene.local.world().queues().bodies(QUEUE).len(), 1);

    let _next = Served::start(&desk, &["--only", "worker"]).await;
    desk.scene.wait(VISIBILITY);
    eventually("the message comes back", || !desk.scene.follow_messages().is_empty()).await;
    to_the_end(&desk.scene).await;
    desk.scene.assert_truth();
    assert_eq!(desk.scene.executions(), [(sha, "Succeeded")]);
}

#[tokio::test]
async fn what_can_not_be_deleted_comes_again_and_starts_nothing_twice() {
    let desk = desk().await;
    let served = Served::start(&desk, &[]).await;
    // Three attempts of a call, and one more call.
    desk.scene.local.world().faults().next("sqs", "DeleteMessageBatch", 4, Fault::ServerError);
    let sha = served.push("Answer health checks").await;
    let is_left = |scene: &Scene| !scene.local.world().queues().in_flight(scene.now(), QUEUE).is_empty();
    eventually("the start", || !desk.scene.executions().is_empty()).await;
    eventually("a deletion that works", || !is_left(&desk.scene)).await;
    assert!(served.lines("messages that are done").is_empty());

    desk.scene.local.world().faults().add("sqs", "DeleteMessageBatch", When::Always, Fault::ServerError);
    let second = served.push("Rewrite the router").await;
    served.hears("messages that are done could not be deleted").await;
    desk.scene.local.world().faults().clear();
    desk.scene.wait(VISIBILITY);
    eventually("the message comes back and is deleted", || !is_left(&desk.scene)).await;
    to_the_end(&desk.scene).await;
    let mut commits: Vec<_> = desk.scene.executions().into_iter().map(|(commit, _)| commit).collect();
    commits.sort();
    let mut pushed = [sha, second];
    pushed.sort();
    assert_eq!(commits, pushed);
}

#[tokio::test]
async fn what_the_last_poll_brings_is_still_done() {
    let desk = desk().await;
    let served = Served::start(&desk, &["--only", "worker", "--workers", "1"]).await;
    // A poll that hangs, as every poll does at SQS until there is a message.
    let hangs = Fault::Delay(Duration::from_secs(1));
    desk.scene.local.world().faults().add("sqs", "ReceiveMessage", When::Always, hangs);
    let sha = desk.scene.push("Answer health checks").await;
    let received = |scene: &Scene| !scene.local.world().queues().in_flight(scene.now(), QUEUE).is_empty();
    eventually("the poll that gets it", || received(&desk.scene)).await;
    served.signal("-TERM");
    assert_eq!(served.end().await, (Some(0), String::new()));
    assert_eq!(desk.scene.executions(), [(sha, "InProgress")]);
    assert_eq!(desk.scene.follow_messages().len(), 1);
}

#[tokio::test]
async fn beside_another_worker_on_the_same_queue_everything_is_done_once() {
    let desk = desk().await;
    let served = Served::start(&desk, &["--workers", "2"]).await;
    let sha = served.push("Answer health checks").await;
    let scene = desk.scene.clone();
    let lambda = async {
        loop {
            scene.handle_one_batch().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = to_the_end(&desk.scene) => {}
        () = lambda => {}
    }
    desk.scene.assert_truth();
    assert_eq!(desk.scene.executions(), [(sha, "Succeeded")]);
}

#[tokio::test]
async fn a_message_that_nobody_can_read_is_dead_after_five_receives() {
    let desk = desk().await;
    let served = Served::start(&desk, &["--only", "worker"]).await;
    let scene = &desk.scene;
    scene.local.world().queues().inject(scene.now(), QUEUE, "no message of pipehook");
    for receives in 1..=5 {
        eventually("a receive", || served.lines("the message does not parse").len() == receives).await;
        assert!(scene.dead_letters().is_empty());
        scene.wait(VISIBILITY);
    }
    eventually("its death", || !scene.dead_letters().is_empty()).await;
    assert_eq!(scene.dead_letters(), ["no message of pipehook"]);
    assert_eq!(served.get("/readyz").await, "200 it is ready");
}

#[tokio::test]
async fn a_queue_that_stops_answering_is_told_once_and_waited_for() {
    let desk = desk().await;
    let served = Served::start(&desk, &[]).await;
    desk.scene.local.world().faults().add("sqs", "ReceiveMessage", When::Always, Fault::AccessDenied);
    served.hears("the queue does not answer").await;
    assert_eq!(served.get("/readyz").await, "503 the queue does not answer");
    assert_eq!(served.get("/healthz").await, "200 it runs");
    // Some more polls fail.
    let failed = desk.scene.calls("ReceiveMessage");
    eventually("more polls", || desk.scene.calls("ReceiveMessage") >= failed + 4).await;
    let told = served.lines("the queue does not answer");
    insta::assert_snapshot!(told[0]["fields"], @r#"{"cause":"AccessDenied: The caller is not authorized to perform: sqs:ReceiveMessage","message":"the queue does not answer; it is tried again"}"#);
    assert_eq!(told.len(), 1);
    desk.scene.local.world().faults().clear();
    served.hears("the queue: well again").await;
    assert_eq!(served.get("/readyz").await, "200 it is ready");
}

#[tokio::test]
async fn only_the_webhook_receives_nothing_and_only_the_worker_takes_no_deliveries() {
    let desk = desk().await;
    let webhook = Served::start(&desk, &["--only", "webhook"]).await;
    webhook.push("Answer health checks").await;
    assert_eq!(webhook.get("/readyz").await, "200 it is ready");
    assert_eq!(desk.scene.calls("ReceiveMessage"), 0);
    let worker = Served::start(&desk, &["--only", "worker"]).await;
    insta::assert_snapshot!(worker.get("/").await, @r#"404 {"delivery":"","error":"no deliveries are taken here; this process runs the worker only"}"#);
    to_the_end(&desk.scene).await;
    desk.scene.assert_truth();
}

#[tokio::test]
async fn with_everything_in_the_environment_no_stack_is_needed() {
    let desk = desk().await;
    let mut command = desk.command(&["serve", "--listen", "127.0.0.1:0", "--stack", "nowhere"]);
    let server = desk.scene.local.server();
    let config = format!("[github]\napi_url = \"{}\"\n{}", server.github_api_url(), sample::ROUTES);
    command.env("PIPEHOOK_CONFIG", config).env("PIPEHOOK_WEBHOOK_SECRET", "another secret");
    command.env("PIPEHOOK_GITHUB_TOKEN", crate::common::TOKEN).env("PIPEHOOK_QUEUE_URL", server.queue_url(QUEUE));
    let served = Served::of(command).await;
    let payload = sample::push("main", "Answer health checks", &["src/server.js"]).to_string();
    let answer = served.send(signed_request(DELIVERY, "push", &payload, "another secret").unwrap()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    to_the_end(&desk.scene).await;
    desk.scene.assert_truth();
}

#[tokio::test]
async fn what_is_wrong_from_the_beginning_is_said_at_once() {
    let desk = desk().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap();
    let taken_port = desk.run(&["serve", "--listen", &taken.to_string()]).await;
    insta::assert_snapshot!(taken_port.to_string().replace(&taken.to_string(), "ADDRESS"), @"
    --- standard error
    pipehook: can't listen on ADDRESS: Address already in use; --listen takes another address
    --- exit code 1
    ");

    let no_credentials = fails(&desk, |command| {
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    });
    insta::assert_snapshot!(no_credentials.await, @"
    --- standard error
    pipehook: no AWS credentials: neither the environment nor a profile nor this machine has any; set AWS_PROFILE, sign in with `aws sso login`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    --- exit code 1
    ");

    let no_region = fails(&desk, |command| {
        command.env_remove("AWS_REGION");
    });
    insta::assert_snapshot!(no_region.await, @"
    --- standard error
    pipehook: no AWS region: set it with --region, AWS_REGION, or in the profile
    --- exit code 1
    ");

    // Where nobody listens any more.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let no_network = fails(&desk, |command| {
        command.env("AWS_ENDPOINT_URL", format!("http://{gone}")).env("PIPEHOOK_QUEUE_URL", "http://SERVER/queue");
        command.env("PIPEHOOK_CONFIG", sample::ROUTES);
    });
    insta::assert_snapshot!(no_network.await, @"
    --- standard error
    pipehook: can't read the queue http://SERVER/queue: dispatch failure: io error: client error (Connect): tcp connect error: Connection refused; AWS is out of reach: check the network, the region and AWS_ENDPOINT_URL
    --- exit code 1
    ");

    let no_parameter_store = fails(&desk, |command| {
        command.env("AWS_ENDPOINT_URL_SSM", format!("http://{gone}"));
    });
    insta::assert_snapshot!(no_parameter_store.await, @"
    --- standard error
    pipehook: can't use the webhook's settings: SSM can't be read: dispatch failure: io error: client error (Connect): tcp connect error: Connection refused; AWS is out of reach: check the network, the region and AWS_ENDPOINT_URL
    --- exit code 1
    ");

    let no_stack = fails(&desk, |command| {
        command.env("PIPEHOOK_STACK", "nowhere");
    });
    insta::assert_snapshot!(no_stack.await, @"
    --- standard error
    pipehook: can't read the stack nowhere: ValidationError: Stack with id nowhere does not exist
    --- exit code 1
    ");

    let no_queue = fails(&desk, |command| {
        command.env("PIPEHOOK_QUEUE_URL", desk.scene.local.server().queue_url("nowhere"));
    });
    insta::assert_snapshot!(no_queue.await, @"
    --- standard error
    pipehook: can't read the queue SERVER/123456789012/nowhere: AWS.SimpleQueueService.NonExistentQueue: The specified queue does not exist.
    --- exit code 1
    ");

    let no_parameter = fails(&desk, |command| {
        command.env("PIPEHOOK_CONFIG_PARAMETER", "/nowhere");
    });
    insta::assert_snapshot!(no_parameter.await, @r#"
    --- standard error
    pipehook: can't use the webhook's settings: SSM has no parameter "/nowhere", or the function's role may not read it
    --- exit code 1
    "#);

    let no_toml = fails(&desk, |command| {
        command.env("PIPEHOOK_CONFIG", "[[route]]\nrepository = 1\n");
    });
    insta::assert_snapshot!(no_toml.await, @"
    --- standard error
    pipehook: can't use the webhook's settings: the configuration does not parse: TOML parse error at line 2, column 14
      |
    2 | repository = 1
      |              ^
    invalid type: integer `1`, expected a string
    --- exit code 1
    ");

    desk.scene.local.put_webhook_secret("\n");
    insta::assert_snapshot!(fails(&desk, |_| ()).await, @"
    --- standard error
    pipehook: can't use the webhook's settings: the secret is empty, so that every delivery would be refused
    --- exit code 1
    ");

    let wrong = desk.run(&["serve", "--workers", "0"]).await;
    insta::assert_snapshot!(wrong, @"
    --- standard error
    error: invalid value '0' for '--workers <N>': 0 is not in 1..=64

    For more information, try '--help'.
    --- exit code 2
    ");
}

#[tokio::test]
async fn a_queue_that_can_not_feed_a_worker_is_refused_and_one_without_dead_letters_warned_of() {
    let desk = desk().await;
    let short = QueueSpec::new(QUEUE).visibility(Duration::from_secs(20)).redrive(DEAD_LETTERS, 5);
    desk.scene.local.world().queues().create(short);
    insta::assert_snapshot!(fails(&desk, |_| ()).await, @"
    --- standard error
    pipehook: the queue SERVER/123456789012/pipehook can't feed the worker: its visibility timeout is 20 s, and must be longer than the 23 s that a batch may take
    --- exit code 1
    ");
    desk.scene.local.world().queues().create(QueueSpec::new(QUEUE).visibility(VISIBILITY));
    let served = Served::start(&desk, &[]).await;
    assert_eq!(served.lines("the queue has no dead-letter queue").len(), 1);
}

#[tokio::test]
async fn credentials_that_do_not_do_are_told_from_permissions_that_are_missing() {
    let desk = desk().await;
    desk.scene.local.world().faults().add("sqs", "*", When::Always, Fault::Unauthorized);
    insta::assert_snapshot!(fails(&desk, |_| ()).await, @"
    --- standard error
    pipehook: can't read the queue SERVER/123456789012/pipehook: UnrecognizedClientException: The security token is invalid.; the credentials are not valid: check the access key and its secret
    --- exit code 1
    ");
    desk.scene.local.world().faults().clear();
    desk.scene.local.world().faults().add("ssm", "*", When::Always, Fault::AccessDenied);
    insta::assert_snapshot!(fails(&desk, |_| ()).await, @"
    --- standard error
    pipehook: can't use the webhook's settings: SSM can't be read: AccessDeniedException: The caller is not authorized to perform: ssm:GetParameters; the credentials are valid, but their policy does not allow this
    --- exit code 1
    ");
}
