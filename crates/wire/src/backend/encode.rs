//! Writing a server's messages: every decoded one, and those the program sends to a client on its
//! own account.
//!
//! Not here: translations; what the program says is English.
//!
//! Invariant: `decode` of what is written gives back what was written. Texts are written up to
//! their first NUL.

use crate::{SqlState, put};

use super::{Authentication, CopyFormat, Message, TransactionStatus, tag};

/// Number of the type `text`.
const TEXT_OID: u32 = 25;

impl Message<'_> {
    /// Appends this message as a frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Authentication(request) => request.encode(out),
            Self::BackendKeyData { process_id, secret } => {
                backend_key_data(out, process_id, secret)
            }
            Self::BindComplete => bind_complete(out),
            Self::CloseComplete => close_complete(out),
            Self::CommandComplete { tag } => {
                put::frame(out, tag::COMMAND_COMPLETE, |out| put::cstr(out, tag))
            }
            Self::CopyIn(format) => format.encode(out, tag::COPY_IN),
            Self::CopyOut(format) => format.encode(out, tag::COPY_OUT),
            Self::CopyBoth(format) => format.encode(out, tag::COPY_BOTH),
            Self::CopyData(data) => {
                put::frame(out, tag::COPY_DATA, |out| out.extend_from_slice(data))
            }
            Self::CopyDone => put::frame(out, tag::COPY_DONE, |_| ()),
            Self::DataRow(values) => put::frame(out, tag::DATA_ROW, |out| values.encode(out)),
            Self::EmptyQuery => empty_query(out),
            Self::Error(fields) => put::frame(out, tag::ERROR, |out| fields.encode(out)),
            Self::FunctionResult(value) => {
                put::frame(out, tag::FUNCTION_RESULT, |out| put::value(out, value))
            }
            Self::NegotiateVersion { newest, unsupported, count } => {
                put::frame(out, tag::NEGOTIATE_VERSION, |out| {
                    out.extend_from_slice(&newest.to_be_bytes());
                    out.extend_from_slice(&count.to_be_bytes());
                    unsupported.encode(out);
                })
            }
            Self::NoData => no_data(out),
            Self::Notice(fields) => put::frame(out, tag::NOTICE, |out| fields.encode(out)),
            Self::Notification { process_id, channel, payload } => {
                put::frame(out, tag::NOTIFICATION, |out| {
                    out.extend_from_slice(&process_id.to_be_bytes());
                    put::cstr(out, channel);
                    put::cstr(out, payload);
                })
            }
            Self::ParameterDescription(types) => {
                put::frame(out, tag::PARAMETER_DESCRIPTION, |out| types.encode(out))
            }
            Self::ParameterStatus { name, value } => parameter_status_message(out, name, value),
            Self::ParseComplete => parse_complete(out),
            Self::PortalSuspended => put::frame(out, tag::PORTAL_SUSPENDED, |_| ()),
            Self::ReadyForQuery(status) => ready_for_query(out, status),
            Self::RowDescription(columns) => {
                put::frame(out, tag::ROW_DESCRIPTION, |out| columns.encode(out))
            }
        }
    }
}

impl Authentication<'_> {
    fn encode(self, out: &mut Vec<u8>) {
        match self {
            Self::Ok => authentication_ok(out),
            Self::CleartextPassword => authentication_cleartext(out),
            Self::Md5Password(salt) => authentication_md5(out, salt),
            Self::Sasl(mechanisms) => authentication(out, 10, |out| {
                mechanisms.encode(out);
                out.push(0);
            }),
            Self::SaslContinue(data) => authentication_sasl_continue(out, data),
            Self::SaslFinal(data) => authentication_sasl_final(out, data),
            Self::GssContinue(data) => authentication(out, 8, |out| out.extend_from_slice(data)),
            Self::Unsupported(method) => authentication(out, method, |_| ()),
        }
    }
}

impl CopyFormat<'_> {
    fn encode(self, out: &mut Vec<u8>, tag: u8) {
        put::frame(out, tag, |out| {
            out.push(self.overall);
            self.columns.encode(out);
        });
    }
}

