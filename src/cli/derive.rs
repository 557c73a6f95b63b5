//! `derive`: what a template's `derive('label', n)` comes to, computed outside of one.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::loading::Surroundings;
use super::output::print;
use super::plans::choose;
use super::render::sound;
use super::{Exit, failed};
use crate::domain::derive::{Alphabet, Derived, Key};
use crate::domain::id::{BindingId, InstanceId};
use crate::secret::Secret;
use crate::settings::Flags;

#[derive(Args, Debug)]
#[command(
    after_help = "What is printed is a secret. No broker has to run, and no store is opened. The recipe, for programs that compute the same
themselves, is in config/derive.md.

Exit status:
  0  done
  1  the catalog document has errors
  2  a file or a setting cannot be read, there is no such plan or no such key, or nothing can be derived for that

Examples:
  catalog-broker derive --plan small --instance-id 4f6a... --binding-id 9c1d... --label password
      what {{ derive('password', 32) }} of that plan gives to that binding, with the key that counts now
  catalog-broker derive --plan small --key-version v1 --instance-id 4f6a... --binding-id 9c1d... --label password
      the same with an older key
  catalog-broker derive --key-file /run/secrets/derive_v1 --instance-id 4f6a... --label tenant --length 12 --alphabet lower
      without a document; without a binding it is what the templates of `instance` get"
)]
pub(super) struct Arguments {
    /// The plan whose key it is, by id, by name, or as OFFERING/PLAN
    #[arg(
        long,
        value_name = "ID_OR_NAME",
        required_unless_present = "key_file",
        conflicts_with = "key_file"
    )]
    plan: Option<String>,
    /// The version of the key, where it is not the one that counts now
    #[arg(long, value_name = "VERSION", conflicts_with = "key_file")]
    key_version: Option<String>,
    /// The key itself, in base64, in a file
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The id of the instance
    #[arg(long, value_name = "ID", value_parser = InstanceId::parse)]
    instance_id: InstanceId,
    /// The id of the binding
    #[arg(long, value_name = "ID", value_parser = BindingId::parse)]
    binding_id: Option<BindingId>,
    /// What it is for: the first argument in the template
    #[arg(long, value_name = "TEXT")]
    label: String,
    /// How many signs: the second
    #[arg(long, value_name = "NUMBER", default_value_t = 32)]
    length: usize,
    /// Which signs: the third
    #[arg(long, value_name = "NAME", default_value = "alphanumeric", value_parser = alphabet)]
    alphabet: Alphabet,
}

fn alphabet(name: &str) -> Result<Alphabet, String> {
    Alphabet::named(name).ok_or_else(|| {
        let known = Alphabet::ALL.map(Alphabet::name).join(", ");
        format!("there are {known}")
    })
}

pub(super) fn run(flags: &Flags, arguments: &Arguments) -> Exit {
    let key = match (&arguments.key_file, &arguments.plan) {
        (Some(path), _) => in_file(path),
        (None, Some(plan)) => of_plan(flags, plan, arguments.key_version.as_deref()),
        (None, None) => Err(failed("say --plan or --key-file")),
    };
    let key = match key {
        Ok(key) => key,
        Err(exit) => return exit,
    };
    let derived = key.derive(&Derived {
        instance: arguments.instance_id.as_str(),
        binding: arguments.binding_id.as_ref().map_or("", BindingId::as_str),
        label: &arguments.label,
        length: arguments.length,
        alphabet: arguments.alphabet,
    });
    match derived {
        Ok(text) => print(&format!("{text}\n"), Exit::Clean),
        Err(why) => failed(format_args!("nothing is derived for {why}")),
    }
}

fn in_file(path: &Path) -> Result<Key, Exit> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|error| failed(format_args!("{name}: {error}")))?;
    let text = Secret::new(text);
    Key::parse(text.expose()).map_err(|error| {
        failed(format_args!(
            "{name}: the key {error}: make one with `openssl rand -base64 32`"
        ))
    })
}

fn of_plan(flags: &Flags, plan: &str, version: Option<&str>) -> Result<Key, Exit> {
    let catalog = sound(Surroundings::read(flags)?.catalog())?;
    let chosen = choose(&catalog, plan).map_err(failed)?;
    let Some(keys) = &chosen.plan.keys else {
        return Err(failed(format_args!(
            "no template of the plan {} derives anything",
            chosen.plan.name
        )));
    };
    let version = version.unwrap_or(keys.current());
    keys.get(version).cloned().ok_or_else(|| {
        let known: Vec<&str> = keys.versions().collect();
        failed(format_args!(
            "there is no key of the version {version}: say one of {}",
            known.join(", ")
        ))
    })
}
