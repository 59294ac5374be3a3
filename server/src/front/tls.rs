//! TLS by this process: a certificate and its key from two files.
//!
//! The rule: the files may change at any time, as whoever renews certificates writes them. New ones are used from the next
//! connection; ones that do not fit, or are half written, are left for the next look.

use crate::application::{StartError, because};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// A certificate's file and its key's.
type Files = (Vec<u8>, Vec<u8>);

/// The certificate that is shown now.
#[derive(Debug, Clone)]
pub struct Tls(watch::Receiver<Arc<ServerConfig>>);

impl Tls {
    /// Reads both files, and looks every `look` whether they have changed, until told to stop.
    ///
    /// # Errors
    /// With the file that cannot be used, and why.
    pub fn start(certificate: &Path, key: &Path, look: Duration, stop: &CancellationToken) -> Result<Self, StartError> {
        let paths = (certificate.to_owned(), key.to_owned());
        let files = read(&paths)?;
        let (shown, config) = watch::channel(Arc::new(config(&files)?));
        tokio::spawn(renew(paths, files, shown, look, stop.clone()));
        Ok(Self(config))
    }

    /// What shakes hands with a new connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.borrow().clone())
    }
}

fn read((certificate, key): &(PathBuf, PathBuf)) -> Result<Files, StartError> {
    let read = |path: &Path, setting: &str| std::fs::read(path).map_err(because(&format!("{setting}: {} cannot be read", path.display())));
    Ok((read(certificate, "TLS_CERT")?, read(key, "TLS_KEY")?))
}

fn config((certificates, key): &Files) -> Result<ServerConfig, StartError> {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(certificates).collect::<Result<_, _>>().map_err(because("TLS_CERT is no PEM file"))?;
    if chain.is_empty() {
        return Err(StartError("TLS_CERT holds no certificate".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(because("TLS_KEY holds no private key in PEM"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(because("TLS cannot be set up"))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(because("TLS_CERT and TLS_KEY cannot be used together"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

async fn renew(
    paths: (PathBuf, PathBuf),
    mut used: Files,
    shown: watch::Sender<Arc<ServerConfig>>,
    look: Duration,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(look) => {}
        }
        match read(&paths) {
            Ok(files) if files == used => {}
            Ok(files) => match config(&files) {
                Ok(config) => {
                    tracing::info!("the certificate has changed and is used from now on");
                    shown.send_replace(Arc::new(config));
                    used = files;
                }
                Err(error) => tracing::warn!(%error, "the new certificate cannot be used; the former one stays"),
            },
            Err(error) => tracing::warn!(%error, "the certificate stays as it was"),
        }
    }
}
