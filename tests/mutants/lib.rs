//! What the mutants are made in: the domain and the signature's check, and nothing of the crate that needs an SDK.
//!
//! `run.py` puts this beside copies of their files, so that a mutant is built in a second.

pub mod domain;

pub mod webhook {
    pub mod signature;
}

pub mod settings {
    /// Stands for the `Secret` of `src/settings.rs`, which reads from SSM.
    #[derive(Clone)]
    pub struct Secret(String);

    impl Secret {
        pub fn new(text: impl Into<String>) -> Self {
            Self(text.into())
        }

        pub fn expose(&self) -> &str {
            &self.0
        }
    }
}