fn authentication(out: &mut Vec<u8>, method: i32, data: impl FnOnce(&mut Vec<u8>)) {
    put::frame(out, tag::AUTHENTICATION, |out| {
        out.extend_from_slice(&method.to_be_bytes());
        data(out);
    });
}

/// Appends `AuthenticationOk`.
pub fn authentication_ok(out: &mut Vec<u8>) {
    authentication(out, 0, |_| ());
}

/// Appends `AuthenticationCleartextPassword`.
pub fn authentication_cleartext(out: &mut Vec<u8>) {
    authentication(out, 3, |_| ());
}

/// Appends `AuthenticationMD5Password`.
pub fn authentication_md5(out: &mut Vec<u8>, salt: [u8; 4]) {
    authentication(out, 5, |out| out.extend_from_slice(&salt));
}

/// Appends `AuthenticationSASL` with these mechanisms, the preferred one first.
pub fn authentication_sasl(out: &mut Vec<u8>, mechanisms: &[&str]) {
    authentication(out, 10, |out| {
        for mechanism in mechanisms {
            put::cstr(out, mechanism.as_bytes());
        }
        out.push(0);
    });
}

/// Appends `AuthenticationSASLContinue`.
pub fn authentication_sasl_continue(out: &mut Vec<u8>, data: &[u8]) {
    authentication(out, 11, |out| out.extend_from_slice(data));
}

/// Appends `AuthenticationSASLFinal`.
pub fn authentication_sasl_final(out: &mut Vec<u8>, data: &[u8]) {
    authentication(out, 12, |out| out.extend_from_slice(data));
}

/// Appends `BackendKeyData`. Clients of protocol 3.0 take a secret of exactly 4 bytes.
pub fn backend_key_data(out: &mut Vec<u8>, process_id: u32, secret: &[u8]) {
    put::frame(out, tag::BACKEND_KEY_DATA, |out| {
        out.extend_from_slice(&process_id.to_be_bytes());
        out.extend_from_slice(secret);
    });
}

/// Appends `ParameterStatus`.
pub fn parameter_status_message(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    put::frame(out, tag::PARAMETER_STATUS, |out| {
        put::cstr(out, name);
        put::cstr(out, value);
    });
}

/// Appends ReadyForQuery.
pub fn ready_for_query(out: &mut Vec<u8>, status: TransactionStatus) {
    put::frame(out, tag::READY_FOR_QUERY, |out| out.push(status.as_byte()));
}

/// Appends `CommandComplete`.
pub fn command_complete(out: &mut Vec<u8>, tag: &str) {
    put::frame(out, tag::COMMAND_COMPLETE, |out| put::cstr(out, tag.as_bytes()));
}

/// Appends `ParseComplete`.
pub fn parse_complete(out: &mut Vec<u8>) {
    put::frame(out, tag::PARSE_COMPLETE, |_| ());
}

/// Appends `BindComplete`.
pub fn bind_complete(out: &mut Vec<u8>) {
    put::frame(out, tag::BIND_COMPLETE, |_| ());
}

/// Appends `CloseComplete`.
pub fn close_complete(out: &mut Vec<u8>) {
    put::frame(out, tag::CLOSE_COMPLETE, |_| ());
}

/// Appends `NoData`.
pub fn no_data(out: &mut Vec<u8>) {
    put::frame(out, tag::NO_DATA, |_| ());
}

/// Appends `EmptyQueryResponse`.
pub fn empty_query(out: &mut Vec<u8>) {
    put::frame(out, tag::EMPTY_QUERY, |_| ());
}

/// Appends a `RowDescription` of columns of type `text`.
pub fn row_description_text(out: &mut Vec<u8>, names: &[&str]) {
    put::frame(out, tag::ROW_DESCRIPTION, |out| {
        put::count(out, names.len());
        for name in names {
            put::cstr(out, name.as_bytes());
            out.extend_from_slice(&[0; 6]);
            out.extend_from_slice(&TEXT_OID.to_be_bytes());
            out.extend_from_slice(&(-1_i16).to_be_bytes());
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            out.extend_from_slice(&[0; 2]);
        }
    });
}

/// Appends a `DataRow` of texts; `None` is NULL.
pub fn data_row_text(out: &mut Vec<u8>, values: &[Option<&str>]) {
    put::frame(out, tag::DATA_ROW, |out| {
        put::count(out, values.len());
        for value in values {
            put::value(out, value.map(str::as_bytes));
        }
    });
}

