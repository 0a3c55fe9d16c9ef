//! The acceptor driven by hand: no sockets, time passed in.

use std::time::{Duration, Instant};

use dicom_ul::pdu::{
    PresentationContextProposed, PresentationContextResultReason as Reason, RequestorRoles, UserVariableItem,
};

use super::super::negotiation::Caller;
use super::super::services::STORAGE_COMMITMENT;
use super::*;

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";

fn policy() -> Arc<Policy> {
    let caller = Caller { ae_title: "CT1".into(), networks: vec!["10.0.0.0/8".parse().unwrap()] };
    let open = Policy::open("SIDELIGHT");
    Arc::new(Policy { called_must_be_ours: true, callers: vec![caller], ..open })
}

fn scanner() -> IpAddr {
    [10, 1, 2, 3].into()
}

#[expect(clippy::disallowed_methods, reason = "a starting point; the test moves time itself")]
fn start() -> Instant {
    Instant::now()
}

fn acceptor(busy: bool) -> Acceptor {
    Acceptor::new(policy(), scanner(), busy, Duration::from_secs(60), start())
}

fn association(called: &str, calling: &str) -> Pdu {
    let context = |id, abstract_syntax: &str, transfer_syntaxes: &[&str]| PresentationContextProposed {
        id,
        abstract_syntax: abstract_syntax.into(),
        transfer_syntaxes: transfer_syntaxes.iter().map(|t| (*t).to_owned()).collect(),
    };
    Pdu::AssociationRQ(AssociationRQ {
        protocol_version: 1,
        calling_ae_title: calling.into(),
        called_ae_title: called.into(),
        application_context_name: "1.2.840.10008.3.1.1.1".into(),
        presentation_contexts: vec![
            context(1, "1.2.840.10008.1.1", &["1.2.840.10008.1.2"]),
            context(3, CT, &["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"]),
            context(5, CT, &["1.2.3.4"]),
            context(7, "1.2.840.10008.5.1.4.31", &["1.2.840.10008.1.2"]),
        ],
        user_variables: Vec::new(),
    })
}

fn accepted() -> Acceptor {
    let mut acceptor = acceptor(false);
    let acts = acceptor.on(Input::Pdu(association("SIDELIGHT", "CT1")), start());
    assert!(matches!(&acts[..], [Act::Send(Outgoing(Pdu::AssociationAC(_)))]));
    acceptor
}

