//! What goes into a statement and what comes out of a row.

use std::borrow::Cow;
use std::fmt;

use tokio_postgres::Row;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::error::StepError;
use crate::domain::id::OperationId;
use crate::domain::operation::{Kind, LastOperation, Report, State};
use crate::secret::{MASK, Secret};
use crate::store::packed::unpack;
use crate::store::seal::{Cell, Sealer};

/// A parameter of a statement. It brings its type, so that the server need not be asked for it and no statement has to
/// outlive its transaction.
pub(super) enum Value<'a> {
    Text(Option<Cow<'a, str>>),
    Number(Option<i64>),
    Bytes(Option<Vec<u8>>),
}

impl Value<'_> {
    pub(super) const fn kind(&self) -> Type {
        match self {
            Self::Text(_) => Type::TEXT,
            Self::Number(_) => Type::INT8,
            Self::Bytes(_) => Type::BYTEA,
        }
    }
}

/// The client logs parameters at level `debug`: they are credentials.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(MASK)
    }
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Text(text) => text.to_sql(kind, out),
            Self::Number(number) => number.to_sql(kind, out),
            Self::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        [Type::TEXT, Type::INT8, Type::BYTEA].contains(kind)
    }

    to_sql_checked!();
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(storable(text)))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text.map(storable))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Number(Some(number.into()))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Some(bytes))
    }
}

impl From<Option<Vec<u8>>> for Value<'_> {
    fn from(bytes: Option<Vec<u8>>) -> Self {
        Self::Bytes(bytes)
    }
}

/// Text of PostgreSQL holds no NUL. No id has one; a space that is said to have one is none that exists.
fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{FFFD}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Parameters of a statement, in order.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        &[$($crate::store::postgres::values::Value::from($value)),*]
    };
}
pub(super) use values;

/// The columns of a row, read one after the other in the order of the statement.
pub(super) struct Columns<'a> {
    row: &'a Row,
    sealer: &'a Sealer,
    next: usize,
}

impl<'a> Columns<'a> {
    pub(super) const fn of(row: &'a Row, sealer: &'a Sealer) -> Self {
        Self {
            row,
            sealer,
            next: 0,
        }
    }

    pub(super) fn take<T: FromSql<'a>>(&mut self) -> Result<T, StepError> {
        let at = self.next;
        self.next += 1;
        self.row
            .try_get(at)
            .map_err(|_| StepError::Unreadable("column"))
    }

    /// Whether the next column holds anything; it is not passed by.
    pub(super) fn is_there(&self) -> Result<bool, StepError> {
        let next: Option<&str> = self
            .row
            .try_get(self.next)
            .map_err(|_| StepError::Unreadable("column"))?;
        Ok(next.is_some())
    }

    pub(super) fn text(&mut self) -> Result<&'a str, StepError> {
        self.take()
    }

    pub(super) fn number(&mut self) -> Result<u32, StepError> {
        u32::try_from(self.take::<i64>()?).map_err(|_| StepError::Unreadable("number"))
    }

    pub(super) fn count(&mut self) -> Result<u64, StepError> {
        u64::try_from(self.take::<i64>()?).map_err(|_| StepError::Unreadable("number"))
    }

    pub(super) fn unpacked<T: serde::de::DeserializeOwned>(
        &mut self,
        cell: Cell<'_>,
    ) -> Result<Secret<T>, StepError> {
        Ok(unpack(self.sealer, cell, self.take()?)?)
    }

    pub(super) fn maybe_unpacked<T: serde::de::DeserializeOwned>(
        &mut self,
        cell: Cell<'_>,
    ) -> Result<Option<Secret<T>>, StepError> {
        let bytes: Option<&[u8]> = self.take()?;
        Ok(bytes
            .map(|bytes| unpack(self.sealer, cell, bytes))
            .transpose()?)
    }

    pub(super) fn report(&mut self, cell: Cell<'_>) -> Result<Report, StepError> {
        let report = self.maybe_unpacked::<Report>(cell)?;
        Ok(report.map(Secret::into_exposed).unwrap_or_default())
    }

    pub(super) fn hash(&mut self) -> Result<[u8; 32], StepError> {
        let bytes: &[u8] = self.take()?;
        bytes
            .try_into()
            .map_err(|_| StepError::Unreadable("fingerprint"))
    }

    pub(super) fn maybe_hash(&mut self) -> Result<Option<[u8; 32]>, StepError> {
        let bytes: Option<&[u8]> = self.take()?;
        bytes
            .map(|bytes| {
                bytes
                    .try_into()
                    .map_err(|_| StepError::Unreadable("fingerprint"))
            })
            .transpose()
    }

    pub(super) fn kind(&mut self) -> Result<Kind, StepError> {
        Kind::from_name(self.text()?).ok_or(StepError::Unreadable("kind of operation"))
    }

    pub(super) fn state(&mut self) -> Result<State, StepError> {
        State::from_name(self.text()?).ok_or(StepError::Unreadable("state"))
    }

    pub(super) fn last_operation(&mut self) -> Result<LastOperation, StepError> {
        Ok(LastOperation {
            id: OperationId::parse(self.text()?)?,
            kind: self.kind()?,
            state: self.state()?,
        })
    }
}
