//! `[archive]`: who keeps studies for good.

use serde::Deserialize;

/// Where the section is missing nobody here keeps anything for good, and commitment is refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// This box is where studies end up: it deletes nothing by itself and may commit to what it holds.
    #[serde(default)]
    pub this_box_is_the_archive: bool,
}
