//! Who may call, and which presentation contexts are taken (PS3.8 7.1, 9.3; PS3.7 D.3).

use dicom_ul::pdu::{
    AssociationAC, AssociationRJ, AssociationRJResult,
    AssociationRJServiceProviderPresentationReason as Local, AssociationRJServiceUserReason as User,
    AssociationRJSource, AssociationRQ, PresentationContextProposed, PresentationContextResult,
    PresentationContextResultReason as Reason, UserVariableItem,
};

use super::requestor::Proposal;
use crate::part10::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};

const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";
pub(super) const VERIFICATION: &str = "1.2.840.10008.1.1";
/// Every storage SOP class of the standard but a handful begins like this; the full list is the next step.
const STORAGE: &str = "1.2.840.10008.5.1.4.1.1.";
/// What we send at once and, as a requestor, accept: dcmtk's own maximum.
pub(super) const OWN_PDU_BYTES_MAX: u32 = 131_072;
/// PS3.8 9.3.2.2: context ids are the odd numbers of a byte.
const CONTEXTS_MAX: usize = 128;

/// Transfer syntaxes we keep, best first: what every client reads without a codec, then lossless, then the rest.
const TRANSFER_SYNTAXES: [&str; 30] = [
    "1.2.840.10008.1.2.1",     // explicit VR little endian
    "1.2.840.10008.1.2",       // implicit VR little endian
    "1.2.840.10008.1.2.1.99",  // deflated explicit VR little endian
    "1.2.840.10008.1.2.2",     // explicit VR big endian
    "1.2.840.10008.1.2.4.70",  // JPEG lossless, selection value 1
    "1.2.840.10008.1.2.4.57",  // JPEG lossless
    "1.2.840.10008.1.2.5",     // RLE
    "1.2.840.10008.1.2.4.90",  // JPEG 2000 lossless
    "1.2.840.10008.1.2.4.201", // HTJ2K lossless
    "1.2.840.10008.1.2.4.202", // HTJ2K lossless RPCL
    "1.2.840.10008.1.2.4.80",  // JPEG-LS lossless
    "1.2.840.10008.1.2.4.110", // JPEG XL lossless
    "1.2.840.10008.1.2.4.111", // JPEG XL JPEG recompression
    "1.2.840.10008.1.2.4.50",  // JPEG baseline
    "1.2.840.10008.1.2.4.51",  // JPEG extended
    "1.2.840.10008.1.2.4.91",  // JPEG 2000
    "1.2.840.10008.1.2.4.203", // HTJ2K
    "1.2.840.10008.1.2.4.81",  // JPEG-LS near lossless
    "1.2.840.10008.1.2.4.112", // JPEG XL
    "1.2.840.10008.1.2.4.92",  // JPEG 2000 part 2 lossless
    "1.2.840.10008.1.2.4.93",  // JPEG 2000 part 2
    "1.2.840.10008.1.2.4.100", // MPEG-2 main profile main level
    "1.2.840.10008.1.2.4.101", // MPEG-2 main profile high level
    "1.2.840.10008.1.2.4.102", // MPEG-4 AVC high profile 4.1
    "1.2.840.10008.1.2.4.103", // MPEG-4 AVC BD-compatible
    "1.2.840.10008.1.2.4.104", // MPEG-4 AVC 4.2 2-D
    "1.2.840.10008.1.2.4.105", // MPEG-4 AVC 4.2 3-D
    "1.2.840.10008.1.2.4.106", // MPEG-4 AVC stereo
    "1.2.840.10008.1.2.4.107", // HEVC main
    "1.2.840.10008.1.2.4.108", // HEVC main 10
];

/// What the door lets in. Made from the site file.
#[derive(Clone, Debug)]
pub struct Policy {
    pub ae_title: String,
    /// Callers must use `ae_title`.
    pub called_must_be_ours: bool,
    /// Empty: anyone may call.
    pub calling_ae_titles: Vec<String>,
    /// Longest PDU we accept, announced to the peer (PS3.8 D.1).
    pub pdu_length_max_bytes: u32,
}

#[cfg(test)]
impl Policy {
    /// A door for tests: anyone may call.
    pub(super) fn lab(ae_title: &str) -> Self {
        Self {
            ae_title: ae_title.into(),
            called_must_be_ours: false,
            calling_ae_titles: Vec::new(),
            pdu_length_max_bytes: 131_072,
        }
    }
}

/// A presentation context both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Context {
    pub id: u8,
    pub abstract_syntax: String,
    pub transfer_syntax: String,
}

/// Decides over an association request. `busy`: the box serves as many associations as it may.
pub(super) fn decide(
    policy: &Policy,
    request: &AssociationRQ,
    busy: bool,
) -> Result<(AssociationAC, Vec<Context>), AssociationRJ> {
    if busy {
        let source = AssociationRJSource::ServiceProviderPresentation(Local::LocalLimitExceeded);
        return Err(AssociationRJ { result: AssociationRJResult::Transient, source });
    }
    if request.application_context_name != APPLICATION_CONTEXT {
        return Err(refused(User::ApplicationContextNameNotSupported));
    }
    if policy.called_must_be_ours && request.called_ae_title.trim() != policy.ae_title {
        return Err(refused(User::CalledAETitleNotRecognized));
    }
    let calling = request.calling_ae_title.trim();
    if !policy.calling_ae_titles.is_empty() && !policy.calling_ae_titles.iter().any(|title| title == calling)
    {
        return Err(refused(User::CallingAETitleNotRecognized));
    }
    let decided: Vec<_> = request.presentation_contexts.iter().take(CONTEXTS_MAX).map(context).collect();
    let contexts = decided.iter().filter_map(|(_, context)| context.clone()).collect();
    Ok((accepted(policy, request, decided.into_iter().map(|(result, _)| result).collect()), contexts))
}

