//! What asks a process to end: Ctrl-C, or what a supervisor sends in its place.

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals, listened for from when this is made: none gets lost between one and the next.
pub(super) struct Signals {
    #[cfg(unix)]
    interrupt: Option<Signal>,
    #[cfg(unix)]
    terminate: Option<Signal>,
}

#[cfg(unix)]
impl Signals {
    pub(super) fn listen() -> Self {
        // A signal that can't be listened for does what it does by default: it ends the program.
        let listen = |kind| signal(kind).ok();
        Self { interrupt: listen(SignalKind::interrupt()), terminate: listen(SignalKind::terminate()) }
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            () = heard(self.interrupt.as_mut()) => {}
            () = heard(self.terminate.as_mut()) => {}
        }
    }
}

#[cfg(unix)]
async fn heard(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

#[cfg(not(unix))]
impl Signals {
    pub(super) fn listen() -> Self {
        Self {}
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        // As above.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
