//! What there is at this moment: made anew for each page, of what the store said and of the catalog.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet};
use prometheus_client::metrics::MetricType;

use super::book::{Page, label, queue_label};
use super::seconds;
use crate::domain::id::PlanId;
use crate::domain::ledger::PlanCount;
use crate::domain::pool::{Pool, Standing};
use crate::domain::tally::{Inventory, UnderWay};
use crate::domain::time::Timestamp;

/// A moment. What the store did not say is left out.
#[derive(Debug)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) page: Arc<Page>,
    pub(super) under_way: Option<Arc<UnderWay>>,
    pub(super) inventory: Option<(Arc<Inventory>, Duration)>,
}

impl Collector for Moment {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.retirements(&mut encoder)?;
        let up = i64::from(self.under_way.is_some());
        let help = "Whether the store answered when this page was made: 1 or 0.";
        one(&mut encoder, "store_up", help, &up)?;
        if let Some(under_way) = &self.under_way {
            self.operations(&mut encoder, under_way)?;
            self.pools(&mut encoder, under_way)?;
        }
        if let Some((inventory, age)) = &self.inventory {
            let help = "Instances, by the state of their latest operation.";
            self.counts(&mut encoder, "instances", help, &inventory.instances)?;
            let help = "Bindings, by the state of their latest operation.";
            self.counts(&mut encoder, "bindings", help, &inventory.bindings)?;
            let help = "How long ago instances and bindings were counted.";
            one(
                &mut encoder,
                "inventory_age_seconds",
                help,
                &age.as_secs_f64(),
            )?;
        }
        Ok(())
    }
}

impl Moment {
    /// When plans are retired that have a date for it.
    fn retirements(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut dates: BTreeMap<_, f64> = BTreeMap::new();
        for chosen in self.page.catalog.all() {
            if let Some(after) = &chosen.plan.lifecycle.after {
                dates.insert([("plan", label(chosen))], seconds(after.at));
            }
        }
        let help = "When a plan is retired that is deprecated until then.";
        gauges(encoder, "plan_retirement_timestamp_seconds", help, dates)
    }

    fn label(&self, plan: &PlanId) -> &str {
        &self.page.plan(Some(plan)).label
    }

    fn operations(&self, encoder: &mut DescriptorEncoder<'_>, under_way: &UnderWay) -> fmt::Result {
        let mut running: BTreeMap<_, (u64, Timestamp)> = BTreeMap::new();
        for some in &under_way.operations {
            let labels = [
                ("kind", some.kind.name()),
                ("plan", self.label(&some.plan_id)),
            ];
            let known = running.entry(labels).or_insert((0, some.oldest));
            known.0 += some.count;
            known.1 = known.1.min(some.oldest);
        }
        let counts = running.iter().map(|(labels, (count, _))| (*labels, *count));
        let help = "Operations in progress, of all brokers on the store.";
        gauges(encoder, "operations_in_progress", help, counts)?;
        let ages = running
            .iter()
            .map(|(labels, (_, oldest))| (*labels, age(*oldest, self.at).as_secs_f64()));
        let help = "How long ago the oldest operation in progress was recorded.";
        gauges(encoder, "operation_oldest_age_seconds", help, ages)
    }

    fn counts(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        counts: &[PlanCount],
    ) -> fmt::Result {
        let mut all: BTreeMap<_, u64> = BTreeMap::new();
        for count in counts {
            let labels = [
                ("plan", self.label(&count.plan_id)),
                ("state", count.state.name()),
            ];
            *all.entry(labels).or_default() += count.count;
        }
        gauges(encoder, name, help, all)
    }

    /// As `store stats` and the console count them.
    fn pools(&self, encoder: &mut DescriptorEncoder<'_>, under_way: &UnderWay) -> fmt::Result {
        let mut all: BTreeMap<_, usize> = BTreeMap::new();
        for ((label, name), pools) in self.all_pools() {
            let lent = under_way.lendings.iter();
            let lent = lent.filter(|lending| lending.pool == name);
            let ever_lent = lent.map(|lending| (lending.entry.to_string(), lending.returned_at));
            let standing = Standing::of(&pools, &ever_lent.collect(), self.at);
            for (state, count) in [
                ("free", standing.free),
                ("held", standing.held),
                ("resting", standing.resting),
            ] {
                let labels = [("pool", Arc::clone(&label)), ("state", state.into())];
                *all.entry(labels).or_default() += count;
            }
        }
        let all = all.into_iter();
        let counts = all.map(|(labels, count)| (labels, u64::try_from(count).unwrap_or(u64::MAX)));
        let help = "Entries of pools: free, held by somebody, or back and not lent again yet.";
        gauges(encoder, "pool_entries", help, counts)
    }

    /// What each pool is called, here and in the store, and what it is to each of its plans.
    fn all_pools(&self) -> BTreeMap<(Arc<str>, Arc<str>), Vec<&Pool>> {
        let mut all: BTreeMap<_, Vec<&Pool>> = BTreeMap::new();
        for chosen in self.page.catalog.all() {
            if let Some(pool) = chosen.plan.backend.pool() {
                let label = queue_label(&pool.name, &label(chosen).into());
                let name = Arc::clone(&pool.name);
                all.entry((label, name)).or_default().push(pool);
            }
        }
        all
    }
}

fn age(since: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(now.0.saturating_sub(since.0)).unwrap_or(0))
}

pub(super) fn one(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: &impl EncodeGaugeValue,
) -> fmt::Result {
    encoder
        .encode_descriptor(name, help, None, MetricType::Gauge)?
        .encode_gauge(value)
}

fn gauges<L: EncodeLabelSet, V: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (L, V)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in values {
        family.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}
