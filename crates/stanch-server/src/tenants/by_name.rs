//! One listener for several tenants that speak TLS: the name in a client's first words says whose line it is.
//!
//! Each tenant has a certificate, client authorities and remembered TLS sessions of its own; a line belongs
//! to one tenant from its first words to its end, and every request on it carries that tenant's name. Who
//! names nobody, or a name that is no tenant's, is refused before any certificate is shown.
//!
//! Never looks at what is asked: whether a request is for the tenant of its line is judged where it is
//! handed on. Source: RFC 6066 §3; RFC 9110 §7.4.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::Request;
use axum_server::accept::Accept;
use axum_server::tls::TlsInfo;
use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::server::{Acceptor, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tower::Service;

/// A handshake that takes longer is given up.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Whose line it is, by the name that was asked for.
#[derive(Clone)]
pub(crate) struct ByName {
    /// Each tenant's own; a reload of the tenant swaps what is in it.
    tenants: Arc<BTreeMap<String, RustlsConfig>>,
    nobody: Arc<ServerConfig>,
}

impl ByName {
    /// # Errors
    /// When the library refuses its own defaults.
    pub(crate) fn new(tenants: BTreeMap<String, RustlsConfig>) -> Result<ByName, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
        let nobody = builder.with_no_client_auth().with_cert_resolver(Arc::new(Nobody));
        Ok(ByName { tenants: Arc::new(tenants), nobody: Arc::new(nobody) })
    }

    /// The tenant of a name, with what it shows.
    fn of(&self, asked: Option<&str>) -> Option<(String, Arc<ServerConfig>)> {
        let name = asked?.to_ascii_lowercase();
        let shows = self.tenants.get(&name)?.get_inner();
        Some((name, shows))
    }

    async fn shake(&self, stream: TcpStream) -> io::Result<(TlsStream<TcpStream>, TlsInfo)> {
        stream.set_nodelay(true)?;
        let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let Some((name, shows)) = self.of(begun.client_hello().server_name()) else {
            // With this one the library says no in the words of TLS.
            begun.into_stream(self.nobody.clone()).await?;
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a line for nobody"));
        };
        let stream = begun.into_stream(shows).await?;
        let (_, line) = stream.get_ref();
        let mut info = TlsInfo::default();
        info.server_name = Some(name);
        info.alpn_protocol = line.alpn_protocol().map(<[u8]>::to_vec);
        let shown = line.peer_certificates().unwrap_or_default();
        info.peer_certificates = shown.iter().map(|c| c.as_ref().to_vec()).collect();
        Ok((stream, info))
    }
}

/// Has no certificate for anybody.
#[derive(Debug)]
struct Nobody;

impl ResolvesServerCert for Nobody {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for ByName {
    type Stream = TlsStream<TcpStream>;
    type Service = OfLine<S>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let lines = self.clone();
        Box::pin(async move {
            let shaken = tokio::time::timeout(HANDSHAKE, lines.shake(stream)).await;
            let (stream, info) = shaken.map_err(|e| io::Error::new(io::ErrorKind::TimedOut, e))??;
            Ok((stream, OfLine { inner: service, info: Arc::new(info) }))
        })
    }
}

/// Says on every request which line it came by.
#[derive(Clone)]
pub(crate) struct OfLine<S> {
    inner: S,
    info: Arc<TlsInfo>,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for OfLine<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        request.extensions_mut().insert(self.info.clone());
        self.inner.call(request)
    }
}
