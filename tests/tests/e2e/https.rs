//! HTTPS: postbacks through the SDK with a certificate of our own, which can be changed while the server runs.

use std::{fs, path::Path, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::{Certificate, Version};
use tallyback::{Client, Outcome};
use tallyback_server::{clock::Clock, config::TlsConfig};
use tallyback_tests::{Acme, Process, Raw, TestApp, TestDatabase, run};

use super::tallyback;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Writes a certificate for `localhost` and its key.
fn issue(authority: &Authority, folder: &Path) {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}

fn sdk(acme: &Acme, url: &str, root: &Authority) -> Client {
    let signer = acme.signer();
    let builder = Client::builder(url).key_id(signer.key_id).signing_secret(signer.secret);
    builder.root_certificate_pem(root.pem()).retries(0).build().unwrap()
}

/// The protocol that a fresh connection speaks, if it trusts what the server shows.
async fn handshake(url: &str, root: &Authority) -> Option<Version> {
    let root = Certificate::from_pem(root.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([root]).no_proxy().build().unwrap();
    client.get(format!("{url}/livez")).send().await.ok().map(|response| response.version())
}

#[tokio::test(flavor = "multi_thread")]
async fn postbacks_travel_over_https() {
    let (root, files) = (authority(), tempfile::tempdir().unwrap());
    issue(&root, files.path());
    let (cert, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    let app = TestApp::with(Clock::System, |config| {
        config.tls = Some(TlsConfig { listen: ([127, 0, 0, 1], 0).into(), cert, key });
    })
    .await;
    let acme = app.acme().await;
    let url = app.https_url.clone().unwrap();
    let click_id = acme.click().await;
    let recorded = sdk(&acme, &url, &root).record(&Acme::sale(&click_id, "A-1")).await.unwrap();
    assert_eq!(recorded.outcome, Outcome::Accepted);
    assert_eq!(handshake(&url, &root).await, Some(Version::HTTP_2));
    let stranger = sdk(&acme, &url, &authority()).record(&Acme::sale(&click_id, "A-2")).await;
    assert!(matches!(stranger, Err(tallyback::Error::Transport(_))), "{stranger:?}");
    assert_eq!(acme.agency.all("/v1/conversions").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_finish_a_handshake_is_let_go() {
    let (root, files) = (authority(), tempfile::tempdir().unwrap());
    issue(&root, files.path());
    let (cert, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    let app = TestApp::with(Clock::System, |config| {
        config.tls = Some(TlsConfig { listen: ([127, 0, 0, 1], 0).into(), cert, key });
        config.limits.handshake = Duration::from_secs(1);
    })
    .await;
    let url = app.https_url.clone().unwrap();
    // The second one starts a handshake and says no more.
    for start in ["", "\u{16}\u{3}\u{1}"] {
        assert_eq!(Raw::sending(&url, start).await.until_closed().await, "", "{start:?}");
    }
    assert!(handshake(&url, &root).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_read_again_and_a_bad_one_is_not_taken() {
    let (old, new, files) = (authority(), authority(), tempfile::tempdir().unwrap());
    issue(&old, files.path());
    let path = |name: &str| files.path().join(name).display().to_string();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    let args = ["--tls-listen", "127.0.0.1:0", "--tls-cert", &cert, "--tls-key", &key];
    let database = TestDatabase::create().await;
    let mut server = Process::serve(tallyback(), &database, &args).await;
    let url = server.https_url.clone().unwrap().replace("127.0.0.1", "localhost");
    assert!(handshake(&url, &old).await.is_some() && handshake(&url, &new).await.is_none());

    issue(&new, files.path());
    server.signal("HUP").await;
    server.logged("certificate read again").await;
    assert!(handshake(&url, &new).await.is_some() && handshake(&url, &old).await.is_none());

    for (file, text) in [(&cert, "nonsense"), (&key, "nonsense"), (&cert, "")] {
        let before = fs::read(file).unwrap();
        fs::write(file, text).unwrap();
        server.signal("HUP").await;
        server.logged("the old certificate stays").await;
        assert!(handshake(&url, &new).await.is_some());
        fs::write(file, before).unwrap();
    }
    server.signal("TERM").await;
    let (status, _) = server.end().await;
    assert!(status.success());

    fs::write(&key, "nonsense").unwrap();
    let ended = run(
        tallyback(),
        &[&["serve", "--listen", "off"], &args[..]].concat(),
        &[("DATABASE_URL", &database.url), ("TALLYBACK_DATA_DIR", &path("data"))],
    )
    .await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("TALLYBACK_TLS_KEY"), "{}", ended.stderr);
}
