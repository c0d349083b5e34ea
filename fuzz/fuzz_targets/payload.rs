//! A payload of each event that is read, and what the routes make of it. The first line of the input names the event.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use pipehook::config::Config;
use pipehook::domain::event::{Event, EventKind};
use pipehook::domain::route::{Decision, StartRequest};
use pipehook::domain::template::MAX_VALUE_CHARS;
use pipehook::webhook::payload;
use pipehook_fuzz::CONFIG;
use serde::de::IgnoredAny;

static ROUTES: LazyLock<Config> = LazyLock::new(|| Config::parse(CONFIG).expect("it is valid"));

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return Corpus::Reject };
    let Ok(name) = std::str::from_utf8(&data[..end]) else { return Corpus::Reject };
    let body = &data[end + 1..];
    match payload::parse(name, "d-1", body) {
        Ok(event) => {
            assert!(serde_json::from_slice::<IgnoredAny>(body).is_ok(), "read what is no JSON");
            assert_eq!(event, payload::parse(name, "d-1", body).expect("it was read before"));
            planned(&event);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    Corpus::Keep
});

fn planned(event: &Event) {
    let decisions = ROUTES.routes.plan(event);
    assert!(!decisions.is_empty(), "every delivery is answered with something");
    for decision in &decisions {
        match (decision, &event.kind) {
            (Decision::Start(request), EventKind::Push(push)) => {
                assert_eq!((&request.commit, &request.git_ref), (&push.commit, &push.git_ref));
                can_be_started(request);
            }
            (Decision::Start(request), EventKind::PullRequest(pull)) => {
                assert!(!pull.from_fork);
                assert_eq!(request.commit, pull.commit);
                can_be_started(request);
            }
            (Decision::Press(press, request), EventKind::Press(pressed)) => {
                assert_eq!(**press, *pressed);
                can_be_started(request);
            }
            (Decision::Skip { commit, .. }, EventKind::Push(push)) => assert_eq!(*commit, push.commit),
            (Decision::Ignore(reason), _) => assert!(!reason.to_string().is_empty()),
            (decision, kind) => panic!("{kind:?} came to {decision:?}"),
        }
    }
}

/// CodePipeline takes values of 1 to 1,000 characters.
fn can_be_started(request: &StartRequest) {
    for (_, value) in &request.variables {
        assert!((1..=MAX_VALUE_CHARS).contains(&value.chars().count()) && !value.chars().any(char::is_control));
    }
}
