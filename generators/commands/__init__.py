"""One module a command of `genba`, each with `main(argv) -> exit code`; `generators.cli` imports the one that is asked."""