/// Appends a `RowDescription` of these columns.
pub fn row_description<'a>(
    out: &mut Vec<u8>,
    columns: impl ExactSizeIterator<Item = super::Column<'a>>,
) {
    put::frame(out, tag::ROW_DESCRIPTION, |out| {
        put::count(out, columns.len());
        for column in columns {
            put::cstr(out, column.name);
            out.extend_from_slice(&column.table.to_be_bytes());
            out.extend_from_slice(&column.number.to_be_bytes());
            out.extend_from_slice(&column.type_oid.to_be_bytes());
            out.extend_from_slice(&column.type_size.to_be_bytes());
            out.extend_from_slice(&column.type_modifier.to_be_bytes());
            out.extend_from_slice(&column.format.to_be_bytes());
        }
    });
}

/// Appends a `DataRow` of values in whatever format was announced; `None` is NULL.
pub fn data_row(out: &mut Vec<u8>, values: &[Option<Vec<u8>>]) {
    put::frame(out, tag::DATA_ROW, |out| {
        put::count(out, values.len());
        for value in values {
            put::value(out, value.as_deref());
        }
    });
}

/// Appends `PortalSuspended`.
pub fn portal_suspended(out: &mut Vec<u8>) {
    put::frame(out, tag::PORTAL_SUSPENDED, |_| ());
}

/// Appends a `ParameterDescription` of a statement without parameters.
pub fn no_parameters(out: &mut Vec<u8>) {
    put::frame(out, tag::PARAMETER_DESCRIPTION, |out| put::count(out, 0));
}

/// Appends `NegotiateProtocolVersion`: protocol 3.`minor` is the newest served, and these options
/// are not known. The version is written as PostgreSQL writes it, with the major version in the
/// upper 16 bits.
pub fn negotiate_version(out: &mut Vec<u8>, minor: u32, unsupported: &[&str]) {
    put::frame(out, tag::NEGOTIATE_VERSION, |out| {
        out.extend_from_slice(&((3 << 16) | minor).to_be_bytes());
        out.extend_from_slice(&u32::try_from(unsupported.len()).unwrap_or(u32::MAX).to_be_bytes());
        for option in unsupported {
            put::cstr(out, option.as_bytes());
        }
    });
}

/// Appends an `ErrorResponse`; `severity` is `ERROR` or, when the connection ends with it, `FATAL`.
pub fn error(
    out: &mut Vec<u8>,
    severity: &str,
    code: SqlState,
    message: &str,
    detail: Option<&str>,
    hint: Option<&str>,
) {
    let texts = [Some(message), detail, hint, None];
    report(out, tag::ERROR, severity, code, texts);
}

/// Appends an `ErrorResponse` (`ERROR`) that names the routine of PostgreSQL which reports such an error: drivers tell some errors
/// apart by it.
pub fn error_of_routine(out: &mut Vec<u8>, code: SqlState, message: &str, routine: &str) {
    report(out, tag::ERROR, "ERROR", code, [Some(message), None, None, Some(routine)]);
}

/// Appends a `NoticeResponse`; `severity` is `WARNING`, `NOTICE`, `INFO`, `LOG` or `DEBUG`.
pub fn notice(
    out: &mut Vec<u8>,
    severity: &str,
    code: SqlState,
    message: &str,
    detail: Option<&str>,
    hint: Option<&str>,
) {
    let texts = [Some(message), detail, hint, None];
    report(out, tag::NOTICE, severity, code, texts);
}

/// `texts` are message, detail, hint and routine.
fn report(out: &mut Vec<u8>, tag: u8, severity: &str, code: SqlState, texts: [Option<&str>; 4]) {
    put::frame(out, tag, |out| {
        for (field, text) in [(b'S', severity), (b'V', severity), (b'C', code.as_str())] {
            out.push(field);
            put::cstr(out, text.as_bytes());
        }
        for (field, text) in [b'M', b'D', b'H', b'R'].into_iter().zip(texts) {
            if let Some(text) = text {
                out.push(field);
                put::cstr(out, text.as_bytes());
            }
        }
        out.push(0);
    });
}
