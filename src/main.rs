//! The program: everything is in the library, and [`bothways::cli`] decides how it ends.

fn main() -> std::process::ExitCode {
    bothways::cli::main()
}
