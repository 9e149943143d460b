//! The listener: plain on loopback, TLS everywhere else.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use stanch_core::config::TlsFiles;

use crate::certificate::Authorities;
use crate::intake::Front;
use crate::tenants::by_name::ByName;

/// A connection that says nothing for this long at its beginning is closed.
const FIRST_REQUEST: Duration = Duration::from_secs(30);
/// Requests at the same time on one HTTP/2 connection; more are refused one by one.
const STREAMS: u32 = 128;
/// Requests taken back before they were looked at, after which the connection is ended (rapid reset,
/// CVE-2023-44487); and those that we had to reset because of what was sent.
const RESETS: usize = 20;
const OUR_RESETS: usize = 256;
/// What may be sent ahead of our reading, in bytes: for one request, and for all of a connection.
const AHEAD: u32 = 256 << 10;
const AHEAD_IN_ALL: u32 = 1 << 20;
/// One frame, and the head of one request, in bytes. Of CONTINUATION frames no more are read than such a
/// head could need.
const FRAME: u32 = 16 << 10;
const HEAD: u32 = 16 << 10;
/// What of an answer is held for a reader that does not take it, in bytes.
const UNREAD: usize = 128 << 10;
/// A silent HTTP/2 connection is asked this often whether it is still there, and has as long to answer.
const STILL_THERE: Duration = Duration::from_secs(30);

/// How a listener speaks.
pub(crate) enum Speaks {
    /// In the clear: on this machine only.
    Plain,
    /// TLS with one certificate.
    Tls(RustlsConfig),
    /// TLS with the certificate of the tenant that is asked for.
    ByName(ByName),
}

/// Certificate and key, ready to use. TLS 1.2 and 1.3, nothing older.
///
/// # Errors
/// Which file is wrong, and how.
pub(crate) fn tls(
    folder: &Path,
    files: &TlsFiles,
    clients: &Authorities,
) -> Result<rustls::ServerConfig, String> {
    let said = |file: &str, e: &dyn std::fmt::Display| format!("{file}: {e}");
    let cert = folder.join(&files.cert);
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(&cert).map_err(|e| said(&files.cert, &e))?.collect();
    let chain = chain.map_err(|e| said(&files.cert, &e))?;
    if chain.is_empty() {
        return Err(said(&files.cert, &"holds no certificate"));
    }
    let key = PrivateKeyDer::from_pem_file(folder.join(&files.key)).map_err(|e| said(&files.key, &e))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
    let builder = match clients.asking() {
        Some(asking) => builder.with_client_cert_verifier(asking),
        None => builder.with_no_client_auth(),
    };
    let mut config =
        builder.with_single_cert(chain, key).map_err(|e| format!("{} and {}: {e}", files.cert, files.key))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Whether a certificate is for the name under which it will be shown.
///
/// # Errors
/// When it is for others, or cannot be read.
pub(crate) fn is_for(folder: &Path, files: &TlsFiles, name: &str) -> Result<(), String> {
    let certificate = CertificateDer::from_pem_file(folder.join(&files.cert))
        .map_err(|e| format!("{}: {e}", files.cert))?;
    let parsed = ParsedCertificate::try_from(&certificate).map_err(|e| format!("{}: {e}", files.cert))?;
    let wanted = ServerName::try_from(name).map_err(|e| format!("{name}: {e}"))?;
    verify_server_name(&parsed, &wanted)
        .map_err(|_| format!("{} is not for {name}, the host name of this tenant", files.cert))
}

/// Answers until the handle is told to stop.
pub(crate) async fn serve(
    listener: TcpListener,
    front: Front,
    speaks: Speaks,
    handle: Handle<SocketAddr>,
) -> std::io::Result<()> {
    let service = axum::ServiceExt::<Request>::into_make_service_with_connect_info::<SocketAddr>(front);
    let mut server = axum_server::from_tcp(listener)?.handle(handle).first_request_timeout(FIRST_REQUEST);
    server
        .http_builder()
        .http2()
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(OUR_RESETS)
        .initial_stream_window_size(AHEAD)
        .initial_connection_window_size(AHEAD_IN_ALL)
        .max_frame_size(FRAME)
        .max_header_list_size(HEAD)
        .max_send_buf_size(UNREAD)
        .keep_alive_interval(STILL_THERE)
        .keep_alive_timeout(STILL_THERE);
    match speaks {
        Speaks::Plain => server.acceptor(NoDelayAcceptor::new()).serve(service).await,
        Speaks::Tls(tls) => {
            let acceptor = RustlsAcceptor::new(tls).acceptor(NoDelayAcceptor::new());
            server.acceptor(acceptor).serve(service).await
        }
        Speaks::ByName(tenants) => server.acceptor(tenants).serve(service).await,
    }
}
