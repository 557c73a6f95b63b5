//! The backends of the lives: a program, and an HTTP service, that keep a journal of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::Folder;
use crate::journal::{Event, Line};
use crate::lendings::{ROOMS, SEATS};
use crate::server::{Reply, Request, Server, reply};

/// Reads its request with the shell's own means, for it is run a thousand times. A line is appended whole.
const PROGRAM: &str = r#"#!/bin/sh
IFS= read -r request
cut() { text=${1#*"$2"}; [ "$text" = "$1" ] && text=- || text=${text%%[\",\}]*}; }
operation=${request#*'"operation":{'}
cut "$operation" '"id":"'; id=$text
cut "$operation" '"kind":"'; kind=$text
cut "$operation" '"attempt":'; attempt=$text
cut "$operation" '"started_at":"'; started=$text
about=${request#*'"instance":{'}
cut "$about" '"id":"'; instance=$text
binding=-
cut "$about" '"keeps":'; keeps=$text
cut "$request" '"state":{"op":"'; saw=$text
case $kind in bind|unbind)
  saw=-
  about=${request#*'"binding":{'}
  cut "$about" '"id":"'; binding=$text ;;
esac
cut "$about" '"mood":"'; mood=$text
cut "$about" '"n":'; n=$text
line="$kind $instance $binding $id $attempt $started $saw"
ends() { echo "end $line $1" >> "$ROOT/journal"; }
echo "begin $line" >> "$ROOT/journal"
sleep 0.0$((n % 5 + 2))
case $kind in
deprovision)
  mood=-
  if [ "$keeps" = true ]; then
    ( set -C; echo "$id" > "$ROOT/kept-$instance" ) 2>/dev/null
    read -r first < "$ROOT/kept-$instance"
    [ "$first" = "$id" ] && mood=Fails
  fi ;;
unbind) mood=- ;;
esac
case $mood in
Again) [ "$attempt" -gt 1 ] || { ends again; echo '{ "retry_after": 0.05 }'; exit 75; } ;;
Fails) ends failed; echo '{ "description": "It was told to fail." }'; exit 1 ;;
Refuses) ends refused; echo '{ "description": "It was told to refuse." }'; exit 65 ;;
esac
echo "effect $line" >> "$ROOT/journal"
sleep 0.01
ends done
echo '{ "outputs": { "op": "'$id'", "attempt": '$attempt' }, "state": { "op": "'$id'" } }'
"#;

/// Both backends, each with its journal.
pub struct Backends {
    folder: Folder,
    service: Arc<Service>,
    server: Server,
}

impl Backends {
    pub fn start() -> Self {
        let folder = Folder::new();
        let program = folder.write("program.sh", PROGRAM);
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("an executable");
        let service = Arc::<Service>::default();
        let own = Arc::clone(&service);
        let server = Server::start(move |request, _| own.answer(request));
        Self {
            folder,
            service,
            server,
        }
    }

    /// The document with a plan for each way to answer, on each backend.
    pub fn catalog(&self) -> String {
        CATALOG
            .replace("FOLDER", &self.folder.path().display().to_string())
            .replace("URL", &self.server.url("/osb"))
    }

    /// The document of plans whose backends keep no journal: a server has what was made, and the store what was lent.
    pub fn lending(url: &str) -> String {
        let entries = |name: &str, count: usize| {
            let entries = (0..count).map(|number| {
                let name = format!("{name}-{number}");
                json!({ "name": name, "credentials": { "entry": name } })
            });
            entries.collect::<Value>().to_string()
        };
        LENDING
            .replace("URL", url)
            .replace("SEATS", &entries("seat", SEATS))
            .replace("ROOMS", &entries("room", ROOMS))
    }

    /// The journal of each: an id may go from one to the other between two lives.
    pub fn journals(&self) -> [Vec<Line>; 2] {
        let text = fs::read_to_string(self.folder.path().join("journal")).unwrap_or_default();
        let program = text
            .lines()
            .map(|line| Line::parse(line).unwrap_or_else(|| panic!("no line: {line:?}")));
        [program.collect(), self.service.lines()]
    }

    /// How many requests the service has refused because they came after their successors.
    pub fn late(&self) -> usize {
        *locked(&self.service.late)
    }
}

