//! pipehook: a signed push starts its pipeline once, on its commit, and every stage's truth reaches the commit.

pub mod config;
pub mod domain;
#[cfg(feature = "standin")]
pub mod standin;
