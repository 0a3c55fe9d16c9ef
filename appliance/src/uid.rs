//! DICOM identifiers as types: checked once at the door, safe as a path component ever after.
//!
//! A UID names a patient's examination, so `Debug` hides it; logs carry a keyed pseudonym instead.

use serde::{Deserialize, Serialize};

/// Why a text is not a UID (PS3.5 9.1: at most 64 characters, digits and dots).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UID: 1 to 64 digits and single dots, neither first nor last")]
pub struct NotAUid;

/// Leading zeros of a component are illegal but common, and harmless in a path: they are let through.
fn check(text: &str) -> Result<(), NotAUid> {
    let legal = (1..=64).contains(&text.len())
        && text.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    if legal { Ok(()) } else { Err(NotAUid) }
}

macro_rules! uid {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Trailing NULs and spaces (padding, PS3.5 6.2) are dropped first.
            pub fn parse(text: &str) -> Result<Self, NotAUid> {
                let text = text.trim_end_matches(['\0', ' ']);
                check(text)?;
                Ok(Self(text.to_owned()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(hidden)"))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAUid;
            fn try_from(text: String) -> Result<Self, NotAUid> {
                check(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(uid: $name) -> Self {
                uid.0
            }
        }
    };
}

uid!(
    /// Study Instance UID (0020,000D).
    StudyUid
);
uid!(
    /// Series Instance UID (0020,000E).
    SeriesUid
);
uid!(
    /// SOP Instance UID (0008,0018).
    SopInstanceUid
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_escapes_a_folder_is_a_uid() {
        for text in [
            "",
            ".",
            "..",
            "1..2",
            ".1",
            "1.",
            "../1",
            "/etc",
            "1/2",
            "1.2\\3",
            "1.2 3",
            "1.2.a",
            &"1".repeat(65),
        ] {
            assert_eq!(StudyUid::parse(text).unwrap_err(), NotAUid, "{text:?} was let through");
        }
    }

    #[test]
    fn padding_is_dropped_and_debug_hides_the_value() {
        let uid = SopInstanceUid::parse("1.2.840.10008\0").unwrap();
        assert_eq!(uid.as_str(), "1.2.840.10008");
        assert!(!format!("{uid:?}").contains("840"));
    }
}
