//! Opcodes that no pickle may hold.

use super::{Hostile, check};
use crate::assembler::Pickle;

#[test]
fn pickles() {
    let new = Pickle::new;
    let nested = |opcode: &[u8], count| new().empty_tuple().raw(&opcode.repeat(count)).stop();
    check(vec![
        Hostile("a protocol of the future", Pickle::protocol(6).none().stop(), "protocol 6"),
        Hostile("an unknown opcode", new().raw(b"\xff").stop(), "unknown opcode 0xff"),
        Hostile("INST", new().mark().raw(b"ios\nsystem\n").stop(), "INST"),
        Hostile(
            "a call of the system",
            new().global("os", "system").text("id").tuple1().reduce().stop(),
            "os.system",
        ),
        Hostile("an extension code", new().raw(&[0x82, 1]).stop(), "EXT"),
        Hostile("a buffer outside", Pickle::protocol(5).raw(&[0x97]).stop(), "a buffer outside the pickle"),
        Hostile("no STOP", new().none().0, "left"),
        Hostile("a lone PROTO", vec![0x80, 2], "left"),
        Hostile("an empty stack", new().pop().stop(), "a value on the stack"),
        Hostile("a value below the mark", new().none().mark().raw(&[0x85]).stop(), "a value on the stack"),
        Hostile("two values at STOP", new().none().none().stop(), "an empty stack at the end"),
        Hostile("no MARK", new().empty_list().none().appends().stop(), "a MARK"),
        Hostile("a key alone", new().empty_dict().mark().none().set_items().stop(), "a key without one"),
        Hostile("no memo entry", new().get(7).stop(), "number 7"),
        Hostile("a huge text", new().raw(b"\x8d").raw(&[0xff; 8]).stop(), "a length of 18446744073709551615"),
        Hostile(
            "huge bytes",
            new().raw(b"\x8e").raw(&(1_u64 << 40).to_le_bytes()).stop(),
            "a length of 1099511627776",
        ),
        Hostile("a huge short text", new().raw(b"X\xff\xff\xff\xff").stop(), "a length of 4294967295"),
        Hostile(
            "an integer of length -1",
            new().raw(b"\x8b\xff\xff\xff\xff").stop(),
            "a length of 4294967295",
        ),
        Hostile(
            "a frame past the end",
            Pickle::protocol(4).raw(b"\x95\xff\0\0\0\0\0\0\0").stop(),
            "a length of 255",
        ),
        Hostile("no UTF-8", new().raw_text(b"\xff\xfe").stop(), "text in UTF-8"),
        Hostile("a global of no UTF-8", new().raw(b"c\xff\nx\n").stop(), "a name in UTF-8"),
        Hostile("a global without end", new().raw(b"c").raw(&[b'a'; 5000]).stop(), "at most 1024 bytes"),
        Hostile("a global of numbers", new().int(1).int(2).raw(&[0x93]).stop(), "module and name"),
        Hostile(
            "arguments in a list",
            new().global("a", "b").empty_list().reduce().stop(),
            "a tuple of arguments",
        ),
        Hostile("BUILD of a number", new().int(1).none().build().stop(), "an instance without state"),
        Hostile("APPEND to a number", new().int(1).none().append().stop(), "a list, set or instance"),
        Hostile(
            "SETITEM of a list",
            new().empty_list().none().none().set_item().stop(),
            "a dict or instance",
        ),
        Hostile("a second PROTO", new().raw(&[0x80, 2]).none().stop(), "a second PROTO"),
        Hostile("a million tuples in each other", nested(&[0x85], 1_000_000), "a tuple of 1"),
        Hostile("a million sets around a mark", nested(b"(\x91", 500_000), "values"),
        Hostile("opcodes without end", nested(b"N0", 2_000_000), "longer than any known one"),
        Hostile("marks without end", new().raw(&b"(".repeat(1_000_000)).stop(), "a value on the stack"),
        Hostile("after STOP", [new().empty_dict().stop(), vec![0; 9]].concat(), "end of the network pickle"),
    ]);
}
