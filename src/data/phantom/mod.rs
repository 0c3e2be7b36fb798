//! A synthetic subject with a known brain, stored exactly as NSD stores one.
