"""Why a file cannot be imported at all. The text is for the person at the terminal: what is wrong, how to mend it."""


class FileRefused(Exception):
    pass
