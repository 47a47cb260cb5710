"""The commands of `genba`, one module each, with `main(argv) -> exit code`; `generators.cli` imports the chosen one."""
