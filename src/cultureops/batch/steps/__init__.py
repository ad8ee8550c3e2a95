"""The steps of a process: what each would record, or why it can't be."""

__all__: list[str] = []
