"""The command line: one file per subcommand; only this room knows argparse."""
