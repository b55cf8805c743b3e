//! A network between a test and PostgreSQL, which may lose everything or break.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the network does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Forwards,
    /// Nothing arrives, in either direction, and no connection notices.
    Silent,
}

/// The network. It forwards at first.
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    /// Each change cuts the connections of that moment.
    cuts: Arc<watch::Sender<u64>>,
}

impl Proxy {
    /// A way to the server of a PostgreSQL URL.
    pub async fn to(url: &str) -> Self {
        let config: tokio_postgres::Config = url.parse().unwrap();
        let [tokio_postgres::config::Host::Tcp(host)] = config.get_hosts() else { panic!("not TCP: {url}") };
        let to = format!("{host}:{}", config.get_ports()[0]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, seen) = watch::channel(State::Forwards);
        let (cuts, cut) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (to, seen, mut cut) = (to.clone(), seen.clone(), cut.clone());
                cut.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(to).await else { return };
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    tokio::select! {
                        () = forward(from_client, to_server, seen.clone()) => {}
                        () = forward(from_server, to_client, seen) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { address, state, cuts: Arc::new(cuts) }
    }

    /// The same URL through this network.
    pub fn url(&self, url: &str) -> String {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (user, rest) = rest.split_once('@').unwrap();
        let (_, name) = rest.split_once('/').unwrap();
        format!("{scheme}://{user}@{}/{name}", self.address)
    }

    /// Loses everything from now on.
    pub fn lose_everything(&self) {
        self.state.send_replace(State::Silent);
    }

    /// Forwards again, also what was sent meanwhile.
    pub fn forward_again(&self) {
        self.state.send_replace(State::Forwards);
    }

    /// Cuts the connections that are open.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        if state.wait_for(|state| *state == State::Forwards).await.is_err()
            || to.write_all(&bytes[..length]).await.is_err()
        {
            return;
        }
    }
}
