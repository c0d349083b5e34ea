//! What pipehook knows and decides, as pure functions over plain data.
//!
//! Invariant: nothing in here is async, does I/O, reads a clock or the environment, or knows an SDK's or a wire
//! format's type. What comes in is mapped to these types at the edges; what goes out is decided here.

pub mod address;
#[cfg(test)]
pub(crate) mod any;
pub mod build;
pub mod check;
pub mod deployment;
pub mod event;
pub mod execution;
pub mod listed;
pub mod log;
pub mod reading;
pub mod reason;
pub mod report;
pub mod rollout;
pub mod route;
pub mod service;
pub mod template;
pub mod text;
pub mod time;
pub mod token;
pub mod wake;
