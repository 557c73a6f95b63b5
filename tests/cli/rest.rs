//! `schema`, `completions`, `--help`, `--version`, `serve` with findings, and a reader that goes away.

use std::process::Stdio;

use crate::harness::Setup;
use crate::runner::{CLEAN, run, with_catalog};

#[test]
fn the_schema_is_one() {
    let schema = run(&with_catalog(CLEAN), &["schema"]).exits(0).json();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    assert!(schema["properties"]["services"].is_object(), "{schema}");
}

#[test]
fn every_shell_gets_its_script() {
    let folder = with_catalog(CLEAN);
    for (shell, word) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef catalog-broker"),
        ("fish", "complete -c catalog-broker"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion"),
    ] {
        let ran = run(&folder, &["completions", shell]).exits(0);
        assert!(ran.out.contains(word), "{shell}");
        assert!(ran.out.contains("strict"), "{shell} knows the flags");
    }
    run(&folder, &["completions", "cmd"]).exits(2);
}

/// What a command alone takes stands apart from what all of them take.
#[test]
fn help_has_the_options_of_a_command_first() {
    const HEADING: &str = "\nSettings, the same for every command:\n";
    let folder = with_catalog(CLEAN);
    for command in [
        &[][..],
        &["serve"],
        &["check"],
        &["instances", "forget"],
        &["operations", "give-up"],
        &["audit", "verify"],
        &["store", "import"],
        &["login", "hash"],
    ] {
        let help = run(&folder, &[command, &["--help"]].concat()).exits(0).out;
        let (own, common) = help.split_once(HEADING).unwrap_or_else(|| panic!("{help}"));
        assert!(own.contains("--help"), "{help}");
        for flag in [
            "--config",
            "--catalog",
            "--vars",
            "--store",
            "--allow-breaking",
            "--address",
            "--port",
            "--log-format",
        ] {
            let is_option = |text: &str| {
                let mut lines = text.lines().map(str::trim_start);
                lines.any(|line| line.starts_with(&format!("{flag} ")))
            };
            assert!(
                is_option(common) && !is_option(own),
                "{command:?} {flag}: {help}"
            );
        }
    }
}

#[test]
fn help_shows_by_example() {
    let folder = with_catalog(CLEAN);
    let version = format!("catalog-broker {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&folder, &["--version"]).exits(0).out, version);
    let whole = run(&folder, &["--help"]).exits(0);
    for command in [
        "check",
        "render",
        "diff",
        "instances",
        "operations",
        "store",
        "schema",
        "completions",
    ] {
        assert!(
            whole.out.contains(&format!("\n  {command} ")),
            "{}",
            whole.out
        );
        let help = run(&folder, &[command, "--help"]).exits(0);
        assert!(
            help.out.contains("Examples:\n  catalog-broker"),
            "{}",
            help.out
        );
        assert_eq!(
            run(&folder, &[command, "--version"])
                .exits(0)
                .out
                .lines()
                .count(),
            1
        );
    }
    for command in [
        "check",
        "render",
        "diff",
        "instances",
        "operations",
        "store",
    ] {
        let help = run(&folder, &[command, "--help"]).exits(0);
        assert!(help.out.contains("Exit status:\n  0"), "{}", help.out);
    }
}

#[test]
fn a_broker_with_errors_says_them_all_and_does_not_start() {
    let document = CLEAN
        .replace("\"2.10\"", "2.10")
        .replace("bindable: true", "bindable: 1");
    let ran = run(&with_catalog(&document), &["serve"]).exits(2);
    let begins = [
        "catalog.yaml:1:22: error: ",
        "    mend: ",
        "catalog.yaml:6:15: error: ",
        "    mend: ",
        "2 errors",
        "catalog-broker: ",
    ];
    let said: Vec<&str> = ran.err.lines().collect();
    assert_eq!(said.len(), begins.len(), "{}", ran.err);
    for (line, begin) in said.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line}\nis not\n{begin}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = with_catalog(CLEAN);
    let wrong = folder.write("wrong.yaml", &CLEAN.replace("\"2.10\"", "2.10"));
    let wrong = wrong.to_str().expect("UTF-8");
    for (arguments, code) in [
        (&["render"][..], 0),
        (&["render", "--explain"], 0),
        (&["check"], 0),
        (&["check", wrong], 1),
        (&["schema"], 0),
        (&["completions", "zsh"], 0),
        (&["diff", "catalog.yaml", "catalog.yaml"], 0),
        (&["--help"], 0),
    ] {
        let mut setup = Setup::new("");
        for argument in arguments {
            setup = setup.arg(argument);
        }
        // A pipe whose reading end is closed before anything is written.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = setup.command(&folder);
        command.stdout(writer).stderr(Stdio::piped());
        let ended = command.output().expect("it runs");
        let err = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {err}");
        assert!(!err.contains("panicked"), "{arguments:?}: {err}");
    }
}

/// The counter-proof: another failure to write is told.
#[test]
fn a_full_disk_is_a_failure() {
    let folder = with_catalog(CLEAN);
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    let mut command = Setup::new("").arg("render").command(&folder);
    let ended = command.stdout(full).output().expect("it runs");
    assert_eq!(ended.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("cannot be written"));
}
