//! Word from PostgreSQL that a partner's set-up has changed, in whichever process.

use std::{future::poll_fn, sync::Arc, time::Duration};

use tokio_postgres::AsyncMessage;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    domain::ids::{Id, PartnerId},
    error::causes,
};

const CHANNEL: &str = "tallyback_changes";
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// Calls `on_change` for every change, for ever: with the partner, or with none where word may have been missed.
pub async fn follow(
    config: tokio_postgres::Config,
    tls: Arc<rustls::ClientConfig>,
    on_change: impl Fn(Option<PartnerId>),
) {
    let mut told = String::new();
    loop {
        if let Err(error) = listen(&config, &tls, &on_change).await {
            let error = causes(&error);
            if error != told {
                tracing::warn!(error, "no word of changes by other processes; trying again");
                told = error;
            }
        }
        on_change(None);
        tokio::time::sleep(RETRY_EVERY).await;
    }
}

async fn listen(
    config: &tokio_postgres::Config,
    tls: &Arc<rustls::ClientConfig>,
    on_change: &impl Fn(Option<PartnerId>),
) -> Result<(), tokio_postgres::Error> {
    let tls = MakeRustlsConnect::new(rustls::ClientConfig::clone(tls));
    let (client, mut connection) = config.connect(tls).await?;
    let listen = format!("LISTEN {CHANNEL}");
    let mut started = std::pin::pin!(client.batch_execute(&listen));
    let mut is_started = false;
    loop {
        tokio::select! {
            result = &mut started, if !is_started => {
                result?;
                is_started = true;
                on_change(None);
            }
            message = poll_fn(|context| connection.poll_message(context)) => match message {
                Some(Ok(AsyncMessage::Notification(notification))) => on_change(partner(notification.payload())),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            }
        }
    }
}

fn partner(payload: &str) -> Option<PartnerId> {
    uuid::Uuid::parse_str(payload).ok().map(|id| PartnerId::from_bytes(id.into_bytes()))
}
