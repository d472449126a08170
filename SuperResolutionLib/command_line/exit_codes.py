"""How the program ends, as the shell sees it. A fault of our own ends with 1, as Python ends any program."""

DONE, SOME_FAILED, BAD_INPUT, CANCELLED = 0, 1, 2, 3
