//! What the user types: arguments, settings, terminal, exit codes.
