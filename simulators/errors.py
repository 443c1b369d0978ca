"""The one error that means: the user's input is wrong, and here is the line that says where and why."""


class InputError(ValueError):
    """Bad input from the outside. Its text is one line: where (file, line, column, key), the value, the rule it broke.

    The command line prints it without a traceback and exits with code 2. Everything else that is raised is a defect.
    """
