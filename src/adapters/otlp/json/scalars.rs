//! Single values of OTLP JSON, as leniently as the JSON mapping of Protocol Buffers reads them.

use std::{fmt, marker::PhantomData};

use serde::{Deserialize, Deserializer, de};

use crate::adapters::otlp::base64;

/// A whole number: a JSON number, or a text of one, as JavaScript keeps no 64 bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole<T>(pub(super) T);

/// A floating-point number, or the text of one, such as `NaN`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Real(pub(super) f64);

/// A value of an enumeration: its number, or its name.
#[derive(Debug, Clone)]
pub(super) enum Coded {
    Number(i64),
    /// The name in the `.proto` file.
    Name(String),
}

/// Bytes in base64.
#[derive(Debug, Clone)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Coded {
    /// The number, where a name is one of `names`, which are numbered from 0; none for one that nobody knows.
    pub(super) fn number(&self, prefix: &str, names: &[&str]) -> i64 {
        match self {
            Self::Number(number) => *number,
            Self::Name(name) => {
                let bare = name.strip_prefix(prefix).unwrap_or(name);
                let known = names.iter().position(|known| known.eq_ignore_ascii_case(bare));
                known.and_then(|at| i64::try_from(at).ok()).or_else(|| bare.parse().ok()).unwrap_or_default()
            }
        }
    }
}

/// A floating-point number as a whole one, where it is one.
fn integral(number: f64) -> Option<i128> {
    // Within this range the conversion is exact.
    (number.fract() == 0.0 && number.abs() < 1e30).then_some(number as i128)
}

struct Numbers<T>(PhantomData<T>);

impl<T: TryFrom<i128>> de::Visitor<'_> for Numbers<T> {
    type Value = Whole<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, or a text of one")
    }

    fn visit_i128<E: de::Error>(self, number: i128) -> Result<Self::Value, E> {
        T::try_from(number).map(Whole).map_err(|_| E::custom(format!("{number} is out of range")))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        self.visit_i128(number.into())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        self.visit_i128(number.into())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        match integral(number) {
            Some(whole) => self.visit_i128(whole),
            None => Err(E::invalid_value(de::Unexpected::Float(number), &self)),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        let whole = text.parse().ok().or_else(|| integral(text.parse().ok()?));
        match whole {
            Some(whole) => self.visit_i128(whole),
            None => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }
}

impl<'de, T: TryFrom<i128>> Deserialize<'de> for Whole<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Numbers(PhantomData))
    }
}

struct Reals;

impl de::Visitor<'_> for Reals {
    type Value = Real;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, `NaN`, `Infinity` or `-Infinity`")
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Real, E> {
        Ok(Real(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Real, E> {
        Ok(Real(number as f64))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Real, E> {
        Ok(Real(number as f64))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Real, E> {
        text.parse().map(Real).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Real {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reals)
    }
}

struct Codes;

impl de::Visitor<'_> for Codes {
    type Value = Coded;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the number or the name of a value")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Coded, E> {
        Ok(Coded::Number(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Coded, E> {
        Ok(Coded::Number(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Coded, E> {
        Ok(Coded::Name(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Coded {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Codes)
    }
}

struct Encoded;

impl de::Visitor<'_> for Encoded {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes in base64")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
        base64::decode(text).map(Bytes).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Encoded)
    }
}
