//! When an image was taken: clock, time point, place in the heartbeat.

use super::{Wanted, whole};
use crate::part10::timing::{Timing, beats_per_min, date_and_time_us, date_time_us};

impl Wanted {
    pub(super) fn timing(&self) -> Timing {
        let moment = |date, time| date_and_time_us(&self.ascii(date), &self.ascii(time));
        let count = |tag| self.integer(tag).and_then(|count| u32::try_from(count).ok());
        let acquired = date_time_us(&self.ascii((0x0008, 0x002A)));
        let one = |tag| self.exactly(tag).map(|[value]: [f64; 1]| value);
        Timing {
            acquired_us: acquired.or_else(|| moment((0x0008, 0x0022), (0x0008, 0x0032))),
            content_us: moment((0x0008, 0x0023), (0x0008, 0x0033)),
            position: count((0x0020, 0x0100)),
            positions: count((0x0020, 0x0105)),
            resolution_us: one((0x0020, 0x0110)).and_then(|ms| whole(ms * 1000.0)),
            trigger_s: one((0x0018, 0x1060)).map(|ms| ms / 1000.0),
            heart_rate_per_min: one((0x0018, 0x1088)).or_else(|| one((0x0018, 0x1062)).map(beats_per_min)),
        }
    }
}
