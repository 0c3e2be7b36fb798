//! The binary: everything is in the library.

fn main() -> std::process::ExitCode {
    mindreader::cli::dispatch::main()
}
