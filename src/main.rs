//! The binary: everything is in the library.

fn main() -> std::process::ExitCode {
    // Network file systems often have no locks, and HDF5 then refuses to open what it would only read. The program writes
    // under names of its own and renames, so it needs none.
    if std::env::var_os("HDF5_USE_FILE_LOCKING").is_none() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var("HDF5_USE_FILE_LOCKING", "FALSE") };
    }
    mindreader::cli::dispatch::main()
}
