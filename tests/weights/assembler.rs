//! Pickles opcode by opcode, zip archives field by field: hostile files without binary blobs.

use std::io::Write;

/// A pickle under construction. Methods are named after the opcodes.
#[derive(Clone, Debug)]
pub struct Pickle(pub Vec<u8>);

impl Pickle {
    /// Starts with PROTO.
    pub fn protocol(version: u8) -> Self {
        Self(vec![0x80, version])
    }

    pub fn new() -> Self {
        Self::protocol(2)
    }

    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The bytes with STOP at the end.
    pub fn stop(self) -> Vec<u8> {
        self.raw(b".").0
    }

    pub fn mark(self) -> Self {
        self.raw(b"(")
    }

    pub fn pop(self) -> Self {
        self.raw(b"0")
    }

    pub fn none(self) -> Self {
        self.raw(b"N")
    }

    pub fn boolean(self, value: bool) -> Self {
        self.raw(&[if value { 0x88 } else { 0x89 }])
    }

    /// LONG1, or BININT where it fits.
    pub fn int(self, value: i64) -> Self {
        match i32::try_from(value) {
            Ok(value) => self.raw(b"J").raw(&value.to_le_bytes()),
            Err(_) => self.raw(&[0x8a, 8]).raw(&value.to_le_bytes()),
        }
    }

    pub fn text(self, text: &str) -> Self {
        self.raw_text(text.as_bytes())
    }

    pub fn raw_text(self, bytes: &[u8]) -> Self {
        self.raw(b"X").raw(&(bytes.len() as u32).to_le_bytes()).raw(bytes)
    }

    pub fn bytes(self, bytes: &[u8]) -> Self {
        self.raw(b"B").raw(&(bytes.len() as u32).to_le_bytes()).raw(bytes)
    }

    pub fn empty_list(self) -> Self {
        self.raw(b"]")
    }

    pub fn append(self) -> Self {
        self.raw(b"a")
    }

    pub fn appends(self) -> Self {
        self.raw(b"e")
    }

    pub fn empty_tuple(self) -> Self {
        self.raw(b")")
    }

    pub fn tuple(self) -> Self {
        self.raw(b"t")
    }

    pub fn tuple1(self) -> Self {
        self.raw(&[0x85])
    }

    pub fn empty_dict(self) -> Self {
        self.raw(b"}")
    }

    pub fn set_item(self) -> Self {
        self.raw(b"s")
    }

    pub fn set_items(self) -> Self {
        self.raw(b"u")
    }

    pub fn put(self, index: u32) -> Self {
        self.raw(b"r").raw(&index.to_le_bytes())
    }

    pub fn get(self, index: u32) -> Self {
        self.raw(b"j").raw(&index.to_le_bytes())
    }

    pub fn global(self, module: &str, name: &str) -> Self {
        self.raw(format!("c{module}\n{name}\n").as_bytes())
    }

    pub fn reduce(self) -> Self {
        self.raw(b"R")
    }

    pub fn new_object(self) -> Self {
        self.raw(&[0x81])
    }

    pub fn build(self) -> Self {
        self.raw(b"b")
    }

    pub fn persistent_id(self) -> Self {
        self.raw(b"Q")
    }

    /// Does something to the pickle; reads better than nested calls.
    pub fn then(self, act: impl FnOnce(Self) -> Self) -> Self {
        act(self)
    }

    /// A tuple of integers.
    pub fn ints(self, values: &[i64]) -> Self {
        values.iter().fold(self.mark(), |pickle, &value| pickle.int(value)).tuple()
    }

    /// `('storage', torch class, key, 'cpu', count)` as a persistent id; `with_view` adds None as legacy streams do.
    pub fn storage(self, class: &str, key: &str, count: i64, with_view: bool) -> Self {
        let parts = self.mark().text("storage").global("torch", class).text(key).text("cpu").int(count);
        if with_view { parts.none() } else { parts }.tuple().persistent_id()
    }

    /// `_rebuild_tensor_v2` around a storage.
    pub fn tensor(self, view: &View<'_>, storage: impl FnOnce(Self) -> Self) -> Self {
        storage(self.global("torch._utils", "_rebuild_tensor_v2").mark())
            .int(view.offset)
            .ints(view.shape)
            .ints(view.strides)
            .boolean(false)
            .global("collections", "OrderedDict")
            .empty_tuple()
            .reduce()
            .tuple()
            .reduce()
    }
}

/// Offset, shape and strides of a tensor in elements.
#[derive(Clone, Copy, Debug)]
pub struct View<'v> {
    pub offset: i64,
    pub shape: &'v [i64],
    pub strides: &'v [i64],
}

/// One zip entry; fields that are not set tell the truth.
#[derive(Clone, Debug, Default)]
pub struct ZipEntry {
    pub name: Vec<u8>,
    pub data: Vec<u8>,
    pub method: u16,
    pub flags: u16,
    pub crc: Option<u32>,
    pub size: Option<u32>,
    pub packed_len: Option<u32>,
    pub local_name: Option<Vec<u8>>,
    pub header_at: Option<u32>,
}

impl ZipEntry {
    pub fn stored(name: &str, data: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), data: data.into(), ..Self::default() }
    }

    /// An entry whose data are deflated.
    pub fn deflated(name: &str, data: &[u8]) -> Self {
        let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(data).unwrap();
        let mut crc = flate2::Crc::new();
        crc.update(data);
        Self {
            name: name.into(),
            data: packer.finish().unwrap(),
            method: 8,
            crc: Some(crc.sum()),
            size: Some(data.len() as u32),
            ..Self::default()
        }
    }
}

/// An archive of these entries.
pub fn zip(entries: &[ZipEntry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let header_at = entry.header_at.unwrap_or(bytes.len() as u32);
        let mut crc = flate2::Crc::new();
        crc.update(&entry.data);
        let crc = entry.crc.unwrap_or(crc.sum());
        let packed_len = entry.packed_len.unwrap_or(entry.data.len() as u32);
        let size = entry.size.unwrap_or(entry.data.len() as u32);
        let local_name = entry.local_name.as_ref().unwrap_or(&entry.name);
        let fields = |name_len: usize| {
            let mut fields = Vec::new();
            fields.extend(20_u16.to_le_bytes());
            fields.extend(entry.flags.to_le_bytes());
            fields.extend(entry.method.to_le_bytes());
            fields.extend([0; 4]);
            fields.extend([crc, packed_len, size].map(u32::to_le_bytes).concat());
            fields.extend((name_len as u16).to_le_bytes());
            fields.extend([0; 2]);
            fields
        };
        bytes.extend(b"PK\x03\x04");
        bytes.extend(fields(local_name.len()));
        bytes.extend(local_name);
        bytes.extend(&entry.data);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(fields(entry.name.len()));
        directory.extend([0; 10]);
        directory.extend(header_at.to_le_bytes());
        directory.extend(&entry.name);
    }
    let start = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([(entries.len() as u16).to_le_bytes(); 2].concat());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}
