//! TLS: its files, and what is new in them.

use std::sync::Arc;
use std::time::Duration;

use super::watching::Watching;
use super::{StartError, system_time, timestamp};
use crate::http::{Look, Tls, TlsFiles};
use crate::settings::ServerSettings;

/// What the broker shakes hands with, where it is to speak TLS. When its certificate is over is shown from now on.
pub(super) fn open(
    server: &ServerSettings,
    watching: &Watching,
) -> Result<Option<Arc<Tls>>, StartError> {
    let Some(files) = &server.tls else {
        return Ok(None);
    };
    let files = TlsFiles {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        client_ca: files.client_ca.clone(),
    };
    let shown_as = files.certificate.clone();
    let tls = Tls::load(files).map_err(|why| StartError::Tls(why.to_string()))?;
    if tls.ends().is_some_and(|ends| ends <= system_time()) {
        log::error!("TLS: the certificate is over, so that clients will refuse it");
    }
    let shown = Arc::clone(&tls);
    let file = shown_as.display().to_string();
    watching.certificate(file, move || shown.ends().map(timestamp));
    Ok(Some(tls))
}

/// How often the files of TLS are looked at.
const LOOK_AT_FILES: Duration = Duration::from_secs(2);

/// Takes what is new in the files of TLS, as long as the server runs.
pub(super) fn watch(tls: &Arc<Tls>) -> actix_web::rt::task::JoinHandle<()> {
    let tls = Arc::clone(tls);
    actix_web::rt::spawn(async move {
        // What is wrong with them, as it was said last.
        let mut said = None;
        loop {
            tokio::time::sleep(LOOK_AT_FILES).await;
            let looking = Arc::clone(&tls);
            match tokio::task::spawn_blocking(move || looking.look(system_time())).await {
                Ok(Look::Same) => said = None,
                Ok(Look::New) => {
                    said = None;
                    log::info!("TLS: the new files hold from now on");
                }
                Ok(Look::Bad(why)) if said.as_ref() == Some(&why) => {}
                Ok(Look::Bad(why)) => {
                    log::error!("TLS: {why}; what was read before still holds");
                    said = Some(why);
                }
                Err(error) => log::error!("TLS: the files were not looked at: {error}"),
            }
        }
    })
}
