"""What can be wrong: the user's input, and here is the line that says where and why; or a platform's lowering."""


class InputError(ValueError):
    """Bad input from the outside. Its text is one line: where (file, line, column, key), the value, the rule it broke.

    The command line prints it without a traceback and exits with its exit code. Everything else that is raised is
    a defect.
    """

    exit_code = 2


class LoweringError(RuntimeError):
    """A defect of a platform: its lowering made tasks that cannot be, or that could not run. No input mends it.

    The command line prints it as a defect of the platform that it names, and exits with code 70.
    """
