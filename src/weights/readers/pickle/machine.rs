//! The stack machine that turns opcodes into a [`Tree`].

use std::collections::HashMap;

use super::super::budget::Budget;
use super::cursor::{Cursor, MAX_GLOBAL_BYTES};
use super::opcode as op;
use super::tree::{Id, Made, MadeBy, Tree, Value};
use crate::error::Fault;

const PROTOCOLS: std::ops::RangeInclusive<u8> = 2..=5;

/// The pickle at the start of `bytes`; `what` names it in messages.
///
/// # Errors
/// A fault that names the pickle, the byte and the opcode.
pub(in super::super) fn parse<'a>(
    bytes: &'a [u8],
    what: &str,
    budget: &mut Budget,
) -> Result<Tree<'a>, Fault> {
    let mut machine = Machine {
        cursor: Cursor { bytes, at: 0, opcode_at: 0, what },
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    match machine.cursor.take(2)? {
        [op::PROTO, protocol] if PROTOCOLS.contains(protocol) => {}
        [op::PROTO, protocol] => {
            return Err(machine.cursor.fault("protocol 2 to 5", format!("protocol {protocol}")));
        }
        _ => return Err(machine.cursor.fault("PROTO", "other bytes")),
    }
    loop {
        budget.work(what, 1)?;
        machine.cursor.opcode_at = machine.cursor.at;
        let [opcode] = machine.cursor.array()?;
        if opcode == op::STOP {
            let root = machine.pop()?;
            if !machine.stack.is_empty() || !machine.marks.is_empty() {
                return Err(machine
                    .cursor
                    .fault("an empty stack at the end", format!("{} values", machine.stack.len())));
            }
            return Ok(Tree { values: machine.values, root, length: machine.cursor.at });
        }
        machine.step(opcode)?;
    }
}

