//! A broker for one conversation: on this machine's own address, on a port that it draws, with a login that it draws, and
//! with a store in a folder that goes when it is over.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use actix_web::web::Data;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::entrance::{Entrance, logins};
use super::reload::Bell;
use super::watching::Watching;
use super::{StartError, api, open, owner, server, worker};
use crate::access::{LiveLogins, Throttle};
use crate::domain::bells::Bells;
use crate::domain::catalog::Catalog;
use crate::domain::live::Live;
use crate::domain::recent::Recent;
use crate::secret::Secret;
use crate::settings::{
    LoginKind, LoginRole, LoginSettings, ServerSettings, Settings, StoreSettings, StoreUrl,
};

/// How a platform comes in.
#[derive(Clone, Debug)]
pub struct Door {
    /// `http://host:port` and the base path.
    pub url: String,
    /// The login's name.
    pub username: String,
    /// Its password.
    pub password: Secret<String>,
}

/// Serves `catalog` as `settings` say while `talk` goes on, on a thread of its own; nothing where a signal ended it before.
pub async fn throwaway<T: Send + 'static>(
    settings: &Settings,
    catalog: Arc<Catalog>,
    talk: impl FnOnce(&Door) -> T + Send + 'static,
) -> Result<Option<T>, StartError> {
    // The last to go.
    let folder = Folder::new().map_err(|why| {
        let place = "in the folder for temporary files (TMPDIR)";
        StartError::Store(place.to_owned(), why.into())
    })?;
    let (username, password) = ("platform".to_owned(), Secret::new(owner()?.to_string()));
    let settings = of_its_own(settings, &folder, (&username, &password));
    let listener = server::listen(&settings.server)?;
    let (store, _) = open(&settings.store)?;
    let bells = Arc::new(Bells::default());
    let live = Arc::new(Live::new(catalog));
    let watching = Watching::new(Arc::clone(&live), store, Arc::new(Recent::default()));
    let store = watching.store();
    let stopping = Arc::new(AtomicBool::new(false));
    let (below, rung) = (Arc::clone(&live), Arc::clone(&bells));
    let entrance = Entrance {
        logins: Arc::new(LiveLogins::new(logins(&settings)?)),
        throttle: Arc::new(Throttle::new(Instant::now())),
        // Nobody hears it: what is simulated is not reloaded.
        reloads: Arc::new(Bell::hung().0),
    };
    let api = Data::new(api(
        &settings,
        below,
        rung,
        stopping,
        &watching,
        entrance,
        watching.witness(),
    ));
    let witness = watching.witness();
    let worker = worker(&settings, live, bells, &watching, witness, owner()?);
    let address = listener.local_addr().map_err(StartError::System)?;
    let server = server::start(&settings, listener, None, &api, None)?;
    let handle = server.handle();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::System)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::System)?;
    let serving = actix_web::rt::spawn(server);
    let working = worker.start();
    let door = Door {
        url: format!("http://{address}{}", settings.server.base_path),
        username,
        password,
    };
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || tell.send(talk(&door)));
    let said = tokio::select! {
        said = told => said.ok(),
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
    };
    handle.stop(false).await;
    let _ = serving.await;
    working.stop().await;
    store.close().await.map_err(StartError::Close)?;
    drop(folder);
    Ok(said)
}

/// The settings, but for where it listens, what it remembers in, and who may.
fn of_its_own(
    settings: &Settings,
    folder: &Folder,
    (username, password): (&str, &Secret<String>),
) -> Settings {
    Settings {
        server: ServerSettings {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            workers: 1,
            drain_delay: Duration::ZERO,
            tls: None,
            ..settings.server.clone()
        },
        store: StoreSettings {
            url: StoreUrl::Sqlite(folder.0.join("broker.db")),
            keys: Vec::new(),
            ..settings.store.clone()
        },
        logins: vec![LoginSettings {
            name: "default".to_owned(),
            kind: LoginKind::Basic {
                username: username.to_owned(),
                password: password.clone(),
            },
            roles: vec![LoginRole::Platform],
            offerings: None,
        }],
        ..settings.clone()
    }
}

/// A folder that nobody else looks into, and that goes.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let drawn = owner().map_err(|why| std::io::Error::other(why.to_string()))?;
        let path = std::env::temp_dir().join(format!("catalog-broker-{drawn}"));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
