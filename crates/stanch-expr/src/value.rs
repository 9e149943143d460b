//! JSON to CEL and back.
//!
//! Objects are a type of our own and not CEL's map: CEL's is a hash map, whose order differs from
//! run to run, and nothing that decides may depend on that. Ours goes through its keys in
//! alphabetical order.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use cel::ExecutionError;
use cel::common::traits::{Container, Indexer, Iterable, Iterator as ValIterator, Sizer, Zeroer};
use cel::common::types::{
    self, CelBool, CelDouble, CelInt, CelList, CelMap, CelNull, CelString, CelUInt, Type,
};
use cel::common::value::{CowVal, StaticVal, Val};
use serde_json::Value as Json;

use super::ExprError;

/// A JSON object: keys in order, cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Object(Arc<BTreeMap<String, Entry>>);

#[derive(Debug)]
struct Entry {
    key: CelString<'static>,
    value: Box<dyn Val>,
}

impl Object {
    fn find(&self, key: &dyn Val) -> Option<&Entry> {
        let name = key.downcast_ref::<CelString<'_>>()?;
        self.0.get(name.inner())
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

    fn as_zeroer(&self) -> Option<&dyn Zeroer> {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        other.downcast_ref::<Object>().is_some_and(|other| {
            self.0.len() == other.0.len()
                && self
                    .0
                    .iter()
                    .zip(other.0.iter())
                    .all(|((k, a), (l, b))| k == l && a.value.equals(b.value.as_ref()))
        })
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
        match self.find(key) {
            Some(entry) => Ok(CowVal::Borrowed(entry.value.as_ref())),
            None => match key.downcast_ref::<CelString<'_>>() {
                Some(name) => Err(ExecutionError::no_such_key(name.inner())),
                None => Err(ExecutionError::UnexpectedType {
                    got: key.get_type().name().to_owned(),
                    want: "field name".to_owned(),
                }),
            },
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

struct Keys<'b>(std::collections::btree_map::Values<'b, String, Entry>);

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

impl Zeroer for Object {
    fn is_zero_value(&self) -> bool {
        self.0.is_empty()
    }
}

/// JSON as a CEL value. Whole numbers are `int` when they fit, so that `severity - 6` has a value.
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
            let items: Vec<Box<dyn Val>> = items.into_iter().map(from_json).collect();
            Box::new(CelList::from(items))
        }
        Json::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| {
                let entry = Entry { key: CelString::from(name.clone()), value: from_json(value) };
                (name, entry)
            });
            Box::new(Object(Arc::new(fields.collect())))
        }
    }
}

/// A CEL value as JSON.
pub(super) fn to_json(value: &dyn Val) -> Result<Json, ExprError> {
    if let Some(object) = value.downcast_ref::<Object>() {
        let fields = object.0.iter().map(|(k, e)| Ok((k.clone(), to_json(e.value.as_ref())?)));
        return fields.collect::<Result<_, _>>().map(Json::Object);
    }
    if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        return list.inner().iter().map(|v| to_json(v.as_ref())).collect::<Result<_, _>>().map(Json::Array);
    }
    if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        let mut fields = serde_json::Map::new();
        for (key, value) in map.inner() {
            let name = cel::objects::Key::from(key.clone()).to_string();
            fields.insert(name, to_json(value.as_ref())?);
        }
        return Ok(Json::Object(fields));
    }
    let plain = cel::Value::try_from(value).map_err(|e| super::explain(&e))?;
    match plain {
        cel::Value::Null => Ok(Json::Null),
        cel::Value::Bool(b) => Ok(Json::Bool(b)),
        cel::Value::Int(i) => Ok(i.into()),
        cel::Value::UInt(u) => Ok(u.into()),
        cel::Value::Float(f) => serde_json::Number::from_f64(f)
            .map(Json::Number)
            .ok_or_else(|| ExprError::new("the result is not a finite number")),
        cel::Value::String(s) => Ok(Json::String(s.as_ref().clone())),
        cel::Value::List(_)
        | cel::Value::Map(_)
        | cel::Value::Bytes(_)
        | cel::Value::Function(..)
        | cel::Value::Opaque(_)
        | cel::Value::Struct(_) => {
            Err(ExprError::new("the result is not text, a number, a list or an object"))
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

/// What a value is, in words.
pub(super) fn kind_of(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}
