//! pipehook: a signed push starts its pipeline once, on its commit, and every stage's truth reaches the commit.
//!
//! `domain` decides, without I/O; `webhook` and `worker` are the two handlers around it; `queue`, `aws`, `github`,
//! `settings` and `config` are its edges. `standin` plays AWS and GitHub on one machine, for the tool and the tests;
//! `local` sets the system up between them, and `cli` is the tool.

pub mod aws;
#[cfg(feature = "tool")]
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
mod metrics;
pub mod queue;
#[cfg(feature = "worker")]
mod reader;
pub mod settings;

#[cfg(feature = "worker")]
pub mod github;
#[cfg(feature = "worker")]
mod links;
#[cfg(feature = "tool")]
pub mod local;
#[cfg(feature = "tool")]
pub mod simulation;
#[cfg(feature = "standin")]
pub mod standin;
#[cfg(any(feature = "webhook", feature = "fuzzing"))]
pub mod webhook;
#[cfg(feature = "worker")]
pub mod worker;
