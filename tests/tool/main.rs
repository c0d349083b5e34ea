//! The tool's commands as processes, against the stand-ins: what people see, and what has changed afterwards.

#[path = "../common/mod.rs"]
mod common;
mod scene;

mod config;
mod explain;
mod generate;
