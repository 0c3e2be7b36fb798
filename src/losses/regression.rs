//! Squared error, cosine and their mixture.
