from __future__ import annotations


class ApiProblem(Exception):
    """An answer in the form of Neon's GeneralError. Nothing was changed when one is raised."""

    def __init__(self, status: int, message: str, code: str = "", *, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = headers


def not_found(what: str) -> ApiProblem:
    return ApiProblem(404, f"{what} not found")


def locked() -> ApiProblem:
    return ApiProblem(423, "project already has running conflicting operations, scheduling of new ones is prohibited")
