"""Commands of a few lines."""


def main() -> None:
    """Run the command line."""