fn command(field: u16, sop_class: &str, sop_instance: &str, has_data: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut put = |number: u16, value: &[u8]| {
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(value.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(value);
    };
    put(0x0002, sop_class.as_bytes());
    put(0x0100, &field.to_le_bytes());
    put(0x0110, &7u16.to_le_bytes());
    put(0x0800, &(if has_data { 0u16 } else { 0x0101 }).to_le_bytes());
    put(0x1000, sop_instance.as_bytes());
    bytes
}

fn fragment(context: u8, value_type: PDataValueType, data: &[u8], is_last: bool) -> PDataValue {
    PDataValue { presentation_context_id: context, value_type, is_last, data: data.to_vec() }
}

fn pdata(values: Vec<PDataValue>) -> Input {
    Input::Pdu(Pdu::PData { data: values })
}

/// Status of the response in an act.
fn status(act: &Act) -> u16 {
    let Act::Send(Outgoing(Pdu::PData { data })) = act else { panic!("no response but {act:?}") };
    let bytes = &data[0].data;
    let at = bytes.windows(4).position(|tag| tag == [0, 0, 0, 9]).expect("a response has a status");
    u16::from_le_bytes([bytes[at + 8], bytes[at + 9]])
}

#[test]
fn contexts_are_judged_one_by_one_and_our_preferred_syntax_wins() {
    let mut acceptor = acceptor(false);
    let acts = acceptor.on(Input::Pdu(association("SIDELIGHT", "CT1")), start());
    let [Act::Send(Outgoing(Pdu::AssociationAC(accepted)))] = &acts[..] else {
        panic!("not accepted: {acts:?}")
    };
    let reasons: Vec<_> = accepted.presentation_contexts.iter().map(|c| c.reason.clone()).collect();
    let expected = [
        Reason::Acceptance,
        Reason::Acceptance,
        Reason::TransferSyntaxesNotSupported,
        Reason::AbstractSyntaxNotSupported,
    ];
    assert_eq!(reasons, expected);
    assert_eq!(accepted.presentation_contexts[1].transfer_syntax, "1.2.840.10008.1.2.1");
}

#[test]
fn refusals_carry_their_reason() {
    use dicom_ul::pdu::{
        AssociationRJResult as Outcome, AssociationRJServiceProviderPresentationReason as Local,
        AssociationRJServiceUserReason as User, AssociationRJSource as Source,
    };
    for (busy, called, calling, result, source) in [
        (
            true,
            "SIDELIGHT",
            "CT1",
            Outcome::Transient,
            Source::ServiceProviderPresentation(Local::LocalLimitExceeded),
        ),
        (false, "OTHER", "CT1", Outcome::Permanent, Source::ServiceUser(User::CalledAETitleNotRecognized)),
        (
            false,
            "SIDELIGHT",
            "CT2",
            Outcome::Permanent,
            Source::ServiceUser(User::CallingAETitleNotRecognized),
        ),
    ] {
        let acts = acceptor(busy).on(Input::Pdu(association(called, calling)), start());
        let [Act::Send(Outgoing(Pdu::AssociationRJ(rejection))), Act::Close { released: false, .. }] =
            &acts[..]
        else {
            panic!("not refused: {acts:?}")
        };
        assert_eq!((&rejection.result, &rejection.source), (&result, &source));
    }
}

#[test]
fn an_object_in_many_fragments_is_announced_appended_and_answered() {
    let mut acceptor = accepted();
    let request = command(C_STORE_RQ, CT, "1.2.3", true);
    let (head, tail) = request.split_at(17);
    assert_eq!(acceptor.on(pdata(vec![fragment(3, PDataValueType::Command, head, false)]), start()), []);
    let acts = acceptor.on(
        pdata(vec![
            fragment(3, PDataValueType::Command, tail, true),
            fragment(3, PDataValueType::Data, b"abc", false),
        ]),
        start(),
    );
    let [Act::Begin(head), Act::Append(first)] = &acts[..] else { panic!("{acts:?}") };
    assert_eq!((head.header.sop_instance.as_str(), head.header.source_ae_title.as_str()), ("1.2.3", "CT1"));
    assert_eq!(head.header.transfer_syntax, "1.2.840.10008.1.2.1");
    assert_eq!(first, b"abc");
    let acts = acceptor.on(pdata(vec![fragment(3, PDataValueType::Data, b"def", true)]), start());
    assert_eq!(acts, [Act::Append(b"def".to_vec()), Act::Finish]);
    assert_eq!(acceptor.deadline(), None, "the disk is not what may time out");
    let acts = acceptor.on(Input::Answered(Status::success()), start());
    assert_eq!(status(&acts[0]), 0);
    let acts = acceptor.on(Input::Pdu(Pdu::ReleaseRQ), start());
    assert!(matches!(&acts[..], [Act::Send(Outgoing(Pdu::ReleaseRP)), Act::Close { released: true, .. }]));
}

#[test]
fn a_bad_uid_is_drained_and_refused_and_the_association_lives() {
    let mut acceptor = accepted();
    for bad in ["../../etc/passwd", "", "1..2"] {
        let request = command(C_STORE_RQ, CT, bad, true);
        assert_eq!(
            acceptor.on(pdata(vec![fragment(3, PDataValueType::Command, &request, true)]), start()),
            []
        );
        assert_eq!(acceptor.on(pdata(vec![fragment(3, PDataValueType::Data, b"x", false)]), start()), []);
        let acts = acceptor.on(pdata(vec![fragment(3, PDataValueType::Data, b"y", true)]), start());
        assert_eq!(status(&acts[0]), Status::CANNOT_UNDERSTAND);
    }
    let echo = command(C_ECHO_RQ, VERIFICATION, "", false);
    let acts = acceptor.on(pdata(vec![fragment(1, PDataValueType::Command, &echo, true)]), start());
    assert_eq!(status(&acts[0]), 0);
}

#[test]
fn unknown_operations_are_answered_not_dropped() {
    let mut acceptor = accepted();
    let find = command(0x0020, CT, "", false);
    let acts = acceptor.on(pdata(vec![fragment(3, PDataValueType::Command, &find, true)]), start());
    assert_eq!(status(&acts[0]), Status::UNRECOGNIZED_OPERATION);
}

#[test]
fn every_way_to_break_off_discards_the_object_and_is_not_a_release() {
    let ways: [fn() -> Input; 6] = [
        || Input::Closed,
        || Input::Silence,
        || Input::Nonsense,
        || Input::Stopping,
        || Input::Pdu(Pdu::ReleaseRQ),
        || Input::Pdu(Pdu::AbortRQ { source: AbortRQSource::ServiceUser }),
    ];
    for (number, way) in ways.iter().enumerate() {
        let mut acceptor = accepted();
        let request = command(C_STORE_RQ, CT, "1.2.3", true);
        acceptor.on(pdata(vec![fragment(3, PDataValueType::Command, &request, true)]), start());
        let acts = acceptor.on(way(), start());
        assert_eq!(acts[0], Act::Discard, "way {number}");
        assert!(matches!(acts.last(), Some(Act::Close { released: false, .. })), "way {number}");
        assert_eq!(acceptor.on(Input::Closed, start()), [], "closed once, way {number}");
    }
}

#[test]
fn fragments_out_of_place_end_the_association() {
    for value in [
        fragment(5, PDataValueType::Command, b"", true),
        fragment(9, PDataValueType::Command, b"", true),
        fragment(3, PDataValueType::Data, b"", true),
    ] {
        let acts = accepted().on(pdata(vec![value]), start());
        assert!(matches!(acts.last(), Some(Act::Close { released: false, .. })), "{acts:?}");
    }
    let mut acceptor = accepted();
    let endless = vec![0u8; COMMAND_BYTES_MAX + 1];
    let acts = acceptor.on(pdata(vec![fragment(3, PDataValueType::Command, &endless, false)]), start());
    assert!(matches!(acts.last(), Some(Act::Close { .. })));
}

#[test]
fn silence_is_due_after_the_idle_timeout_counted_from_the_last_word() {
    let begin = start();
    let mut acceptor = Acceptor::new(policy(), scanner(), false, Duration::from_secs(60), begin);
    assert_eq!(acceptor.deadline(), Some(begin + ARTIM));
    acceptor.on(Input::Pdu(association("SIDELIGHT", "CT1")), begin + Duration::from_secs(5));
    assert_eq!(acceptor.deadline(), Some(begin + Duration::from_secs(65)));
}

#[test]
fn an_archive_may_report_and_nobody_else_takes_the_providers_role() {
    let mut acceptor = acceptor(false);
    let Pdu::AssociationRQ(mut request) = association("SIDELIGHT", "CT1") else { unreachable!() };
    let both = RequestorRoles { scu: false, scp: true };
    for class in [CT, STORAGE_COMMITMENT] {
        request.user_variables.push(UserVariableItem::ScuScpRoleSelectionSubItem(class.into(), both));
    }
    request.presentation_contexts.push(PresentationContextProposed {
        id: 9,
        abstract_syntax: STORAGE_COMMITMENT.into(),
        transfer_syntaxes: vec!["1.2.840.10008.1.2".into()],
    });
    let acts = acceptor.on(Input::Pdu(Pdu::AssociationRQ(request)), start());
    let [Act::Send(Outgoing(Pdu::AssociationAC(accepted)))] = &acts[..] else {
        panic!("not accepted: {acts:?}")
    };
    let roles = accepted.user_variables.iter().filter_map(|item| match item {
        UserVariableItem::ScuScpRoleSelectionSubItem(class, roles) => Some((class.as_str(), *roles)),
        _ => None,
    });
    assert_eq!(roles.collect::<Vec<_>>(), [(STORAGE_COMMITMENT, both)]);
    let mut report = command(0x0100, STORAGE_COMMITMENT, "1.2.840.10008.1.20.1.1", true);
    report.extend_from_slice(&[0, 0, 2, 0x10, 2, 0, 0, 0, 2, 0]);
    let acts = acceptor.on(pdata(vec![fragment(9, PDataValueType::Command, &report, true)]), start());
    assert_eq!(acts, []);
    let acts = acceptor.on(pdata(vec![fragment(9, PDataValueType::Data, b"ab", true)]), start());
    let [Act::Message(message)] = &acts[..] else { panic!("no message but {acts:?}") };
    assert_eq!(message.asked, Asked::CommitmentReported { event_type: 2 });
    let acts = acceptor.on(Input::Answered(Status::success()), start());
    assert_eq!(status(&acts[0]), 0);
}
