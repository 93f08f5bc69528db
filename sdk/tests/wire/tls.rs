//! A server whose certificate comes from a private authority.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tallyback::{Error, Outcome, TransportStep};

use crate::{builder, sale};

const ACCEPTED: &str = r#"{"result":"accepted","code":"accepted","conversion_id":"cv_1"}"#;

/// Starts a TLS server for `localhost`, and returns its port and the certificate to trust.
fn start() -> (u16, String) {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("localhost:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || serve(&listener, &Arc::new(config)));
    (port, issued.cert.pem())
}

/// Answers every request alike; a client that does not trust the certificate is left alone.
fn serve(listener: &TcpListener, config: &Arc<ServerConfig>) {
    for stream in listener.incoming() {
        let connection = ServerConnection::new(Arc::clone(config)).unwrap();
        let mut stream = StreamOwned::new(connection, stream.unwrap());
        let mut seen = Vec::new();
        let mut chunk = [0; 4096];
        while !seen.ends_with(b"}") {
            match stream.read(&mut chunk) {
                Ok(read) if read > 0 => seen.extend_from_slice(&chunk[..read]),
                _ => break,
            }
        }
        let length = ACCEPTED.len();
        let head = format!("HTTP/1.1 201 Created\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
        let _ = stream.write_all(format!("{head}{ACCEPTED}").as_bytes());
        stream.conn.send_close_notify();
        let _ = stream.flush();
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted_once_it_is_named() {
    let (port, certificate) = start();
    let client =
        builder(&format!("https://localhost:{port}")).root_certificate_pem(&certificate).build().unwrap();
    assert_eq!(client.record(&sale()).await.unwrap().outcome, Outcome::Accepted);
}

#[tokio::test]
async fn an_authority_that_is_not_named_is_not_trusted() {
    let (port, _) = start();
    let (_, other) = start();
    let url = format!("https://localhost:{port}");
    let client = builder(&url).root_certificate_pem(&other).retries(0).build().unwrap();
    let error = client.record(&sale()).await.unwrap_err();
    let Error::Transport(failure) = &error else { panic!("{error:?}") };
    assert_eq!(failure.step, TransportStep::Connect);
    assert!(failure.detail.contains("certificate"), "{error}");
}