struct Machine<'a, 'w> {
    cursor: Cursor<'a, 'w>,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack at each MARK.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a, '_> {
    fn step(&mut self, opcode: u8) -> Result<(), Fault> {
        match opcode {
            // Frames say how much Python may read ahead: that they fit is all that matters here.
            op::FRAME => {
                let length = u64::from_le_bytes(self.cursor.array()?);
                if length > self.cursor.left() as u64 {
                    return Err(self.cursor.too_long(length));
                }
            }
            op::MARK => self.marks.push(self.stack.len()),
            // Python keeps marks on the stack itself: a POP right behind a MARK takes the MARK.
            op::POP if self.marks.last() == Some(&self.stack.len()) => {
                self.marks.pop();
            }
            op::POP => {
                self.pop()?;
            }
            op::POP_MARK => {
                self.pop_to_mark()?;
            }
            op::DUP => {
                let top = self.top()?;
                self.stack.push(top);
            }
            op::NONE => self.push(Value::None),
            op::NEWTRUE => self.push(Value::Bool(true)),
            op::NEWFALSE => self.push(Value::Bool(false)),
            op::BININT | op::BININT1 | op::BININT2 | op::LONG1 | op::LONG4 => {
                let value = self.cursor.integer(opcode)?;
                self.push(value);
            }
            op::BINFLOAT => {
                // The only number of a pickle with its high byte first.
                let value = f64::from_be_bytes(self.cursor.array()?);
                self.push(Value::Float(value));
            }
            op::SHORT_BINUNICODE | op::BINUNICODE | op::BINUNICODE8 => {
                let bytes = self.cursor.counted(opcode)?;
                let text =
                    std::str::from_utf8(bytes).map_err(|error| self.cursor.fault("text in UTF-8", error))?;
                self.push(Value::Text(text));
            }
            op::SHORT_BINBYTES | op::BINBYTES | op::BINBYTES8 | op::BYTEARRAY8 => {
                let bytes = self.cursor.counted(opcode)?;
                self.push(Value::Bytes(bytes));
            }
            // Python 2 has one type for both.
            op::SHORT_BINSTRING | op::BINSTRING => {
                let bytes = self.cursor.counted(opcode)?;
                self.push(std::str::from_utf8(bytes).map_or(Value::Bytes(bytes), Value::Text));
            }
            op::EMPTY_LIST => self.push(Value::List(Vec::new())),
            op::EMPTY_TUPLE => self.push(Value::Tuple(Vec::new())),
            op::EMPTY_DICT => self.push(Value::Dict(Vec::new())),
            op::EMPTY_SET => self.push(Value::Set(Vec::new())),
            op::LIST => {
                let items = self.pop_to_mark()?;
                self.push(Value::List(items));
            }
            op::TUPLE => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items));
            }
            op::FROZENSET => {
                let items = self.pop_to_mark()?;
                self.push(Value::Set(items));
            }
            op::DICT => {
                let entries = self.pop_pairs()?;
                self.push(Value::Dict(entries));
            }
            op::TUPLE1 => self.tuple::<1>()?,
            op::TUPLE2 => self.tuple::<2>()?,
            op::TUPLE3 => self.tuple::<3>()?,
            op::APPEND => {
                let item = self.pop()?;
                self.extend_items(&[item])?;
            }
            op::APPENDS | op::ADDITEMS => {
                let items = self.pop_to_mark()?;
                self.extend_items(&items)?;
            }
            op::SETITEM => {
                let [key, value] = self.pop_array()?;
                self.extend_entries(&[(key, value)])?;
            }
            op::SETITEMS => {
                let entries = self.pop_pairs()?;
                self.extend_entries(&entries)?;
            }
            op::BINPUT => {
                let [index] = self.cursor.array()?;
                self.remember(u32::from(index))?;
            }
            op::LONG_BINPUT => {
                let index = u32::from_le_bytes(self.cursor.array()?);
                self.remember(index)?;
            }
            // The next free number, which is how many there are.
            op::MEMOIZE => self.remember(self.memo.len() as u32)?,
            op::BINGET => {
                let [index] = self.cursor.array()?;
                self.recall(u32::from(index))?;
            }
            op::LONG_BINGET => {
                let index = u32::from_le_bytes(self.cursor.array()?);
                self.recall(index)?;
            }
            op::GLOBAL => {
                let module = self.cursor.line()?;
                let name = self.cursor.line()?;
                self.push(Value::Global { module, name });
            }
            op::STACK_GLOBAL => self.stack_global()?,
            op::REDUCE => {
                let [class, args] = self.pop_array()?;
                self.make(MadeBy::Call, class, args)?;
            }
            op::NEWOBJ => {
                let [class, args] = self.pop_array()?;
                self.make(MadeBy::New, class, args)?;
            }
            op::NEWOBJ_EX => {
                let [class, args, _named_args] = self.pop_array()?;
                self.make(MadeBy::New, class, args)?;
            }
            op::BUILD => self.build()?,
            op::BINPERSID => {
                let id = self.pop()?;
                self.push(Value::Persistent(id));
            }
            _ => return Err(self.cursor.fault("an opcode of protocol 2 to 5", op::refused_name(opcode))),
        }
        Ok(())
    }

    fn push(&mut self, value: Value<'a>) {
        // The budget of opcodes keeps the number of values far below u32.
        let id = Id(self.values.len() as u32);
        self.values.push(value);
        self.stack.push(id);
    }

    /// Height below which nothing may be taken.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Id, Fault> {
        match self.stack.last() {
            Some(&top) if self.stack.len() > self.floor() => Ok(top),
            _ => Err(self.cursor.fault("a value on the stack", "none")),
        }
    }

    fn pop(&mut self) -> Result<Id, Fault> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_array<const N: usize>(&mut self) -> Result<[Id; N], Fault> {
        let mut taken = [Id(0); N];
        // The last of them lies on top.
        for slot in taken.iter_mut().rev() {
            *slot = self.pop()?;
        }
        Ok(taken)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, Fault> {
        let mark = self.marks.pop().ok_or_else(|| self.cursor.fault("a MARK below", "none"))?;
        Ok(self.stack.split_off(mark))
    }

    fn pop_pairs(&mut self) -> Result<Vec<(Id, Id)>, Fault> {
        let items = self.pop_to_mark()?;
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(self.cursor.fault("a value for every key", "a key without one"));
        }
        Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
    }

    fn tuple<const N: usize>(&mut self) -> Result<(), Fault> {
        let items = self.pop_array::<N>()?;
        self.push(Value::Tuple(items.to_vec()));
        Ok(())
    }

    fn extend_items(&mut self, items: &[Id]) -> Result<(), Fault> {
        let target = self.top()?;
        match &mut self.values[target.0 as usize] {
            Value::List(list) | Value::Set(list) => list.extend(items),
            Value::Made(made) => made.items.extend(items),
            _ => return Err(self.cursor.fault("a list, set or instance to extend", "something else")),
        }
        Ok(())
    }

    fn extend_entries(&mut self, entries: &[(Id, Id)]) -> Result<(), Fault> {
        let target = self.top()?;
        match &mut self.values[target.0 as usize] {
            Value::Dict(dict) => dict.extend(entries),
            Value::Made(made) => made.entries.extend(entries),
            _ => return Err(self.cursor.fault("a dict or instance to extend", "something else")),
        }
        Ok(())
    }

    fn remember(&mut self, index: u32) -> Result<(), Fault> {
        let top = self.top()?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Result<(), Fault> {
        let id = *self
            .memo
            .get(&index)
            .ok_or_else(|| self.cursor.fault("a memo entry that was written", format!("number {index}")))?;
        self.stack.push(id);
        Ok(())
    }

    fn stack_global(&mut self) -> Result<(), Fault> {
        let [module, name] = self.pop_array()?;
        match (&self.values[module.0 as usize], &self.values[name.0 as usize]) {
            (&Value::Text(module), &Value::Text(name))
                if module.len().max(name.len()) <= MAX_GLOBAL_BYTES =>
            {
                self.push(Value::Global { module, name });
                Ok(())
            }
            _ => Err(self.cursor.fault("module and name as short texts", "something else")),
        }
    }

    fn make(&mut self, by: MadeBy, class: Id, args: Id) -> Result<(), Fault> {
        if !matches!(self.values[args.0 as usize], Value::Tuple(_)) {
            return Err(self.cursor.fault("a tuple of arguments", "something else"));
        }
        let made = Made { by, class, args, items: Vec::new(), entries: Vec::new(), state: None };
        self.push(Value::Made(Box::new(made)));
        Ok(())
    }

    fn build(&mut self) -> Result<(), Fault> {
        let state = self.pop()?;
        let target = self.top()?;
        match &mut self.values[target.0 as usize] {
            Value::Made(made) if made.state.is_none() => made.state = Some(state),
            _ => return Err(self.cursor.fault("an instance without state", "something else")),
        }
        Ok(())
    }
}
