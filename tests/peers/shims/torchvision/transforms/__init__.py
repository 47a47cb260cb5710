"""Names that are imported and not used."""


class Lambda:
    pass


class Compose:
    pass
