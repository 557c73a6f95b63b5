//! `store stats`: how much there is.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use crate::app;
use crate::cli::Exit;
use crate::cli::desk::{Format, Purpose, at_desk, print_json};
use crate::cli::names::Names;
use crate::cli::operations;
use crate::cli::output::print;
use crate::cli::table::table;
use crate::domain::ledger::{Counts, PlanCount, Sealed};
use crate::domain::pool::Standing;
use crate::settings::Flags;

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  catalog-broker store stats
  catalog-broker store stats --format json")]
pub(super) struct Arguments {
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::People)]
    format: Format,
}

pub(super) fn run(flags: &Flags, arguments: &Arguments) -> Exit {
    at_desk(flags, Purpose::Look, async |desk, names| {
        let counts = desk.counts().await?;
        Ok(match arguments.format {
            Format::Json => print_json(&in_json(names, &counts), Exit::Clean),
            Format::People => print(&for_people(names, &counts), Exit::Clean),
        })
    })
}

fn in_json(names: &Names, counts: &Counts) -> Value {
    let by_plan = |counts: &[PlanCount]| -> Value {
        let one = |count: &PlanCount| {
            json!({
                "service_id": count.service_id,
                "plan_id": count.plan_id,
                "plan": names.plan(&count.service_id, &count.plan_id),
                "state": count.state.name(),
                "count": count.count,
            })
        };
        counts.iter().map(one).collect()
    };
    let states = counts.operations.iter();
    json!({
        "instances": by_plan(&counts.instances),
        "bindings": by_plan(&counts.bindings),
        "operations": states
            .map(|(state, count)| json!({ "state": state.name(), "count": count }))
            .collect::<Value>(),
        "pools": pools(names, counts)
            .iter()
            .map(|pool| json!({ "pool": pool.name, "free": pool.free, "held": pool.held, "resting": pool.resting }))
            .collect::<Value>(),
        "oldest_in_progress": counts.oldest.as_ref().map(operations::in_json),
        "sealed": counts
            .sealed
            .iter()
            .map(|sealed| json!({ "key": sealed.key.map(|key| key.to_string()), "cells": sealed.cells }))
            .collect::<Value>(),
        "bytes": counts.bytes,
    })
}

fn for_people(names: &Names, counts: &Counts) -> String {
    let mut rows = by_plan(names, "instances", &counts.instances);
    rows.extend(by_plan(names, "bindings", &counts.bindings));
    for (state, count) in &counts.operations {
        let row = ["operations", "-", state.name(), &count.to_string()];
        rows.push(row.map(str::to_owned).into());
    }
    for pool in pools(names, counts) {
        let states = [
            ("free", pool.free),
            ("held", Some(pool.held)),
            ("resting", pool.resting),
        ];
        for (state, count) in states {
            let count = count.map_or_else(|| "?".to_owned(), |count| count.to_string());
            let row = ["pool", &pool.name, state, &count];
            rows.push(row.map(str::to_owned).into());
        }
    }
    let mut text = table(&["what", "plan", "state", "count"], &rows);
    if let Some(bytes) = counts.bytes {
        let _ = writeln!(text, "\n{} KiB on disk", bytes.div_ceil(1024));
    }
    for Sealed { key, cells } in &counts.sealed {
        let _ = match key {
            Some(key) => writeln!(text, "{cells} cells sealed with key {key}"),
            None => writeln!(text, "{cells} cells not sealed"),
        };
    }
    if let Some(oldest) = &counts.oldest {
        let operation = &oldest.operation;
        let _ = writeln!(
            text,
            "oldest in progress: {} {}, since {}",
            operation.kind, operation.id, operation.started_at
        );
    }
    text
}

/// A pool, and how its entries stand: what is free, and what rests, only the document can tell.
struct PoolRow {
    name: String,
    free: Option<usize>,
    held: usize,
    resting: Option<usize>,
}

/// Those of the document, and those whose entries were ever lent.
fn pools(names: &Names, counts: &Counts) -> Vec<PoolRow> {
    let of_document = names.pools();
    let none = BTreeMap::new();
    let mut ever_lent: BTreeMap<&str, &BTreeMap<_, _>> = counts
        .pools
        .iter()
        .map(|pool| (pool.pool.as_str(), &pool.ever_lent))
        .collect();
    for name in of_document.iter().flat_map(BTreeMap::keys) {
        ever_lent.entry(name).or_insert(&none);
    }
    let row = |(name, lent): (&str, &BTreeMap<_, _>)| {
        let known = of_document.as_ref().map(|pools| pools.get(name));
        let lending = known.flatten().map_or(&[][..], Vec::as_slice);
        let standing = Standing::of(lending, lent, app::clock());
        PoolRow {
            name: name.to_owned(),
            free: known.is_some().then_some(standing.free),
            held: standing.held,
            resting: known.is_some().then_some(standing.resting),
        }
    };
    ever_lent.into_iter().map(row).collect()
}

fn by_plan(names: &Names, what: &str, counts: &[PlanCount]) -> Vec<Vec<String>> {
    let row = |count: &PlanCount| {
        vec![
            what.to_owned(),
            names.plan(&count.service_id, &count.plan_id),
            count.state.to_string(),
            count.count.to_string(),
        ]
    };
    counts.iter().map(row).collect()
}
