//! A request as the internet may send it, to the receiver: the signature, the body, the routes, and the queue.
//!
//! What is not signed sends nothing and is never accepted. What is signed is accepted once its messages were taken, or is
//! told what is wrong with it.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::{Corpus, fuzz_target};
use pipehook::clock::Clock;
use pipehook::domain::time::Timestamp;
use pipehook::queue::Queue;
use pipehook::queue::message::Job;
use pipehook::queue::received::Received;
use pipehook::settings::{Function, SettingsStore};
use pipehook::webhook::Webhook;
use pipehook_fuzz::{CONFIG, Delivery, SECRETS, Sqs};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

struct Receiver {
    runtime: Runtime,
    sqs: Sqs,
    webhook: Webhook,
}

impl Receiver {
    fn new() -> Self {
        let sqs = Sqs::default();
        let sdk_config = sqs.sdk_config();
        let clock = Clock::from_fn(|| Timestamp::from_secs(1_769_292_000));
        let env = |name: &str| match name {
            "PIPEHOOK_CONFIG" => Some(CONFIG.to_owned()),
            "PIPEHOOK_WEBHOOK_SECRET" => Some(SECRETS.join("\n")),
            _ => None,
        };
        let settings = SettingsStore::new(&sdk_config, Function::Webhook, clock.clone(), &env);
        let queue = Queue::new(&sdk_config, "https://sqs.us-east-1.amazonaws.com/123456789012/pipehook".to_owned());
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime without I/O");
        Self { runtime, sqs, webhook: Webhook { settings, queue, clock } }
    }
}

thread_local! {
    static RECEIVER: RefCell<Receiver> = RefCell::new(Receiver::new());
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some(delivery) = Delivery::parse(data) else { return Corpus::Reject };
    RECEIVER.with_borrow(|receiver| try_out(receiver, delivery));
    Corpus::Keep
});

fn try_out(receiver: &Receiver, delivery: Delivery) {
    let (is_signed, is_down) = (delivery.is_signed(), delivery.queue_is_down);
    let is_post = delivery.request.method() == "POST";
    let is_ours = matches!(delivery.request.uri().path(), "" | "/" | "/webhook");
    receiver.sqs.set_down(is_down);
    let response = receiver.runtime.block_on(receiver.webhook.handle(delivery.request));
    let taken = receiver.sqs.take();
    let status = response.status().as_u16();
    let answer: Value = serde_json::from_str(response.body()).expect("every answer is JSON");
    match status {
        404 => assert!(!is_ours),
        405 => assert!(is_ours && !is_post),
        401 => assert!(is_ours && is_post && !is_signed),
        202 | 400 | 500 => assert!(is_ours && is_post && is_signed, "{status} for what is not signed"),
        other => panic!("{other} is no answer of ours"),
    }
    assert_eq!(status == 202, answer["decisions"].is_array());
    assert!(status == 202 || answer["error"].as_str().is_some_and(|error| !error.is_empty()));
    assert!(status != 500 || is_down, "it blames the queue, which is there");
    let decisions = answer["decisions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let promised = decisions.iter().filter(|decision| decision["decision"] != "ignored").count();
    // Nothing is accepted before it is durable, and nothing is sent that is not accepted.
    assert_eq!(taken.len(), if status == 202 { promised } else { 0 });
    for body in taken {
        let Ok(Some(Received::Ours(message))) = Received::parse(&body) else { panic!("the worker can't read {body}") };
        match &message.job {
            Job::Start(start) => assert!(start.request().is_ok()),
            Job::Press(press) => assert!(press.start.request().is_ok()),
            Job::Skip(skip) => assert!(!skip.reason.is_empty()),
            other => panic!("the receiver asks for {other:?}"),
        }
    }
}
