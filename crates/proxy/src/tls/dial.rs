//! A connection to a node, encrypted as the node wants it, for somebody who speaks the protocol themselves: `howdah check`. Servers
//! of pools are opened by `connect`, in the same way.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Connector, TlsInfo};
use crate::connect;
use crate::settings::NodeAddress;
use crate::stream::Stream;

/// A connection on which nothing has been said.
#[derive(Debug)]
pub struct Dialled(Stream);

/// Connects and encrypts. Cancel safe: a connection that was begun is closed.
///
/// # Errors
/// In words for an operator.
pub async fn dial(address: &NodeAddress, connector: Option<&Connector>) -> Result<Dialled, String> {
    connect::reach(address, connector).await.map(Dialled).map_err(|error| error.to_string())
}

impl Dialled {
    /// What it is encrypted with.
    #[must_use]
    pub fn tls(&self) -> Option<TlsInfo> {
        self.0.tls()
    }
}

impl AsyncRead for Dialled {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_read(cx, into)
    }
}

/// Whoever writes offers the same bytes again after `Pending`, as all of tokio's own writers do.
impl AsyncWrite for Dialled {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }
}
