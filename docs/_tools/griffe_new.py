"""Shows `__new__` of native classes as the constructor that it is: Griffe looks for `__init__` only."""

from __future__ import annotations

import griffe


class NewAsInit(griffe.Extension):
    """Gives classes that have only `__new__` an `__init__` with the same parameters."""

    def on_class_members(self, *, cls: griffe.Class, **_: object) -> None:
        """Runs once all members of a class are known, before its docstring is read."""
        new = cls.members.get("__new__")
        if isinstance(new, griffe.Function) and "__init__" not in cls.members:
            init = griffe.Function(
                "__init__", lineno=new.lineno, endlineno=new.endlineno, parameters=new.parameters, runtime=new.runtime
            )
            cls.set_member("__init__", init)
