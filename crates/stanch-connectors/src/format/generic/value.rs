//! JSON to CEL and back, for mappings.
//!
//! Objects are a type of our own and not CEL's map: that one is a hash map whose order differs from
//! run to run, and the same bytes must give the same records. Ours goes through its keys in order.

use std::any::Any;
use std::collections::BTreeMap;
use std::collections::btree_map::Values;
use std::sync::Arc;

use cel::ExecutionError;
use cel::common::traits::{Container, Indexer, Iterable, Iterator as ValIterator, Sizer};
use cel::common::types::{self, CelBool, CelDouble, CelInt, CelList, CelNull, CelString, CelUInt, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use serde_json::Value as Json;

/// A JSON object: keys in order, cheap to clone.
#[derive(Clone, Debug)]
struct Object(Arc<BTreeMap<String, Entry>>);

#[derive(Debug)]
struct Entry {
    key: CelString<'static>,
    value: Box<dyn Val>,
}

impl Object {
    fn find(&self, key: &dyn Val) -> Option<&Entry> {
        self.0.get(key.downcast_ref::<CelString<'_>>()?.inner())
    }
}

impl Val for Object {
    fn get_type(&self) -> &Type {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static Type {
        &types::MAP_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        let Some(other) = other.downcast_ref::<Object>() else { return false };
        let mut pairs = self.0.iter().zip(other.0.iter());
        self.0.len() == other.0.len()
            && pairs.all(|((k, a), (l, b))| k == l && a.value.equals(b.value.as_ref()))
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Object {}

impl Container for Object {
    fn contains(&self, key: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.find(key).is_some())
    }
}

impl Indexer for Object {
    fn get<'b, 'v>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        match (self.find(key), key.downcast_ref::<CelString<'_>>()) {
            (Some(entry), _) => Ok(CowVal::Borrowed(entry.value.as_ref())),
            (None, Some(name)) => Err(ExecutionError::no_such_key(name.inner())),
            (None, None) => Err(ExecutionError::UnexpectedType {
                got: key.get_type().name().to_owned(),
                want: "field name".to_owned(),
            }),
        }
    }

    fn steal<'v>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(key).map(CowVal::into_owned)
    }
}

impl Iterable for Object {
    fn iter<'b, 'v>(&'b self) -> Box<dyn ValIterator<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        Box::new(Keys(self.0.values()))
    }
}

struct Keys<'b>(Values<'b, String, Entry>);

impl<'b, 'v> ValIterator<'b, 'v> for Keys<'b> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        self.0.next().map(|entry| &entry.key as &(dyn Val + 'v))
    }
}

impl Sizer for Object {
    fn size(&self) -> CelInt {
        i64::try_from(self.0.len()).unwrap_or(i64::MAX).into()
    }
}

/// JSON as a CEL value. Whole numbers are `int` when they fit, so that `event.level - 6` has a value.
pub(super) fn from_json(json: Json) -> Box<dyn Val> {
    match json {
        Json::Null => Box::new(CelNull),
        Json::Bool(b) => Box::new(CelBool::from(b)),
        Json::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(i), _) => Box::new(CelInt::from(i)),
            (None, Some(u)) => Box::new(CelUInt::from(u)),
            (None, None) => Box::new(CelDouble::from(n.as_f64().unwrap_or(f64::NAN))),
        },
        Json::String(s) => Box::new(CelString::from(s)),
        Json::Array(items) => {
            Box::new(CelList::from(items.into_iter().map(from_json).collect::<Vec<Box<dyn Val>>>()))
        }
        Json::Object(fields) => {
            let entries = fields.into_iter().map(|(name, value)| {
                let entry = Entry { key: CelString::from(name.clone()), value: from_json(value) };
                (name, entry)
            });
            Box::new(Object(Arc::new(entries.collect())))
        }
    }
}

/// A CEL value as JSON, or what is wrong with it.
pub(super) fn to_json(value: &dyn Val) -> Result<Json, String> {
    if let Some(object) = value.downcast_ref::<Object>() {
        let fields = object.0.iter().map(|(k, e)| Ok((k.clone(), to_json(e.value.as_ref())?)));
        return fields.collect::<Result<_, _>>().map(Json::Object);
    }
    if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        return list.inner().iter().map(|v| to_json(v.as_ref())).collect::<Result<_, _>>().map(Json::Array);
    }
    match cel::Value::try_from(value).map_err(|e| e.to_string())? {
        cel::Value::Null => Ok(Json::Null),
        cel::Value::Bool(b) => Ok(Json::Bool(b)),
        cel::Value::Int(i) => Ok(i.into()),
        cel::Value::UInt(u) => Ok(u.into()),
        cel::Value::Float(f) => serde_json::Number::from_f64(f)
            .map(Json::Number)
            .ok_or_else(|| "the result is not a finite number".to_owned()),
        cel::Value::String(s) => Ok(Json::String(s.as_ref().clone())),
        cel::Value::List(_)
        | cel::Value::Map(_)
        | cel::Value::Bytes(_)
        | cel::Value::Function(..)
        | cel::Value::Opaque(_)
        | cel::Value::Struct(_) => {
            Err("the result is neither text, a number, true, false nor a list".to_owned())
        }
    }
}

/// The length of the longest list or object anywhere in it.
pub(super) fn longest_list(json: &Json) -> usize {
    match json {
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 0,
        Json::Array(items) => items.iter().map(longest_list).fold(items.len(), usize::max),
        Json::Object(fields) => fields.values().map(longest_list).fold(fields.len(), usize::max),
    }
}
