//! The tool's commands as processes, against the stand-ins: what people see, and what has changed afterwards.

#[path = "../common/mod.rs"]
mod common;
mod scene;
mod watching;

mod acts;
mod config;
mod dlq;
mod doctor;
mod explain;
mod generate;
mod lost_hour;
mod replay;
mod runs;
mod serve;
mod simulate;
mod trouble;
mod watch;
mod webhook;
