//! What is counted of each plan and each backend of the catalog, under the names that label it. The catalog may become
//! another: what stays in it goes on counting, what left it is counted no more.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use super::spread::{LATER, Spread};
use super::{CatalogNow, OTHER};
use crate::domain::catalog::Catalog;
use crate::domain::id::PlanId;
use crate::domain::offering::Chosen;
use crate::domain::operation::Kind;
use crate::domain::witness::Result;

/// What a queue is called that no name of a backend leads to: `plan ID`.
const UNNAMED: &str = "plan ";

/// How operations of a plan ended.
#[derive(Debug, Default)]
pub(super) struct PlanCells {
    /// By kind: succeeded, failed.
    pub(super) ended: [[AtomicU64; 2]; Kind::ALL.len()],
    /// By kind, once there was one that took time.
    pub(super) took: [OnceLock<Spread>; Kind::ALL.len()],
}

/// How attempts of a backend went.
#[derive(Debug, Default)]
pub(super) struct BackendCells {
    /// By kind and result.
    pub(super) attempts: [[AtomicU64; Result::ALL.len()]; Kind::ALL.len()],
    /// By kind, once there was one.
    pub(super) took: [OnceLock<Spread>; Kind::ALL.len()],
}

/// A histogram that is made when it is first needed.
pub(super) fn later(spread: &OnceLock<Spread>) -> &Spread {
    spread.get_or_init(|| Spread::new(LATER))
}

/// A plan, as it is counted.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) label: Arc<str>,
    pub(super) cells: Arc<PlanCells>,
    /// Where its backend acts.
    pub(super) backend: Option<Arc<BackendCells>>,
}

/// All plans and backends of one catalog.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) catalog: Arc<Catalog>,
    by_id: HashMap<PlanId, Entry>,
    other: Entry,
    /// By label. Two that are called the same are counted as one: no two series may have the same labels.
    pub(super) plans: BTreeMap<Arc<str>, Arc<PlanCells>>,
    pub(super) backends: BTreeMap<Arc<str>, Arc<BackendCells>>,
}

impl Page {
    /// The page of a catalog that follows another one.
    fn after(before: Option<&Self>, catalog: &Arc<Catalog>) -> Self {
        let mut page = Self {
            other: Entry {
                label: OTHER.into(),
                cells: before.map_or_else(Arc::default, |page| Arc::clone(&page.other.cells)),
                backend: None,
            },
            by_id: HashMap::new(),
            plans: BTreeMap::new(),
            backends: BTreeMap::new(),
            catalog: Arc::clone(catalog),
        };
        for chosen in catalog.all() {
            let label: Arc<str> = label(chosen).into();
            let cells = page.plans.entry(Arc::clone(&label)).or_insert_with(|| {
                before
                    .and_then(|page| page.plans.get(&label).cloned())
                    .unwrap_or_default()
            });
            let cells = Arc::clone(cells);
            let backend = acts(chosen).then(|| {
                let name = queue_label(chosen.plan.backend.name(), &label);
                let cells = page.backends.entry(Arc::clone(&name)).or_insert_with(|| {
                    before
                        .and_then(|page| page.backends.get(&name).cloned())
                        .unwrap_or_default()
                });
                Arc::clone(cells)
            });
            let entry = Entry {
                label,
                cells,
                backend,
            };
            page.by_id.insert(chosen.plan.id.clone(), entry);
        }
        let other = &page.other;
        page.plans
            .insert(Arc::clone(&other.label), Arc::clone(&other.cells));
        page
    }

    /// The plan with that id, or what stands for all that are not in the catalog.
    pub(super) fn plan(&self, id: Option<&PlanId>) -> &Entry {
        id.and_then(|id| self.by_id.get(id)).unwrap_or(&self.other)
    }
}

/// `offering/plan`.
pub(super) fn label(chosen: Chosen<'_>) -> String {
    format!("{}/{}", chosen.offering.name, chosen.plan.name)
}

/// What a backend or a pool is called: by its name, or where it has none by its plan.
pub(super) fn queue_label(name: &str, plan: &Arc<str>) -> Arc<str> {
    if name.starts_with(UNNAMED) {
        Arc::clone(plan)
    } else {
        name.into()
    }
}

fn acts(chosen: Chosen<'_>) -> bool {
    Kind::ALL
        .into_iter()
        .any(|kind| chosen.plan.backend.carries_out(kind))
}

/// The page of the catalog of the moment.
pub(super) struct Book {
    catalog: CatalogNow,
    page: RwLock<Arc<Page>>,
}

impl Book {
    pub(super) fn new(catalog: CatalogNow) -> Self {
        let page = Page::after(None, &catalog());
        Self {
            catalog,
            page: RwLock::new(Arc::new(page)),
        }
    }

    /// As it is now.
    pub(super) fn page(&self) -> Arc<Page> {
        let now = (self.catalog)();
        {
            let page = self.page.read().unwrap_or_else(PoisonError::into_inner);
            if Arc::ptr_eq(&page.catalog, &now) {
                return Arc::clone(&page);
            }
        }
        let mut page = self.page.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&page.catalog, &now) {
            *page = Arc::new(Page::after(Some(&page), &now));
        }
        Arc::clone(&page)
    }
}

impl std::fmt::Debug for Book {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Book")
    }
}
