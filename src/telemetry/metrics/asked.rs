//! What is asked of the store when somebody looks. A page never waits long for it, and it never keeps the store busy: what
//! is under way is asked anew after two seconds; how much there is, which is a look at every row, is asked beside the page,
//! after fifteen seconds or thirty times what the last look took, whichever is longer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as AsyncMutex, watch};

use crate::domain::store::Store;
use crate::domain::tally::{Inventory, UnderWay};

/// How long what is under way is kept.
const FRESH: Duration = Duration::from_secs(2);

/// How long a page waits for what is under way, before it says that the store is away.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a page waits for the first look at all rows. A later page shows the last one meanwhile.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// How long a look at all rows is kept, at least.
const REST: Duration = Duration::from_secs(15);

/// And this many times as long as it took: a thirtieth of one connection at most is busy with it.
const SHARE: u32 = 30;

/// What the store said last.
pub(super) struct Asked {
    store: Arc<dyn Store>,
    under_way: AsyncMutex<Option<Kept<Option<Arc<UnderWay>>>>>,
    looked: Mutex<Looks>,
    news: watch::Sender<()>,
}

struct Kept<T> {
    at: Instant,
    value: T,
}

/// The looks at all rows.
#[derive(Default)]
struct Looks {
    /// The last that came to an end: what was seen, if anything.
    last: Option<Kept<Option<Arc<Inventory>>>>,
    /// When the next may begin.
    next: Option<Instant>,
    running: bool,
}

impl Asked {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            under_way: AsyncMutex::default(),
            looked: Mutex::default(),
            news: watch::Sender::new(()),
        }
    }

    /// What is under way; nothing where the store did not say in time. Several who ask at once ask once.
    pub(super) async fn under_way(&self) -> Option<Arc<UnderWay>> {
        let mut kept = self.under_way.lock().await;
        if let Some(kept) = &*kept
            && kept.at.elapsed() < FRESH
        {
            return kept.value.clone();
        }
        let value = match tokio::time::timeout(PATIENCE, self.store.under_way()).await {
            Ok(Ok(under_way)) => Some(Arc::new(under_way)),
            Ok(Err(error)) => {
                log::debug!("metrics: {error}");
                None
            }
            Err(_) => None,
        };
        *kept = Some(Kept {
            at: Instant::now(),
            value: value.clone(),
        });
        value
    }

    /// What there was at the last look, and how long ago that is; nothing where the store did not say.
    pub(super) async fn inventory(self: &Arc<Self>) -> Option<(Arc<Inventory>, Duration)> {
        let mut news = self.news.subscribe();
        if self.look() {
            let _ = tokio::time::timeout(FIRST_LOOK, news.changed()).await;
        }
        let looks = self.looks();
        let last = looks.last.as_ref()?;
        Some((last.value.clone()?, last.at.elapsed()))
    }

    /// Begins another look if it is time; whether there is nothing to show before it is over.
    fn look(self: &Arc<Self>) -> bool {
        let mut looks = self.looks();
        let due = looks.next.is_none_or(|next| Instant::now() >= next);
        if due && !looks.running {
            looks.running = true;
            let asked = Arc::clone(self);
            tokio::spawn(async move { asked.look_now().await });
        }
        let shown = looks.last.as_ref().is_some_and(|last| last.value.is_some());
        looks.running && !shown
    }

    async fn look_now(&self) {
        let began = Instant::now();
        let answer = self.store.inventory().await;
        let now = Instant::now();
        let mut looks = self.looks();
        looks.running = false;
        looks.next = Some(now + REST.max((now - began).saturating_mul(SHARE)));
        looks.last = Some(Kept {
            at: now,
            value: match answer {
                Ok(inventory) => Some(Arc::new(inventory)),
                Err(error) => {
                    log::debug!("metrics: {error}");
                    None
                }
            },
        });
        drop(looks);
        self.news.send_replace(());
    }

    fn looks(&self) -> std::sync::MutexGuard<'_, Looks> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Asked")
    }
}
