//! Who may call, and which presentation contexts are taken (PS3.8 7.1, 9.3; PS3.7 D.3).

use std::net::IpAddr;

use dicom_ul::pdu::{
    AssociationAC, AssociationRJ, AssociationRJResult,
    AssociationRJServiceProviderPresentationReason as Local, AssociationRJServiceUserReason as User,
    AssociationRJSource, AssociationRQ, PresentationContextProposed, PresentationContextResult,
    PresentationContextResultReason as Reason, RequestorRoles, UserVariableItem,
};

use sidelight_provisioning::network::Network;

use super::requestor::Proposal;
use super::services::{IMPLICIT_VR_LITTLE_ENDIAN, STORAGE_COMMITMENT, Services};
use crate::part10::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};

const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";
/// What we send at once and, as a requestor, accept: dcmtk's own maximum.
pub(super) const OWN_PDU_BYTES_MAX: u32 = 131_072;
/// PS3.8 9.3.2.2: context ids are the odd numbers of a byte.
const CONTEXTS_MAX: usize = 128;

/// What the door lets in. Made from the site file.
#[derive(Clone, Debug)]
pub struct Policy {
    pub ae_title: String,
    /// Callers must use `ae_title`.
    pub called_must_be_ours: bool,
    /// Empty: anyone may call.
    pub callers: Vec<Caller>,
    /// Longest PDU we accept, announced to the peer (PS3.8 D.1).
    pub pdu_length_max_bytes: u32,
    pub services: Services,
}

/// One AE that may call.
#[derive(Clone, Debug)]
pub struct Caller {
    pub ae_title: String,
    /// Empty: from anywhere.
    pub networks: Vec<Network>,
}

impl Policy {
    /// A door that anyone may use and that takes everything of the standard.
    pub fn open(ae_title: &str) -> Self {
        Self {
            ae_title: ae_title.into(),
            called_must_be_ours: false,
            callers: Vec::new(),
            pdu_length_max_bytes: OWN_PDU_BYTES_MAX,
            services: Services::standard(),
        }
    }

    fn lets_in(&self, calling: &str, from: IpAddr) -> bool {
        let known = |caller: &&Caller| caller.ae_title == calling;
        let at_home =
            |c: &Caller| c.networks.is_empty() || c.networks.iter().any(|network| network.contains(from));
        self.callers.is_empty() || self.callers.iter().filter(known).any(at_home)
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
    from: IpAddr,
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
    // The standard has no "wrong address": a title from elsewhere is not the title we know.
    if !policy.lets_in(request.calling_ae_title.trim(), from) {
        return Err(refused(User::CallingAETitleNotRecognized));
    }
    let decided: Vec<_> = request
        .presentation_contexts
        .iter()
        .take(CONTEXTS_MAX)
        .map(|proposed| context(&policy.services, proposed))
        .collect();
    let contexts = decided.iter().filter_map(|(_, context)| context.clone()).collect();
    Ok((accepted(policy, request, decided.into_iter().map(|(result, _)| result).collect()), contexts))
}

fn refused(reason: User) -> AssociationRJ {
    AssociationRJ { result: AssociationRJResult::Permanent, source: AssociationRJSource::ServiceUser(reason) }
}

fn context(
    services: &Services,
    proposed: &PresentationContextProposed,
) -> (PresentationContextResult, Option<Context>) {
    let abstract_syntax = proposed.abstract_syntax.trim_end_matches(['\0', ' ']);
    let offered =
        |ours: &&String| proposed.transfer_syntaxes.iter().any(|t| t.trim_end_matches(['\0', ' ']) == **ours);
    let (known, ours) = services.transfer_syntaxes(abstract_syntax);
    let chosen = ours.iter().find(offered);
    let reason = match (known, chosen) {
        (false, _) => Reason::AbstractSyntaxNotSupported,
        (true, None) => Reason::TransferSyntaxesNotSupported,
        (true, Some(_)) => Reason::Acceptance,
    };
    // PS3.8 9.3.3.2: a refused context still names a syntax, which the peer does not look at.
    let transfer_syntax = chosen.map_or(IMPLICIT_VR_LITTLE_ENDIAN, |chosen| chosen).to_owned();
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
    let mut user_variables = vec![
        UserVariableItem::MaxLength(policy.pdu_length_max_bytes),
        UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.to_owned()),
        UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION_NAME.to_owned()),
    ];
    user_variables.extend(roles(&request.user_variables).take(1));
    AssociationAC {
        protocol_version: 1,
        application_context_name: APPLICATION_CONTEXT.to_owned(),
        // PS3.8 9.3.3: sent back as they came.
        called_ae_title: request.called_ae_title.clone(),
        calling_ae_title: request.calling_ae_title.clone(),
        presentation_contexts: results,
        user_variables,
    }
}

/// The provider's role for storage commitment: an archive that calls back reports in it (PS3.4 J.3.3, PS3.7 D.3.3.4).
/// Other roles are not taken: silence says that the caller is the user.
fn roles(proposed: &[UserVariableItem]) -> impl Iterator<Item = UserVariableItem> + '_ {
    proposed.iter().filter_map(|item| match item {
        UserVariableItem::ScuScpRoleSelectionSubItem(class, roles)
            if class.trim_end_matches(['\0', ' ']) == STORAGE_COMMITMENT =>
        {
            Some(UserVariableItem::ScuScpRoleSelectionSubItem(STORAGE_COMMITMENT.to_owned(), *roles))
        }
        _ => None,
    })
}

/// An association request of ours. Contexts get the odd numbers in order.
///
/// `provider`: the peer is the user of these services, as when we report what it had asked (PS3.7 D.3.3.4).
pub(super) fn association_request(
    called_ae: &str,
    calling_ae: &str,
    proposals: &[Proposal<'_>],
    provider: bool,
) -> AssociationRQ {
    let ids = (1..=u8::MAX).step_by(2);
    let propose =
        |(id, (abstract_syntax, transfer_syntaxes)): (u8, &Proposal<'_>)| PresentationContextProposed {
            id,
            abstract_syntax: (*abstract_syntax).to_owned(),
            transfer_syntaxes: transfer_syntaxes.iter().map(|syntax| (*syntax).to_owned()).collect(),
        };
    let mut user_variables = vec![
        UserVariableItem::MaxLength(OWN_PDU_BYTES_MAX),
        UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.to_owned()),
        UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION_NAME.to_owned()),
    ];
    if provider {
        let roles = RequestorRoles { scu: false, scp: true };
        let role = |(class, _): &Proposal<'_>| {
            UserVariableItem::ScuScpRoleSelectionSubItem((*class).to_owned(), roles)
        };
        user_variables.extend(proposals.iter().map(role));
    }
    AssociationRQ {
        protocol_version: 1,
        calling_ae_title: calling_ae.to_owned(),
        called_ae_title: called_ae.to_owned(),
        application_context_name: APPLICATION_CONTEXT.to_owned(),
        presentation_contexts: ids.zip(proposals).take(CONTEXTS_MAX).map(propose).collect(),
        user_variables,
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
pub(super) fn peer_pdu_length_max(user_variables: &[UserVariableItem]) -> u32 {
    let announced = user_variables.iter().find_map(|item| match item {
        UserVariableItem::MaxLength(length) if *length > 0 => Some(*length),
        _ => None,
    });
    announced.unwrap_or(OWN_PDU_BYTES_MAX).min(OWN_PDU_BYTES_MAX)
}
