//! Our own acceptor with storage switched off: the session machine of the box on a socket, every byte dropped, every
//! object answered with success. It exists in this program only: nothing a site could start by accident.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sidelight::clock::Clock;
use sidelight::dimse::socket::Socket;
use sidelight::dimse::wire::{PduReader, encode};
use sidelight::dimse::{Acceptor, Act, Input, Policy, Status};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

const IDLE: Duration = Duration::from_secs(60);

/// A listening sink; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Sink {
    port: u16,
    _runtime: Runtime,
}

impl Sink {
    /// On the same kind of runtime as the box.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let port = listener.local_addr()?.port();
        runtime.spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                tokio::spawn(serve(stream, peer.ip()));
            }
        });
        Ok(Self { port, _runtime: runtime })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

/// A peer that breaks off ends its own association; whether all arrived is the sender's exit status.
async fn serve(stream: TcpStream, peer: IpAddr) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut socket, policy) = (Socket::Plain(stream), Arc::new(Policy::open("SIDELIGHT")));
    let mut pdus = PduReader::new(policy.pdu_length_max_bytes);
    let mut acceptor = Acceptor::new(policy, peer, false, IDLE, Clock.now());
    loop {
        let mut inputs = vec![pdus.read(&mut socket).await.map_or(Input::Closed, Input::Pdu)];
        while let Some(input) = inputs.pop() {
            for act in acceptor.on(input, Clock.now()) {
                match act {
                    Act::Send(pdu) => {
                        socket.write_all(&encode(&pdu)).await?;
                        socket.flush().await?;
                    }
                    Act::Finish => inputs.push(Input::Answered(Status::success())),
                    Act::Close { .. } => return socket.shutdown().await,
                    _ => {}
                }
            }
        }
    }
}
