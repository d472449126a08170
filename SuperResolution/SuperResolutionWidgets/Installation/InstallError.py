class InstallError(RuntimeError):
    """The Python packages are not there and were not installed. The message is one sentence for the user."""
