//! The requestor driven by hand, and against our own acceptor: no sockets, time passed in.

use std::time::Duration;

use dicom_ul::pdu::UserVariableItem;

use super::super::acceptor::{Acceptor, Act, Input};
use super::super::command::C_STORE_RQ;
use super::super::negotiation::Policy;
use super::*;

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const COMMITMENT: &str = "1.2.840.10008.1.20.1";

#[expect(clippy::disallowed_methods, reason = "a starting point; the test moves time itself")]
fn start() -> Instant {
    Instant::now()
}

fn requestor(proposals: &[Proposal<'_>]) -> (Requestor, Pdu) {
    let (machine, first) =
        Requestor::new("PACS", "SIDELIGHT", proposals, false, Timeouts::default(), start());
    (machine, first.0)
}

/// Accepts everything in the first proposed syntax, with this PDU length.
fn accept(request: &Pdu, pdu_bytes_max: u32) -> Heard {
    use dicom_ul::pdu::{PresentationContextResult, PresentationContextResultReason as Reason};
    let Pdu::AssociationRQ(request) = request else { panic!("no association request") };
    let result = |c: &dicom_ul::pdu::PresentationContextProposed| PresentationContextResult {
        id: c.id,
        reason: Reason::Acceptance,
        transfer_syntax: c.transfer_syntaxes[0].clone(),
    };
    Heard::Pdu(Pdu::AssociationAC(AssociationAC {
        protocol_version: 1,
        application_context_name: request.application_context_name.clone(),
        called_ae_title: request.called_ae_title.clone(),
        calling_ae_title: request.calling_ae_title.clone(),
        presentation_contexts: request.presentation_contexts.iter().map(result).collect(),
        user_variables: vec![UserVariableItem::MaxLength(pdu_bytes_max)],
    }))
}

fn associated(pdu_bytes_max: u32) -> Requestor {
    let proposals: [Proposal<'_>; 2] = [(CT, &[EXPLICIT]), (COMMITMENT, &[EXPLICIT])];
    let (mut machine, request) = requestor(&proposals);
    assert_eq!(machine.on(accept(&request, pdu_bytes_max)), [Event::Associated]);
    machine
}

fn pdata(context: u8, value_type: PDataValueType, data: Vec<u8>, is_last: bool) -> Heard {
    let value = PDataValue { presentation_context_id: context, value_type, is_last, data };
    Heard::Pdu(Pdu::PData { data: vec![value] })
}

fn asked(field: u16, has_data_set: bool) -> Vec<u8> {
    let request = Request {
        field,
        message_id: 9,
        sop_class: COMMITMENT.into(),
        sop_instance: "1.2.3".into(),
        type_id: Some(1),
        has_data_set,
    };
    request.to_bytes()
}

#[test]
fn an_object_goes_through_our_own_acceptor_and_the_answer_comes_back() {
    let from = std::net::Ipv4Addr::LOCALHOST.into();
    let policy = std::sync::Arc::new(Policy::open("SIDELIGHT"));
    let mut acceptor = Acceptor::new(policy, from, false, Duration::from_secs(60), start());
    let (mut machine, request) = requestor(&[(CT, &[EXPLICIT])]);
    let acts = acceptor.on(Input::Pdu(request), start());
    let [Act::Send(Outgoing(answer))] = &acts[..] else { panic!("{acts:?}") };
    assert_eq!(machine.on(Heard::Pdu(answer.clone())), [Event::Associated]);
    let context = machine.context(CT, EXPLICIT).unwrap();
    assert_eq!(machine.context(CT, "1.2.840.10008.1.2"), None);
    let mut acts = Vec::new();
    for pdu in machine.request(context, &Operation::Store, CT, "1.2.3", true, start()) {
        acts.extend(acceptor.on(Input::Pdu(pdu.0), start()));
    }
    acts.extend(acceptor.on(Input::Pdu(machine.fragment(context, b"ab".to_vec(), true).0), start()));
    assert!(
        matches!(&acts[..], [Act::Begin(_), Act::Append(data), Act::Finish] if data == b"ab"),
        "{acts:?}"
    );
    let acts = acceptor.on(Input::Answered(Status::with(Status::STORED_AS_IS, "odd")), start());
    let [Act::Send(Outgoing(answer))] = &acts[..] else { panic!("{acts:?}") };
    let events = machine.on(Heard::Pdu(answer.clone()));
    assert_eq!(events, [Event::Response(Status::with(Status::STORED_AS_IS, "odd"))]);
}

#[test]
fn no_pdu_is_longer_than_the_peer_said_header_included() {
    for limit in [128, 4096, 16_384, 131_072, 0, u32::MAX] {
        let mut machine = associated(limit);
        let allowed = if limit == 0 { usize::MAX } else { limit as usize };
        let mut pdus = machine.request(1, &Operation::Store, CT, "1.2.3", true, start());
        pdus.push(machine.fragment(1, vec![0; machine.fragment_bytes_max()], false));
        for pdu in pdus {
            let bytes = super::super::wire::encode(&pdu);
            assert!(
                bytes.len() <= allowed.min(131_072),
                "{} bytes to a peer that takes {limit}",
                bytes.len()
            );
        }
        assert_eq!(machine.fragment_bytes_max() % 2, 0);
    }
    let (mut machine, request) = requestor(&[(CT, &[EXPLICIT])]);
    let events = machine.on(accept(&request, 16));
    assert!(matches!(events.last(), Some(Event::Failed(Failure::Nonsense(_)))), "{events:?}");
}

#[test]
fn a_report_in_between_is_answered_and_handed_out() {
    let mut machine = associated(16_384);
    machine.request(3, &Operation::Action(1), COMMITMENT, "1.2.3", true, start());
    assert_eq!(machine.on(pdata(3, PDataValueType::Command, asked(N_EVENT_REPORT_RQ, true), true)), []);
    assert_eq!(machine.on(pdata(3, PDataValueType::Data, b"ab".to_vec(), false)), []);
    let events = machine.on(pdata(3, PDataValueType::Data, b"cd".to_vec(), true));
    let [Event::Send(_), Event::Report(report)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((report.event_type, &report.data_set[..]), (1, &b"abcd"[..]));
    assert_eq!(report.transfer_syntax, EXPLICIT);
    assert!(machine.deadline().is_some(), "the action is still waiting for its own answer");
}

#[test]
fn a_request_we_do_not_offer_is_answered_so() {
    let mut machine = associated(16_384);
    let events = machine.on(pdata(1, PDataValueType::Command, asked(0x0020, false), true));
    let [Event::Send(Outgoing(Pdu::PData { data }))] = &events[..] else { panic!("{events:?}") };
    let answer = Answer::parse(&data[0].data).unwrap();
    assert_eq!((answer.message_id, answer.status.code), (9, Status::UNRECOGNIZED_OPERATION));
}

#[test]
fn an_answer_to_something_else_ends_the_association() {
    let mut machine = associated(16_384);
    machine.request(1, &Operation::Store, CT, "1.2.3", true, start());
    let other = Request::parse(&asked(C_STORE_RQ, true)).unwrap().response(&Status::success());
    let events = machine.on(pdata(1, PDataValueType::Command, other, true));
    assert!(matches!(&events[..], [Event::Send(_), Event::Failed(Failure::Nonsense(_))]), "{events:?}");
    assert_eq!(machine.on(Heard::Closed), [], "it fails once");
}

#[test]
fn every_way_to_lose_the_peer_has_its_name() {
    for (heard, failure) in [
        (Heard::Closed, Failure::Closed),
        (Heard::Silence, Failure::Silence),
        (Heard::Pdu(Pdu::AbortRQ { source: AbortRQSource::ServiceUser }), Failure::Aborted),
    ] {
        let events = associated(16_384).on(heard);
        assert_eq!(events.last(), Some(&Event::Failed(failure)));
    }
}

#[test]
fn a_refusal_says_whether_to_come_again() {
    use dicom_ul::pdu::{
        AssociationRJ, AssociationRJResult, AssociationRJServiceProviderPresentationReason as Local,
        AssociationRJSource,
    };
    let (mut machine, _) = requestor(&[(CT, &[EXPLICIT])]);
    let events = machine.on(Heard::Pdu(Pdu::AssociationRJ(AssociationRJ {
        result: AssociationRJResult::Transient,
        source: AssociationRJSource::ServiceProviderPresentation(Local::LocalLimitExceeded),
    })));
    let reason = "local limit exceeded".to_owned();
    assert_eq!(events, [Event::Failed(Failure::Rejected { transient: true, reason })]);
}

#[test]
fn release_waits_for_its_answer_or_a_closed_socket() {
    for heard in [Heard::Pdu(Pdu::ReleaseRP), Heard::Closed] {
        let mut machine = associated(16_384);
        machine.release(start());
        assert_eq!(machine.on(heard), [Event::Released]);
    }
}
