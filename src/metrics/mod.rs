//! Features and numbers in, numbers out.
