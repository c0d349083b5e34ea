//! What the functions log (promise 7). It has a test binary of its own, for a subscriber is the whole process's.

#![allow(clippy::unwrap_used)] // A test ends where something is not as it must be.

mod common;

use common::{SECRET, Scene};
use pipehook::local::sample;
use pipehook::standin::{Fault, When};

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn secrets_and_bodies_are_never_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let scene = Scene::new().await;
    let mut payload = sample::push("main", "Say hello", &["a"]);
    payload["repository"]["description"] = "a-marker-within-the-body".into();
    scene.deliver("push", &payload).await;
    let forged = payload.to_string();
    scene.local.deliver("d", "push", &forged, "another secret").await;
    for wrong in ["a-marker-within-the-body", r#"{"ref":"x","after":"x","commits":"a-marker-within-the-body"}"#] {
        scene.local.deliver("d", "push", wrong, SECRET).await;
    }
    scene.local.world().faults().add("github", "*", When::Nth(3), Fault::Unauthorized);
    scene.local.world().faults().add("codepipeline", "*", When::Nth(4), Fault::Throttle);
    scene.run().await;
    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(text.contains("posted") && text.contains("refused"), "something is logged");
    for secret in [SECRET, "another secret", common::TOKEN, "a-marker-within-the-body"] {
        assert!(!text.contains(secret), "{}", text.lines().find(|line| line.contains(secret)).unwrap_or_default());
    }
}