fn refused(reason: User) -> AssociationRJ {
    AssociationRJ { result: AssociationRJResult::Permanent, source: AssociationRJSource::ServiceUser(reason) }
}

fn context(proposed: &PresentationContextProposed) -> (PresentationContextResult, Option<Context>) {
    let abstract_syntax = proposed.abstract_syntax.trim_end_matches(['\0', ' ']);
    let offered =
        |ours: &&&str| proposed.transfer_syntaxes.iter().any(|t| t.trim_end_matches(['\0', ' ']) == **ours);
    let known = abstract_syntax == VERIFICATION || abstract_syntax.starts_with(STORAGE);
    let chosen = TRANSFER_SYNTAXES.iter().find(offered);
    let reason = match (known, chosen) {
        (false, _) => Reason::AbstractSyntaxNotSupported,
        (true, None) => Reason::TransferSyntaxesNotSupported,
        (true, Some(_)) => Reason::Acceptance,
    };
    // PS3.8 9.3.3.2: a refused context still names a syntax, which the peer does not look at.
    let transfer_syntax = chosen.map_or(TRANSFER_SYNTAXES[1], |chosen| chosen).to_owned();
    let context = (reason == Reason::Acceptance).then(|| Context {
        id: proposed.id,
        abstract_syntax: abstract_syntax.to_owned(),
        transfer_syntax: transfer_syntax.clone(),
    });
    (PresentationContextResult { id: proposed.id, reason, transfer_syntax }, context)
}

fn accepted(
    policy: &Policy,
    request: &AssociationRQ,
    results: Vec<PresentationContextResult>,
) -> AssociationAC {
    AssociationAC {
        protocol_version: 1,
        application_context_name: APPLICATION_CONTEXT.to_owned(),
        // PS3.8 9.3.3: sent back as they came.
        called_ae_title: request.called_ae_title.clone(),
        calling_ae_title: request.calling_ae_title.clone(),
        presentation_contexts: results,
        user_variables: vec![
            UserVariableItem::MaxLength(policy.pdu_length_max_bytes),
            UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.to_owned()),
            UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION_NAME.to_owned()),
        ],
    }
}

/// An association request of ours. Contexts get the odd numbers in order.
pub(super) fn association_request(
    called_ae: &str,
    calling_ae: &str,
    proposals: &[Proposal<'_>],
) -> AssociationRQ {
    let ids = (1..=u8::MAX).step_by(2);
    let propose =
        |(id, (abstract_syntax, transfer_syntaxes)): (u8, &Proposal<'_>)| PresentationContextProposed {
            id,
            abstract_syntax: (*abstract_syntax).to_owned(),
            transfer_syntaxes: transfer_syntaxes.iter().map(|syntax| (*syntax).to_owned()).collect(),
        };
    AssociationRQ {
        protocol_version: 1,
        calling_ae_title: calling_ae.to_owned(),
        called_ae_title: called_ae.to_owned(),
        application_context_name: APPLICATION_CONTEXT.to_owned(),
        presentation_contexts: ids.zip(proposals).take(CONTEXTS_MAX).map(propose).collect(),
        user_variables: vec![
            UserVariableItem::MaxLength(OWN_PDU_BYTES_MAX),
            UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.to_owned()),
            UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION_NAME.to_owned()),
        ],
    }
}

/// What the peer accepted of our proposals. An answer to something we did not propose is not ours.
pub(super) fn accepted_contexts(proposed: &[(u8, String)], accepted: &AssociationAC) -> Vec<Context> {
    let taken = accepted.presentation_contexts.iter().filter(|result| result.reason == Reason::Acceptance);
    let known = taken.filter_map(|result| {
        let (id, abstract_syntax) = proposed.iter().find(|(id, _)| *id == result.id)?;
        let transfer_syntax = result.transfer_syntax.trim_end_matches(['\0', ' ']).to_owned();
        Some(Context { id: *id, abstract_syntax: abstract_syntax.clone(), transfer_syntax })
    });
    known.collect()
}

/// The longest PDU that may be sent to the peer; 0 and silence mean "no limit" (PS3.8 D.1), for us `OWN_PDU_BYTES_MAX`.
pub(super) fn peer_pdu_length_max(accepted: &AssociationAC) -> u32 {
    let announced = accepted.user_variables.iter().find_map(|item| match item {
        UserVariableItem::MaxLength(length) if *length > 0 => Some(*length),
        _ => None,
    });
    announced.unwrap_or(OWN_PDU_BYTES_MAX).min(OWN_PDU_BYTES_MAX)
}
