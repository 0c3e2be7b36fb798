//! What a pickle becomes: values in one table, which point at each other by index.
//!
//! Values that hold themselves are no loops of ownership, and no value is dropped inside another one.

use crate::error::Fault;

/// Place of a value in its [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Id(pub(super) u32);

/// One value; texts and bytes stay where the file has them.
#[derive(Debug)]
pub(in super::super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// Two's complement, little endian, more than eight bytes.
    BigInt(&'a [u8]),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Set(Vec<Id>),
    /// A name, never resolved.
    Global {
        module: &'a str,
        name: &'a str,
    },
    /// What Python would have made by calling something.
    Made(Box<Made>),
    /// Something outside the pickle.
    Persistent(Id),
}

/// How Python would have made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum MadeBy {
    /// By calling a global with arguments.
    Call,
    /// As an instance of a class.
    New,
}

/// What would have been called, and what would have been put into the result.
#[derive(Debug)]
pub(in super::super) struct Made {
    pub by: MadeBy,
    pub class: Id,
    pub args: Id,
    pub items: Vec<Id>,
    pub entries: Vec<(Id, Id)>,
    pub state: Option<Id>,
}

/// All values of one pickle.
#[derive(Debug)]
pub(in super::super) struct Tree<'a> {
    pub(super) values: Vec<Value<'a>>,
    pub(super) root: Id,
    pub(super) length: usize,
}

impl<'a> Tree<'a> {
    /// The value that the pickle stands for.
    pub fn root(&self) -> Id {
        self.root
    }

    /// Bytes up to and with STOP.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Every value in the order of the file.
    pub fn values(&self) -> &[Value<'a>] {
        &self.values
    }

    /// The value at a place of [`Tree::values`].
    pub fn nth(&self, index: usize) -> Id {
        Id(index as u32)
    }

    pub fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id.0 as usize]
    }

    pub fn text(&self, id: Id) -> Option<&'a str> {
        match self.value(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn int(&self, id: Id) -> Option<i64> {
        match self.value(id) {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub fn tuple(&self, id: Id) -> Option<&[Id]> {
        match self.value(id) {
            Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    pub fn made(&self, id: Id) -> Option<&Made> {
        match self.value(id) {
            Value::Made(made) => Some(made),
            _ => None,
        }
    }

    pub fn global(&self, id: Id) -> Option<(&'a str, &'a str)> {
        match self.value(id) {
            Value::Global { module, name } => Some((module, name)),
            _ => None,
        }
    }

    /// Module, name and arguments of a call.
    pub fn call(&self, id: Id) -> Option<(&'a str, &'a str, &[Id])> {
        let made = self.made(id).filter(|made| made.by == MadeBy::Call)?;
        let (module, name) = self.global(made.class)?;
        Some((module, name, self.tuple(made.args)?))
    }

    /// Entries of a dict or of an instance of a subclass of it.
    pub fn entries(&self, id: Id) -> Option<&[(Id, Id)]> {
        match self.value(id) {
            Value::Dict(entries) => Some(entries),
            Value::Made(made) => match self.global(made.class)? {
                ("collections", "defaultdict") => Some(&made.entries),
                // Python 2 gave the entries to the constructor; such a dict must not look empty.
                ("collections", "OrderedDict") | ("dnnlib" | "dnnlib.util", "EasyDict") => {
                    self.tuple(made.args)?.is_empty().then_some(&made.entries[..])
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Items of a list, tuple or set; a set may be a call on one list (protocols 2 and 3).
    pub fn items(&self, id: Id) -> Option<&[Id]> {
        match self.value(id) {
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => Some(items),
            Value::Made(_) => match self.call(id)? {
                ("builtins" | "__builtin__", "set" | "frozenset", []) => Some(&[]),
                ("builtins" | "__builtin__", "set" | "frozenset", [list]) => match self.value(*list) {
                    Value::List(items) => Some(items),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }

    /// The value as a message names it.
    pub fn describe(&self, id: Id) -> String {
        match self.value(id) {
            Value::None => "None".into(),
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            Value::BigInt(bytes) => format!("an integer of {} bytes", bytes.len()),
            Value::Float(value) => value.to_string(),
            Value::Text(text) => format!("`{}`", text.chars().take(80).collect::<String>()),
            Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Tuple(items) => format!("a tuple of {}", items.len()),
            Value::Dict(entries) => format!("a dict of {}", entries.len()),
            Value::Set(items) => format!("a set of {}", items.len()),
            Value::Global { module, name } => format!("the name `{module}.{name}`"),
            Value::Made(made) => match (self.global(made.class), made.by) {
                (Some((module, name)), MadeBy::Call) => format!("a call of `{module}.{name}`"),
                (Some((module, name)), MadeBy::New) => format!("an instance of `{module}.{name}`"),
                (None, _) => "a call of something without a name".into(),
            },
            Value::Persistent(_) => "a reference to something outside the pickle".into(),
        }
    }

    /// A fault whose `found` is this value.
    pub fn fault(&self, field: impl std::fmt::Display, expected: impl std::fmt::Display, id: Id) -> Fault {
        Fault::new(field, expected, self.describe(id))
    }
}
