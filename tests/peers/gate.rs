//! A gate in front of a port: who calls connects and waits until the test opens it. A slow line, or a box that is not
//! up yet.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::thread;

use super::patience::{patience, within};

#[derive(Debug, Default)]
struct State {
    /// Where callers are let through to; 0 while the gate is shut.
    target: AtomicU16,
    closed_for_good: AtomicBool,
    callers: AtomicUsize,
}

/// A gate; dropping it closes its port.
#[derive(Debug)]
pub struct Gate {
    port: u16,
    state: Arc<State>,
}

impl Gate {
    /// A port of this machine that leads nowhere yet.
    pub fn shut() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State::default());
        thread::spawn({
            let state = state.clone();
            move || {
                for caller in listener.incoming().flatten() {
                    if state.closed_for_good.load(Ordering::SeqCst) {
                        break;
                    }
                    state.callers.fetch_add(1, Ordering::SeqCst);
                    let state = state.clone();
                    // A side that hangs up ends both: what the test sees is at the two ends.
                    thread::spawn(move || let_through(&caller, &state));
                }
            }
        });
        Ok(Self { port, state })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many have called so far.
    pub fn callers(&self) -> usize {
        self.state.callers.load(Ordering::SeqCst)
    }

    /// From now on it leads to this port.
    pub fn open_to(&self, port: u16) {
        self.state.target.store(port, Ordering::SeqCst);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.state.closed_for_good.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn let_through(caller: &TcpStream, state: &State) -> Option<()> {
    let open = || Some(state.target.load(Ordering::SeqCst)).filter(|port| *port > 0);
    let target = within(patience(), open)?;
    let target = TcpStream::connect(("127.0.0.1", target)).ok()?;
    thread::scope(|scope| {
        scope.spawn(|| pass(caller, &target));
        pass(&target, caller);
    });
    Some(())
}

fn pass(mut from: &TcpStream, mut to: &TcpStream) {
    let _ended = io::copy(&mut from, &mut to);
    let _gone = to.shutdown(Shutdown::Write);
}
