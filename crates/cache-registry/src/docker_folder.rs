//! The folder in which a user's Docker keeps its config.json and certificates.
//!
//! Nothing is read here.

use std::env;
use std::path::PathBuf;

/// The folder that `DOCKER_CONFIG` names, else `.docker` in the user's home.
pub(crate) fn docker_folder() -> Option<PathBuf> {
    variable_path("DOCKER_CONFIG").or_else(|| Some(env::home_dir()?.join(".docker")))
}

/// The path in a variable of the environment, unless that is empty.
pub(crate) fn variable_path(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
