//! What every run has: folder, snapshot files, event log, device.
