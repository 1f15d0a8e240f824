//! Round trips and damaged bytes of NEGOTIATE.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn contexts() -> impl Strategy<Value = Vec<Context>> {
    let context = prop_oneof![
        (vec(any::<u16>(), 0..4), vec(any::<u8>(), 0..40)).prop_map(|(hashes, salt)| Context::Preauth { hashes, salt }),
        vec(any::<u16>(), 0..6).prop_map(Context::Encryption),
        (3u16.., vec(any::<u8>(), 0..40)).prop_map(|(kind, data)| Context::Other { kind, data }),
    ];
    vec(context, 0..5)
}

fn dialects() -> impl Strategy<Value = u16> {
    prop_oneof![proptest::sample::select(dialect::ALL.to_vec()), any::<u16>()]
}

fn requests() -> impl Strategy<Value = Request> {
    (any::<(u16, u32, [u8; 16])>(), vec(dialects(), 0..9), contexts()).prop_map(
        |((security_mode, capabilities, client), dialects, contexts)| {
            let contexts = if dialects.contains(&dialect::SMB_3_1_1) { contexts } else { Vec::new() };
            Request { security_mode, capabilities, client: Guid(client), dialects, contexts }
        },
    )
}

fn responses() -> impl Strategy<Value = Response> {
    let numbers = any::<(u16, [u8; 16], u32, u32, u32, u32, u64)>();
    (numbers, dialects(), vec(any::<u8>(), 0..200), contexts()).prop_map(|(numbers, dialect, token, contexts)| {
        let (security_mode, server, capabilities, max_transact, max_read, max_write, system_time) = numbers;
        let contexts = if dialect == dialect::SMB_3_1_1 { contexts } else { Vec::new() };
        let server = Guid(server);
        Response {
            security_mode,
            dialect,
            server,
            capabilities,
            max_transact,
            max_read,
            max_write,
            system_time,
            token,
            contexts,
        }
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..400)) {
        let _ = Request::decode(&bytes);
        let _ = Response::decode(&bytes);
    }

    #[test]
    fn a_damaged_message_is_read_or_refused(
        request in requests(), response in responses(), at: prop::sample::Index, byte: u8, keep: prop::sample::Index
    ) {
        let head = Header::default();
        for mut bytes in [request.encode(&head), response.encode(&head)] {
            let place = at.index(bytes.len());
            bytes[place] = byte;
            bytes.truncate(keep.index(bytes.len() + 1));
            let _ = Request::decode(&bytes);
            let _ = Response::decode(&bytes);
        }
    }

    #[test]
    fn a_request_is_read_as_it_was_written(request in requests()) {
        prop_assert_eq!(Request::decode(&request.encode(&Header::default())), Ok(request));
    }

    #[test]
    fn a_response_is_read_as_it_was_written(response in responses()) {
        prop_assert_eq!(Response::decode(&response.encode(&Header::default())), Ok(response));
    }
}

#[test]
fn encryption_is_offered_by_a_capability_before_3_1_1_and_by_a_context_with_it() {
    let response = |dialect, capabilities, contexts| Response {
        security_mode: SIGNING_ENABLED,
        dialect,
        server: Guid::default(),
        capabilities,
        max_transact: 0,
        max_read: 0,
        max_write: 0,
        system_time: 0,
        token: Vec::new(),
        contexts,
    };
    let with = |dialect, contexts| response(dialect, CAPABILITY_ENCRYPTION, contexts).cipher();
    assert_eq!(with(dialect::SMB_2_1, Vec::new()), None);
    assert_eq!(with(dialect::SMB_3_0, Vec::new()), Some(cipher::AES_128_CCM));
    assert_eq!(with(dialect::SMB_3_1_1, Vec::new()), None);
    assert_eq!(
        with(dialect::SMB_3_1_1, vec![Context::Encryption(vec![cipher::AES_256_GCM])]),
        Some(cipher::AES_256_GCM)
    );
    assert_eq!(response(dialect::SMB_3_0_2, 0, Vec::new()).cipher(), None);
}
