//! One flag that says "stop": cloneable, awaitable, checkable from threads.

use tokio::sync::watch;

/// Held by whoever may stop the box.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Held by whoever has to stop.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// A stopper and its flag, not yet raised.
pub fn channel() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once the box is stopping; at once where it already is, or where nobody is left to say so.
    pub async fn stopped(&mut self) {
        let _ = self.0.wait_for(|stopped| *stopped).await;
    }
}
