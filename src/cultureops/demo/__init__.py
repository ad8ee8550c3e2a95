"""One autologous batch in a simulated lab, played from marrow to dose."""

__all__: list[str] = []