/// What the service behind the webhook remembers.
#[derive(Default)]
struct Service {
    journal: Mutex<Vec<Line>>,
    /// It does one thing at a time for an instance.
    turns: Mutex<BTreeMap<String, Arc<Mutex<()>>>>,
    /// How it ended under each key, for those who ask again.
    over: Mutex<BTreeMap<String, (u16, String)>>,
    /// What is still being done under a key.
    under_way: Mutex<BTreeSet<String>>,
    /// The first delete of each instance that is kept.
    kept: Mutex<BTreeMap<String, String>>,
    /// When the operation was asked for that began last, on an instance and on each binding.
    latest: Mutex<BTreeMap<(String, Option<String>), String>>,
    /// How many requests came too late.
    late: Mutex<usize>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Service {
    fn lines(&self) -> Vec<Line> {
        locked(&self.journal).clone()
    }

    fn answer(self: &Arc<Self>, request: &Request) -> Reply {
        if request.method == "GET" {
            return self.polled(request.path.rsplit('/').next().unwrap_or_default());
        }
        let asked: Value = serde_json::from_slice(&request.body).expect("the contract's JSON");
        let line = line_of(&asked);
        let n = subject_of(&asked)["parameters"]["n"].as_u64().unwrap_or(0);
        if !n.is_multiple_of(3) || self.mood(&asked, &line) == "Refuses" {
            return self.carry_out(&asked, &line);
        }
        // It is told to come again, and finds it over then.
        let (key, own) = (line.operation.clone(), Arc::clone(self));
        if locked(&self.over)
            .get(&key)
            .is_some_and(|(status, _)| *status != 503)
        {
            return self.polled(&key);
        }
        if locked(&self.under_way).insert(key.clone()) {
            locked(&self.over).remove(&key);
            thread::spawn(move || {
                own.carry_out(&asked, &line);
                locked(&own.under_way).remove(&line.operation);
            });
        }
        reply(202, r#"{ "retry_after": 0.05 }"#).with("Location", format!("/osb/{key}"))
    }

    fn polled(&self, key: &str) -> Reply {
        match locked(&self.over).get(key) {
            Some((status, body)) => reply(*status, body),
            None => reply(202, r#"{ "retry_after": 0.05 }"#),
        }
    }

    fn carry_out(&self, asked: &Value, line: &Line) -> Reply {
        let turn = Arc::clone(
            locked(&self.turns)
                .entry(line.instance.clone())
                .or_default(),
        );
        let turn = locked(&turn);
        if self.is_late(line) {
            *locked(&self.late) += 1;
            return reply(409, "{}");
        }
        self.note(Event::Begin, line, None);
        let n = subject_of(asked)["parameters"]["n"].as_u64().unwrap_or(0);
        thread::sleep(Duration::from_millis(15 * (n % 4 + 1)));
        let known = locked(&self.over).get(&line.operation).cloned();
        let (status, body) = known
            .filter(|(status, _)| *status != 503)
            .unwrap_or_else(|| self.act(asked, line));
        let word = match status {
            200 => "done",
            503 => "again",
            500 => "failed",
            _ => "refused",
        };
        self.note(Event::End, line, Some(word));
        locked(&self.over).insert(line.operation.clone(), (status, body.clone()));
        drop(turn);
        reply(status, &body)
    }

    fn act(&self, asked: &Value, line: &Line) -> (u16, String) {
        match self.mood(asked, line) {
            "Again" if line.attempt < 2 => (503, r#"{ "retry_after": 0.05 }"#.to_owned()),
            "Fails" => (500, r#"{ "failed": true }"#.to_owned()),
            "Refuses" => (422, "{}".to_owned()),
            _ => {
                self.note(Event::Effect, line, None);
                let key = &line.operation;
                let done = json!({
                    "outputs": { "op": key, "attempt": line.attempt },
                    "state": { "op": key },
                });
                (200, done.to_string())
            }
        }
    }

    /// Whether something that was asked for later has begun on the same thing: what was dropped meanwhile may come after it
    /// all the same, and a service has to know.
    fn is_late(&self, line: &Line) -> bool {
        let mut latest = locked(&self.latest);
        let of_instance = latest.get(&(line.instance.clone(), None)).cloned();
        let own = latest
            .entry((line.instance.clone(), line.binding.clone()))
            .or_default();
        if of_instance.as_ref() > Some(&line.started) || *own > line.started {
            return true;
        }
        own.clone_from(&line.started);
        false
    }

    fn mood<'a>(&self, asked: &'a Value, line: &Line) -> &'a str {
        match &*line.kind {
            "deprovision" if asked["instance"]["parameters"]["keeps"] == true => {
                let mut kept = locked(&self.kept);
                let first = kept
                    .entry(line.instance.clone())
                    .or_insert_with(|| line.operation.clone());
                if *first == line.operation {
                    "Fails"
                } else {
                    ""
                }
            }
            "deprovision" | "unbind" => "",
            _ => subject_of(asked)["parameters"]["mood"]
                .as_str()
                .unwrap_or_default(),
        }
    }

    fn note(&self, event: Event, line: &Line, word: Option<&str>) {
        locked(&self.journal).push(Line {
            event,
            word: word.map(str::to_owned),
            ..line.clone()
        });
    }
}

fn subject_of(asked: &Value) -> &Value {
    match asked.get("binding") {
        Some(binding) => binding,
        None => &asked["instance"],
    }
}

fn line_of(asked: &Value) -> Line {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let operation = &asked["operation"];
    let binding = asked
        .get("binding")
        .and_then(|binding| text(&binding["id"]));
    Line {
        event: Event::Begin,
        kind: text(&operation["kind"]).expect("a kind"),
        instance: text(&asked["instance"]["id"]).expect("an instance"),
        operation: text(&operation["id"]).expect("an id"),
        attempt: serde_json::from_value(operation["attempt"].clone()).expect("an attempt"),
        started: text(&operation["started_at"]).expect("a time"),
        saw: text(&asked["state"]["op"]).filter(|_| binding.is_none()),
        binding,
        word: None,
    }
}

const CATALOG: &str = r#"
backends:
  program: { command: { run: ["FOLDER/program.sh"], env: { ROOT: "FOLDER", PATH: /usr/bin:/bin } } }
  service: { webhook: { url: "URL", timeout: 20s } }
service_defaults:
  bindable: true
  instances_retrievable: true
  bindings_retrievable: true
  plan_updateable: true
  max_attempts: 1000
services:
  - id: fixed
    name: fixed
    description: Nothing acts
    binding: { values: { drawn: "{{ random_password(16) }}" }, credentials: { drawn: "{{ binding.values.drawn }}" } }
    plans:
      - { id: fixed-now, name: fixed-now, description: At once }
      - { id: fixed-later, name: fixed-later, description: Later, respond: async }
  - id: command
    name: command
    description: A program acts
    backend: { use: program }
    binding: &credentials
      values: { drawn: "{{ random_password(16) }}" }
      credentials: { drawn: "{{ binding.values.drawn }}", op: "{{ binding.outputs.op }}", attempt: "{{ binding.outputs.attempt }}", of: "{{ instance.outputs.op }}" }
    plans:
      - { id: command-sync, name: command-sync, description: In place, respond: sync }
      - { id: command-async, name: command-async, description: Later, respond: async }
      - { id: command-auto, name: command-auto, description: As it comes, answer_within: 80ms }
  - id: webhook
    name: webhook
    description: A service acts
    backend: { use: service }
    binding: *credentials
    plans:
      - { id: webhook-sync, name: webhook-sync, description: In place, respond: sync }
      - { id: webhook-async, name: webhook-async, description: Later, respond: async }
      - { id: webhook-auto, name: webhook-auto, description: As it comes, answer_within: 80ms }
"#;

const LENDING: &str = r#"
backends:
  pg: { sql: { server: "URL", connections: 6, timeout: 20s } }
  seats: { pool: { entries: SEATS } }
  rooms: { pool: { lend: instance, entries: ROOMS } }
service_defaults:
  bindable: true
  instances_retrievable: true
  bindings_retrievable: true
  plan_updateable: true
  max_attempts: 1000
services:
  - id: sql
    name: sql
    description: Logins on a server
    backend: { use: pg, statements: postgresql/database }
    plans:
      - { id: sql-sync, name: sql-sync, description: In place, respond: sync }
      - { id: sql-async, name: sql-async, description: Later, respond: async }
      - { id: sql-auto, name: sql-auto, description: As it comes, answer_within: 80ms }
  - id: seat
    name: seat
    description: Entries of a pool, for bindings
    plans:
      - { id: seat-lent, name: seat-lent, description: One for each binding, backend: { use: seats } }
  - id: room
    name: room
    description: Entries of a pool, for instances
    plans:
      - id: room-lent
        name: room-lent
        description: One for each instance
        backend: { use: rooms }
        binding: { credentials: { entry: "{{ instance.outputs.entry }}" } }
"#;
