//! Plain data to one self-contained HTML file.
