//! An event of EventBridge, as the worker reads it from the queue: which execution to look at, and nothing else.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use pipehook::queue::received::{Received, ReceivedError};
use serde_json::Value;

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(body) = std::str::from_utf8(data) else { return Corpus::Reject };
    let json: Option<Value> = serde_json::from_str(body).ok();
    let text = |path: &str| json.as_ref().and_then(|json| json.pointer(path)).and_then(Value::as_str);
    let is_event = json.as_ref().is_some_and(|json| json.get("detail-type").is_some());
    let received = Received::parse(body);
    match &received {
        Ok(Some(Received::Event(event))) => {
            assert!(is_event);
            assert_eq!(text("/source"), Some("aws.codepipeline"));
            assert_eq!(text("/detail/pipeline"), Some(event.pipeline.as_str()));
            assert_eq!(text("/detail/execution-id"), Some(event.execution.as_str()));
        }
        Ok(Some(Received::Ours(_))) => assert!(!is_event),
        Ok(None) | Err(ReceivedError::NotAnEvent(_)) => assert!(is_event),
        Err(ReceivedError::NotJson(_)) => assert!(json.is_none()),
        Err(ReceivedError::NotOurs(_)) => assert!(!is_event),
    }
    Corpus::Keep
});
