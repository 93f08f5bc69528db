//! Before the server stops, every answer asks the client to close its connection: then no request is on its way when
//! the connection goes.

use std::sync::atomic::Ordering;

use actix_web::{dev::Response, http::ConnectionType};

use super::State;

/// Adds `Connection: close` while the server is stopping.
pub fn say_when_stopping<B>(state: &State, response: &mut Response<B>) {
    if state.is_stopping.load(Ordering::Relaxed) {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
}
