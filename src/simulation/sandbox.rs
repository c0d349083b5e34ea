//! Lambda: sandboxes in which a function runs, is frozen, or dies.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use crate::local::FUNCTION_TIMEOUT;

/// What befalls an invocation, counted in the moments at which its code waits for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// The sandbox dies at the nth such moment. What it had on its way may still arrive.
    Dies { at: u32 },
    /// The sandbox is frozen at the nth such moment for so long, and wakes up with everything overdue, or not at all.
    Freezes { at: u32, lasts: Duration },
    /// The sandbox is frozen as it is about to tell GitHub something, which arrives when it wakes up.
    FreezesTelling { lasts: Duration },
}

thread_local! {
    /// Whether the invocation that is at work was about to tell GitHub something.
    static IS_TELLING: Cell<bool> = const { Cell::new(false) };
}

/// Whoever is at work is about to tell GitHub something.
pub(super) fn is_telling() {
    IS_TELLING.set(true);
}

/// How many more moments there are, of all invocations together, until the one that comes to the last of them dies. Zero once
/// it has died.
pub(super) type Doom = Rc<Cell<u64>>;

/// How an invocation ended.
#[derive(Debug)]
pub(super) enum End<T> {
    /// It said what it had to say.
    Answered(T),
    Died,
}

/// An invocation and its fate.
pub(super) struct Fated<F> {
    inner: Pin<Box<F>>,
    fate: Option<Fate>,
    doom: Option<Doom>,
    /// The moments so far.
    waits: u32,
    frozen: Option<Pin<Box<Sleep>>>,
    /// When Lambda takes the sandbox away.
    until: Instant,
    /// What has befallen it.
    struck: Option<Fate>,
}

impl<F: Future> Fated<F> {
    pub(super) fn new(inner: F, fate: Option<Fate>, doom: Option<Doom>) -> Self {
        let until = Instant::now() + FUNCTION_TIMEOUT;
        Self { inner: Box::pin(inner), fate, doom, waits: 0, frozen: None, until, struck: None }
    }
}

impl<F> Fated<F> {
    fn freeze(&mut self, lasts: Duration) {
        self.struck = self.fate.take();
        self.frozen = Some(Box::pin(sleep(lasts)));
    }
}

impl<F: Future> Future for Fated<F> {
    /// How it ended, and what has befallen it.
    type Output = (End<F::Output>, Option<Fate>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            if let Some(frozen) = &mut this.frozen {
                match frozen.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    // Nobody wakes up in a sandbox that is no more.
                    Poll::Ready(()) if Instant::now() > this.until => return Poll::Ready((End::Died, this.struck)),
                    Poll::Ready(()) => this.frozen = None,
                }
            }
            IS_TELLING.set(false);
            if let Poll::Ready(answer) = this.inner.as_mut().poll(cx) {
                return Poll::Ready((End::Answered(answer), this.struck));
            }
            this.waits += 1;
            if let Some(doom) = this.doom.as_ref().filter(|doom| doom.get() > 0) {
                doom.set(doom.get() - 1);
                if doom.get() == 0 {
                    return Poll::Ready((End::Died, Some(Fate::Dies { at: this.waits })));
                }
            }
            match this.fate {
                Some(Fate::Dies { at }) if this.waits >= at => return Poll::Ready((End::Died, this.fate)),
                Some(Fate::Freezes { at, lasts }) if this.waits >= at => this.freeze(lasts),
                Some(Fate::FreezesTelling { lasts }) if IS_TELLING.get() => this.freeze(lasts),
                _ => return Poll::Pending,
            }
        }
    }
}
