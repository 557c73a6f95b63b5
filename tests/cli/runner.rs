//! Runs one command to its end.

use serde_json::Value;

use crate::harness::{Folder, Setup};

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts the exit status.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

/// With nothing in the environment but a login, an address and a port.
pub fn run(folder: &Folder, arguments: &[&str]) -> Ran {
    run_with(folder, arguments, &[])
}

pub fn run_with(folder: &Folder, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let mut setup = Setup::new("");
    for argument in arguments {
        setup = setup.arg(argument);
    }
    for (name, value) in environment {
        setup = setup.env(name, value);
    }
    let (status, out, err) = setup.run_in(folder);
    let code = status.code().expect("no signal ends it");
    assert!(!err.contains("panicked"), "{err}");
    Ran { code, out, err }
}

/// A folder with this document in it.
pub fn with_catalog(catalog: &str) -> Folder {
    let folder = Folder::new();
    folder.write("catalog.yaml", catalog);
    folder
}

/// A document without a finding.
pub const CLEAN: &str = r#"minimum_api_version: "2.10"
services:
  - id: 6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f10
    name: shared-postgres
    description: A database
    bindable: true
    binding:
      credentials:
        host: db.example.com
    plans:
      - id: 0c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d11
        name: small
        description: 1 GB
"#;
