//! A message on the queue: what is read and written again is read as the same, and as one that SQS takes.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use pipehook::domain::report::{RunOptions, State};
use pipehook::domain::time::Timestamp;
use pipehook::domain::token::ClientRequestToken;
use pipehook::queue::message::{self, Job, Message, Start};
use pipehook::queue::received::Received;

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(body) = std::str::from_utf8(data) else { return Corpus::Reject };
    match Received::parse(body) {
        Ok(Some(Received::Ours(message))) => read(&message),
        Ok(Some(Received::Event(_)) | None) => {}
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    Corpus::Keep
});

fn read(message: &Message) {
    let written = message.to_body().expect("what was read can be written");
    assert!(written.chars().all(is_taken_by_sqs), "SQS does not take {written:?}");
    let Ok(Some(Received::Ours(again))) = Received::parse(&written) else { panic!("not read again: {written}") };
    assert_eq!(format!("{message:?}"), format!("{again:?}"));
    assert_eq!(written, again.to_body().expect("it was written before"));

    let now = Timestamp::from_secs(1_769_292_000);
    assert!(message.waits_for_github(now).is_none_or(|wait| !wait.is_zero()));
    // What goes back to the queue names what it is about.
    let _ = (message.job.pipeline(), message.job.seed());
    match &message.job {
        Job::Start(start) => started(start),
        Job::Press(press) => started(&press.start),
        Job::Skip(skip) => {
            let _ = (message::repository(&skip.repository), message::commit(&skip.commit));
        }
        Job::Follow(follow) => {
            assert!(RunOptions::from(&follow.options).superseded.is_final());
            for rollout in &follow.memory.rollouts {
                let _ = rollout.rollout();
            }
            for reported in &follow.memory.reported {
                let _ = State::parse(&reported.state);
            }
        }
        Job::Look(_) => {}
    }
}

fn started(start: &Start) {
    let Ok(request) = start.request() else { return };
    let token = ClientRequestToken::from_queue(start.token.clone());
    assert!(token.as_str().contains(token.mark()));
    let again = Start::new(&request, &token);
    assert_eq!(again.request().ok(), Some(request));
}

/// The characters of XML 1.0 (SQS API reference: `SendMessage`).
fn is_taken_by_sqs(char: char) -> bool {
    matches!(char, '\u{9}' | '\u{a}' | '\u{d}' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}
