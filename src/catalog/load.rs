//! From a file or a folder to the domain's catalog, in one go.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::draft::Draft;
use super::inputs::Inputs;
use super::memory::Memory;
use super::reading::folder::{self, File};
use super::reading::moves::Texts;
use super::reading::{overrides, resolve, shape};
use super::{build, rules};
use crate::document::{Budget, Environment, Findings, Node, Sources, parse_bytes};
use crate::domain::catalog::Catalog;

/// Where a catalog comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// A file, or a folder of files.
    pub path: PathBuf,
    /// Vars files; a later one wins.
    pub vars: Vec<PathBuf>,
}

/// A file as it was read.
#[derive(Clone)]
pub struct SourceFile {
    /// The name that findings use.
    pub name: Arc<str>,
    /// Its text; what is no UTF-8 is replaced.
    pub text: String,
}

/// What came of a document.
pub struct Loaded {
    /// Everything there is to say of it, in the order of the document.
    pub findings: Findings,
    /// The catalog; absent where a finding is an error.
    pub catalog: Option<Arc<Catalog>>,
    /// The document after overrides and references, before the merge: where each value came from.
    pub document: Option<Node>,
    /// The files that it was read from, vars files last.
    pub files: Vec<SourceFile>,
    /// All files and folders that had a part in it, those of references too.
    pub inputs: Inputs,
}

/// Reads a catalog from disk.
pub fn load(source: &Source, environment: &Environment, memory: Memory) -> Loaded {
    let mut findings = Findings::default();
    let files = folder::read(&source.path, &mut findings);
    let vars = source
        .vars
        .iter()
        .filter_map(|path| folder::read_file(path, &mut findings));
    let vars: Vec<File> = vars.collect();
    let mut loaded = read(&files, environment, &vars, memory, findings);
    loaded.inputs.extend(source.vars.iter().cloned());
    loaded.inputs.set_document(source.path.clone());
    loaded
}

/// Reads a catalog from texts: name and bytes of each file, and of each vars file.
pub fn load_texts(
    files: Vec<(impl Into<Arc<str>>, impl Into<Vec<u8>>)>,
    environment: &Environment,
    vars: Vec<(impl Into<Arc<str>>, impl Into<Vec<u8>>)>,
    memory: Memory,
) -> Loaded {
    let files: Vec<File> = files
        .into_iter()
        .map(|(name, bytes)| (name.into(), bytes.into()))
        .collect();
    let vars: Vec<File> = vars
        .into_iter()
        .map(|(name, bytes)| (name.into(), bytes.into()))
        .collect();
    read(&files, environment, &vars, memory, Findings::default())
}

fn read(
    files: &[File],
    environment: &Environment,
    vars: &[File],
    memory: Memory,
    mut findings: Findings,
) -> Loaded {
    let sources = sources(environment, vars, &mut findings);
    let mut document = folder::join(files, &mut findings);
    let mut catalog = None;
    if let Some(document) = document.as_mut() {
        overrides::apply(document, environment, &mut findings);
        resolve::resolve(document, &sources, &mut findings);
        let texts = Texts::new(files.iter().map(text));
        shape::check(document, &texts, &mut findings);
        let draft = Draft::new(document, memory, environment, &fresh_guid, &mut findings);
        rules::run(&draft, &mut findings);
        if !findings.has_errors() {
            catalog = build::catalog(draft).map(Arc::new);
        }
    }
    finish(&mut findings);
    let files = files
        .iter()
        .chain(vars)
        .map(text)
        .map(|(name, text)| SourceFile { name, text });
    Loaded {
        findings,
        catalog,
        document,
        files: files.collect(),
        inputs: Inputs::new(sources.named()),
    }
}

fn text((name, bytes): &File) -> (Arc<str>, String) {
    (
        Arc::clone(name),
        String::from_utf8_lossy(bytes).into_owned(),
    )
}

fn sources(environment: &Environment, vars: &[File], findings: &mut Findings) -> Sources {
    let mut nodes = Vec::new();
    for (name, bytes) in vars {
        match parse_bytes(name, bytes, &Budget::default()) {
            Ok(node) => nodes.push(node),
            Err(wrong) => findings.extend(wrong),
        }
    }
    Sources::new(environment.clone(), nodes)
}

/// In order; what is inherited by many, and said of each of them, once.
fn finish(findings: &mut Findings) {
    findings.sort();
    let mut seen = HashSet::new();
    findings.retain(|finding| {
        seen.insert((finding.rule, finding.place.clone(), finding.message.clone()))
    });
}

/// A new id to paste; nothing where the system gives no chance.
fn fresh_guid() -> String {
    let mut bytes = [0_u8; 16];
    if getrandom::fill(&mut bytes).is_err() {
        return "a GUID".to_owned();
    }
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = bytes
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}
