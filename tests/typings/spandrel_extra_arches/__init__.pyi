from spandrel import ArchSupport

EXTRA_REGISTRY: list[ArchSupport]
