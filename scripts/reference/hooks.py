"""Hook points: the model calls `hooks(name, value)` at each; this records the value and applies edits."""


class Hooks:
    """Records named values in the order met; adds a vector at one place of those that have an edit.

    edits maps a hook name to (index, delta): delta is added to value[index], before it is recorded.
    """

    def __init__(self, edits=None):
        self.values = {}
        self.edits = dict(edits or {})

    def __call__(self, name, value):
        if name in self.edits:
            index, delta = self.edits[name]
            value = value.clone()
            value[index] += delta
        if name in self.values:
            raise RuntimeError(f"hook point {name} was met twice")
        self.values[name] = value
        return value

    def is_edited(self, *names):
        """Returns whether any of the names has an edit."""
        return any(name in self.edits for name in names)


def silent(_name, value):
    """A hook function that does nothing, for computations off the record."""
    return value
